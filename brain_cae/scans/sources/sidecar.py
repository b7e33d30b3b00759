"""BIDS file names and JSON sidecars: entities, inheritance, and acquisition in the index's units.

Source: the Brain Imaging Data Structure, section "The Inheritance Principle": https://bids-specification.readthedocs.io.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brain_cae.files.documents import read_json
from brain_cae.scans.acquisition import in_tesla

# BIDS uses seconds. Longer times are implausible and mean that the file holds milliseconds.
LONGEST_S = {"RepetitionTime": 60.0, "EchoTime": 2.0, "InversionTime": 10.0}
TIMES = {"RepetitionTime": "repetition_time_ms", "EchoTime": "echo_time_ms", "InversionTime": "inversion_time_ms"}


@dataclass(frozen=True)
class BidsName:
    """The parts of a file name: ``sub-01_acq-mprage_T1w`` has entities and the suffix ``T1w``."""

    entities: Mapping[str, str]
    suffix: str


def parse_name(path: Path) -> BidsName:
    """Return entities and suffix of a file name; other parts without a hyphen are ignored."""
    *parts, suffix = path.name.split(".", 1)[0].split("_")
    pairs = [part.partition("-") for part in parts if "-" in part]
    return BidsName({key: value for key, _, value in pairs}, suffix)


@dataclass
class Sidecars:
    """The JSON sidecars of a data set; ``broken`` and ``implausible`` collect unusable ones for the notes."""

    root: Path
    broken: set[str] = field(default_factory=set)
    implausible: set[str] = field(default_factory=set)
    _content: dict[Path, dict[str, Any]] = field(default_factory=dict)
    _folders: dict[Path, list[Path]] = field(default_factory=dict)

    def acquisition(self, scan: Path) -> dict[str, Any]:
        """Return the columns of the index (ms, degrees, T) that the scan's sidecars give."""
        merged: dict[str, Any] = {}
        for path in self._applying(scan):
            merged |= self._read(path)
        for name, longest in LONGEST_S.items():
            if _positive(merged.get(name)) > longest:
                self.implausible.add(f"{name} of {scan.name}")
                del merged[name]
        return _columns(merged)

    def _applying(self, scan: Path) -> list[Path]:
        """Return the files that apply to a scan, from general to specific: later files win."""
        scan_name = parse_name(scan)
        folders = [up for up in reversed(scan.parents) if up.is_relative_to(self.root)]
        sidecars: list[Path] = []
        for folder in folders:
            if folder not in self._folders:
                self._folders[folder] = sorted(folder.glob("*.json"))
            names = {path: parse_name(path) for path in self._folders[folder]}
            applying = [
                path
                for path, name in names.items()
                if name.suffix == scan_name.suffix and name.entities.items() <= scan_name.entities.items()
            ]
            sidecars += sorted(applying, key=lambda path: len(names[path].entities))
        return sidecars

    def _read(self, path: Path) -> dict[str, Any]:
        if path not in self._content:
            try:
                content = read_json(path, encoding="utf-8-sig")
            except (OSError, ValueError):
                content = None
            if not isinstance(content, dict):
                self.broken.add(path.relative_to(self.root).as_posix())
                content = {}
            self._content[path] = content
        return self._content[path]


def _columns(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    # Only the values listed here are used: converters may write names and free text into sidecars.
    numbers = {column: 1000 * _positive(sidecar.get(name)) for name, column in TIMES.items()}
    numbers["flip_angle_deg"] = _positive(sidecar.get("FlipAngle"))
    numbers["field_strength_t"] = in_tesla(_positive(sidecar.get("MagneticFieldStrength")))
    texts = {
        "manufacturer": _text(sidecar.get("Manufacturer")),
        "model": _text(sidecar.get("ManufacturersModelName")),
        "sequence": _sequence(sidecar.get("ScanningSequence")),
        "dimensionality": kind if (kind := _text(sidecar.get("MRAcquisitionType")).upper()) in ("2D", "3D") else "",
    }
    known = {name: round(value, 4) for name, value in numbers.items() if not math.isnan(value)}
    return known | {name: value for name, value in texts.items() if value}


def _positive(value: Any) -> float:
    """Return a number above 0, or the first of a list; NaN for anything else."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return float(value) if 0 < value <= sys.float_info.max else math.nan


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _sequence(value: Any) -> str:
    """Return the sequence as for DICOM: an inversion wins over the readout."""
    parts = value if isinstance(value, list) else _text(value).replace("/", "\\").replace("_", "\\").split("\\")
    kinds = {str(part).strip().upper() for part in parts}
    return next((name for code, name in (("IR", "IR"), ("SE", "SE"), ("GR", "GRE")) if code in kinds), "")
