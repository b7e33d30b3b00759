"""BIDS file names and JSON sidecars: entities, inheritance, and acquisition in the index's units.

Source: the Brain Imaging Data Structure, section "The Inheritance Principle": https://bids-specification.readthedocs.io.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from brain_cae.files.documents import read_json
from brain_cae.scans.acquisition import in_tesla
from brain_cae.scans.contrast_agent import has_agent
from brain_cae.scans.elements import Elements, decimals
from brain_cae.scans.formats import SUFFIXES as NIFTI_SUFFIXES
from brain_cae.scans.formats import is_kind, is_nifti, nifti_stem
from brain_cae.scans.times import MILLISECONDS, SECONDS, UNKNOWN, in_milliseconds

TIMES = {"RepetitionTime": "repetition_time_ms", "EchoTime": "echo_time_ms", "InversionTime": "inversion_time_ms"}

# Characters of a value of ContrastBolusAgent in DICOM.
LONGEST = 64


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


def written_in(path: Path, key: str, folder: str) -> str:
    """Return the subject (key ``sub``) or session (``ses``) in a file's name, such as ``sub-01``; ``""`` without one.

    ``folder`` is that of the subject or session around it, if any: in ``sub-a_1/…/sub-a_1_T1w.nii.gz`` the name goes on
    after the underscore, which BIDS does not allow.
    """
    if folder and f"_{folder}_" in f"_{path.name}":
        return folder
    value = parse_name(path).entities.get(key, "")
    return f"{key}-{value}" if value else ""


def sidecar_of(scan: Path) -> Path:
    """Return where the sidecar of a NIfTI file is, if it has one."""
    return scan.with_name(f"{nifti_stem(scan)}.json")


def is_sidecar(path: Path) -> bool:
    """Return whether this is the JSON file of a NIfTI file beside it."""
    return path.suffix == ".json" and any(
        is_kind(path.with_name(f"{path.stem}{end}"), Path.is_file) for end in NIFTI_SUFFIXES
    )


def known(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that have a value."""
    return {name: value for name, value in columns.items() if value not in ("", None) and value == value}


