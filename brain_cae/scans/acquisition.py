"""Acquisition parameters from DICOM headers, in the index's columns and units.

Only the values listed here are taken from a header: no name, birth date or free text of the patient or the institution.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

GAUSS_PER_TESLA = 10_000.0
# No human MR scanner reaches 100 T, and no value in gauss is below 100: the magnitude shows the unit.
LARGEST_TESLA = 100.0

# Functional groups of enhanced multi-frame DICOM that hold these parameters.
GROUPS = (
    "MRTimingAndRelatedParametersSequence",
    "MREchoSequence",
    "MRModifierSequence",
)
UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def read_acquisition(header: Dataset) -> dict[str, Any]:
    """Return the index columns that one header gives; unknown numbers are NaN, unknown text is ``""``.

    Times in ms, angle in degrees, field strength in T, age in years. Never raises: a malformed value is unknown.
    """
    places = [header, *_functional_groups(header)]
    return {
        "age": age_in_years(_text(places, "PatientAge")),
        "sex": _one_of(_text(places, "PatientSex").upper(), ("M", "F"), ""),
        "scan_year": scan_year(_text(places, "StudyDate")),
        "sequence": sequence_of(places),
        "dimensionality": _one_of(_text(places, "MRAcquisitionType").upper(), ("2D", "3D"), "unknown"),
        "repetition_time_ms": _positive(_number(places, "RepetitionTime")),
        "echo_time_ms": _positive(_number(places, "EchoTime", "EffectiveEchoTime")),
        "inversion_time_ms": _positive(_number(places, "InversionTime", "InversionTimes")),
        "flip_angle_deg": _positive(_number(places, "FlipAngle")),
        "field_strength_t": round(in_tesla(_positive(_number(places, "MagneticFieldStrength"))), 4),
        "manufacturer": _text(places, "Manufacturer"),
        "model": _text(places, "ManufacturerModelName"),
    }


def in_tesla(strength: float) -> float:
    """Return a field strength in T from a value in T or gauss; NaN stays NaN."""
    return strength / GAUSS_PER_TESLA if strength > LARGEST_TESLA else strength


def sequence_of(places: list[Dataset]) -> str:
    """Return the sequence type, SE, GRE, IR or unknown; an inversion wins over the readout."""
    kinds = {part.strip().upper() for part in _text(places, "ScanningSequence").split("\\")}
    if "IR" in kinds or _text(places, "InversionRecovery").upper() == "YES":
        return "IR"
    pulse = _text(places, "EchoPulseSequence").upper()
    if "SE" in kinds or pulse == "SPIN":
        return "SE"
    return "GRE" if "GR" in kinds or pulse == "GRADIENT" else "unknown"


def age_in_years(text: str) -> float:
    """Return the years of a DICOM age string (``045Y``, ``018M``); NaN if it is not one."""
    match = re.fullmatch(r"\s*(\d{1,3})\s*([YMWD])\s*", text.upper())
    return round(int(match[1]) * UNITS[match[2]], 2) if match else math.nan


def scan_year(text: str) -> float:
    """Return the year of a DICOM date (``20220711``, or ``2022.07.11`` of older scanners); NaN if it is not one."""
    match = re.fullmatch(r"\s*((?:19|20)\d\d)[.-]?(\d\d)[.-]?(\d\d)\s*", text)
    return float(match[1]) if match else math.nan


def _functional_groups(header: Dataset) -> Iterator[Dataset]:
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in list(header.get(sequence) or ())[:1]:
            for name in GROUPS:
                yield from list(item.get(name) or ())[:1]


def _value(places: list[Dataset], *names: str) -> Any:
    for place in places:
        for name in names:
            try:
                value = place.get(name)
            except (ValueError, TypeError, NotImplementedError, AttributeError):
                continue  # a malformed element counts as unknown
            if value is not None and value != "":
                return value
    return None


def _number(places: list[Dataset], *names: str) -> float:
    value = _value(places, *names)
    if isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(value, str)):
        value = next(iter(value), None)
    try:
        number = float(value) if value is not None else math.nan
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _positive(number: float) -> float:
    # Scanners write 0 for "does not apply", for instance an inversion time without an inversion.
    return number if number > 0 else math.nan


def _text(places: list[Dataset], name: str) -> str:
    value = _value(places, name)
    if value is None:
        return ""
    parts = [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else [value]
    return "\\".join(" ".join(str(part).split()) for part in parts)


def _one_of(value: str, allowed: tuple[str, ...], otherwise: str) -> str:
    return value if value in allowed else otherwise