@dataclass
class Sidecars:
    """The JSON sidecars of a data set, and which of them are unusual, for the notes.

    ``broken`` cannot be read, ``in_milliseconds`` have times in ms (BIDS uses seconds), ``implausible`` have times that
    no single unit explains, and ``malformed`` are values that are not numbers.
    """

    root: Path
    broken: set[str] = field(default_factory=set)
    in_milliseconds: set[str] = field(default_factory=set)
    implausible: set[str] = field(default_factory=set)
    malformed: set[str] = field(default_factory=set)
    _columns: dict[Path, dict[str, Any]] = field(default_factory=dict)
    _agents: dict[Path, bool | None] = field(default_factory=dict)
    _folders: dict[Path, list[Path]] = field(default_factory=dict)

    def acquisition(self, scan: Path) -> dict[str, Any]:
        """Return the columns of the index (ms, degrees, T) that the scan's sidecars give."""
        merged: dict[str, Any] = {}
        for path in self._applying(scan):
            merged |= self._read(path)
        return known(merged)

    def beside(self, files: Sequence[Path]) -> dict[str, Any]:
        """Return the same of a scan's files from the sidecar of the same name alone; empty without one.

        Outside of BIDS, names do not say which other sidecars apply.
        """
        scans = [path for path in files if is_nifti(path)]
        path = sidecar_of(scans[0]) if len(scans) == 1 else None
        return known(self._read(path)) if path and is_kind(path, Path.is_file) else {}

    def findings(self) -> dict[str, list[str]]:
        """Return lists for :func:`counted` of what is unusual in the sidecars that were read."""
        return {
            "{sidecar|sidecars} cannot be read and {is|are} ignored": sorted(self.broken),
            "{sidecar gives|sidecars give} times in milliseconds, not in seconds; they are read as such": sorted(
                self.in_milliseconds
            ),
            "{sidecar gives|sidecars give} times that no single unit explains; they are treated as unknown": sorted(
                self.implausible
            ),
            "{value of a sidecar is not a number and is|values of sidecars are not numbers and are} treated as "
            "unknown": sorted(self.malformed),
        }

    def has_agent(self, scan: Path) -> bool:
        """Return whether the scan's sidecars say that a contrast agent was given."""
        told = False
        for path in self._applying(scan):
            self._read(path)
            told = told if (agent := self._agents[path]) is None else agent
        return told

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
        """Return the columns that one file gives; NaN for a number that it gives but that cannot be used."""
        if path not in self._columns:
            name = (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
            try:
                content = read_json(path, encoding="utf-8-sig")
            except (OSError, ValueError):
                content = None
            if not isinstance(content, dict):
                self.broken.add(name)
                content = {}
            self._columns[path] = self._interpret(content, name)
            self._agents[path] = _agent(content)
        return self._columns[path]

    def _interpret(self, sidecar: Mapping[str, Any], path: str) -> dict[str, Any]:
        # Only the values listed here are used: converters may write names and free text into sidecars.
        numbers = {name: _positive(sidecar[name]) for name in (*TIMES, "FlipAngle") if name in sidecar}
        if "MagneticFieldStrength" in sidecar:
            numbers["MagneticFieldStrength"] = _field(sidecar["MagneticFieldStrength"])
        self.malformed |= {
            f"{name} in {path}" for name, number in numbers.items() if math.isnan(number) and _is_given(sidecar[name])
        }
        sequence = _sequence(sidecar.get("ScanningSequence"))
        written = {column: numbers.get(name, math.nan) for name, column in TIMES.items()}
        times = in_milliseconds(written, usual=SECONDS, sequence=sequence or "unknown")
        if times.unit == MILLISECONDS:
            self.in_milliseconds.add(path)
        elif times.unit == UNKNOWN:
            self.implausible.add(path)
        columns = {column: round(times.times[column], 4) for name, column in TIMES.items() if name in numbers}
        others = {"FlipAngle": "flip_angle_deg", "MagneticFieldStrength": "field_strength_t"}
        columns |= {column: round(numbers[name], 4) for name, column in others.items() if name in numbers}
        texts = {
            "manufacturer": _text(sidecar.get("Manufacturer")),
            "model": _text(sidecar.get("ManufacturersModelName")),
            "sequence": sequence,
            "dimensionality": kind if (kind := _text(sidecar.get("MRAcquisitionType")).upper()) in ("2D", "3D") else "",
        }
        return columns | {name: value for name, value in texts.items() if value}


def _agent(sidecar: Mapping[str, Any]) -> bool | None:
    """Return whether a contrast agent was given, by the rule for DICOM; None if the sidecar does not say."""
    name = _text(sidecar.get("ContrastBolusAgent")) or _text(sidecar.get("ContrastBolusIngredient"))
    doses = [key for key in ("ContrastBolusVolume", "ContrastBolusTotalDose") if key in sidecar]
    if not name and not doses:
        return None
    header = Dataset()
    header.ContrastBolusAgent = name[:LONGEST]
    for key in doses:
        dose = _positive(sidecar[key])
        setattr(header, key, 0 if math.isnan(dose) else round(dose, 3))
    return has_agent(Elements(header))


def _is_given(value: Any) -> bool:
    # Converters write 0, null or an empty text for what does not apply.
    return value not in (None, "", 0, "0", [])


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _positive(value: Any) -> float:
    """Return a number above 0, also from text, or the first of a list; NaN for anything else."""
    value = _first(value)
    if isinstance(value, str):
        value = next(iter(decimals(value.encode())), math.nan)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return float(value) if 0 < value <= sys.float_info.max else math.nan


def _field(value: Any) -> float:
    value = _first(value)
    return in_tesla(value if isinstance(value, str) else _positive(value))


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _sequence(value: Any) -> str:
    """Return the sequence as for DICOM: an inversion wins over the readout."""
    parts = value if isinstance(value, list) else _text(value).replace("/", "\\").replace("_", "\\").split("\\")
    kinds = {str(part).strip().upper() for part in parts}
    return next((name for code, name in (("IR", "IR"), ("SE", "SE"), ("GR", "GRE")) if code in kinds), "")
