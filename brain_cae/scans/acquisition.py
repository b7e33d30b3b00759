"""Acquisition parameters from DICOM headers, in the index's columns and units.

Only the values listed here are taken from a header: no name, birth date or free text of the patient or the institution.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from brain_cae.scans.elements import Elements
from brain_cae.scans.times import MILLISECONDS, UnitOfTimes, in_milliseconds

# Field strengths of scanners for people, in T, the most frequent first. 1500 is 1.5 T in mT, not 0.15 T in gauss.
FIELDS_T = (1.5, 3.0, 7.0, 1.0, 0.5, 0.55, 0.2, 0.35, 0.3, 0.4, 0.23, 0.6, 0.7, 0.064, 9.4, 4.7, 4.0, 10.5, 11.7)
# A field differs from its nominal value by some per cent (2.89 T), and no scanner for people exceeds 12 T.
FIELD_TOLERANCE, STRONGEST_T, WEAKEST_T = 0.05, 12.0, 0.01
PER_TESLA = {"": 1.0, "T": 1.0, "TESLA": 1.0, "MT": 1e3, "G": 1e4, "GAUSS": 1e4, "KG": 10.0}
FIELD = re.compile(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")

# Functional groups of enhanced multi-frame DICOM that hold these parameters.
GROUPS = (
    "MRTimingAndRelatedParametersSequence",
    "MREchoSequence",
    "MRModifierSequence",
    # Of images that were converted from classic ones, with all that the converter did not sort.
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
)
OLDEST_YEARS = 120
UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def read_acquisition(header: Elements | Dataset, frame: int = 0) -> dict[str, Any]:
    """Return the index columns that one header gives; unknown numbers are NaN, unknown text is ``""``.

    ``frame`` is the number of a frame of an enhanced file, from 0: of several echoes, each has its time.

    Times in ms, angle in degrees, field strength in T, age in years. Never raises: a malformed value is unknown.
    """
    places = _places(header, frame)
    return {
        "age": age_in_years(_text(places, "PatientAge")),
        "sex": _one_of(_text(places, "PatientSex").upper(), ("M", "F"), ""),
        "scan_year": scan_year(_text(places, "StudyDate")),
        "sequence": sequence_of(places),
        "dimensionality": _one_of(_text(places, "MRAcquisitionType").upper(), ("2D", "3D"), "unknown"),
        **times_of(header, frame).times,
        "flip_angle_deg": _positive(_number(places, "FlipAngle")),
        "field_strength_t": round(in_tesla(_text(places, "MagneticFieldStrength")), 4),
        "manufacturer": _text(places, "Manufacturer"),
        "model": _text(places, "ManufacturerModelName"),
    }


def times_of(header: Elements | Dataset, frame: int = 0) -> UnitOfTimes:
    """Return repetition, echo and inversion time in ms, and the unit in which the header gives them."""
    places = _places(header, frame)
    written = {
        "repetition_time_ms": _positive(_number(places, "RepetitionTime")),
        "echo_time_ms": _positive(_number(places, "EchoTime", "EffectiveEchoTime")),
        "inversion_time_ms": _positive(_number(places, "InversionTime", "InversionTimes")),
    }
    return in_milliseconds(written, usual=MILLISECONDS, sequence=sequence_of(places))


def in_tesla(strength: float | str) -> float:
    """Return a field strength in T from a number, or a text that may name its unit; NaN if it is unknown.

    Numbers above 12 are in mT or gauss: that of the two which gives the field of a scanner, the more frequent one.
    """
    match = FIELD.fullmatch(str(strength))
    if match is None or match[2].upper() not in PER_TESLA:
        return math.nan
    number = float(match[1])
    if match[2]:
        tesla = number / PER_TESLA[match[2].upper()]
    elif number > STRONGEST_T:
        written = (number / PER_TESLA["MT"], number / PER_TESLA["G"])
        near = ((one, field) for field in FIELDS_T for one in written if abs(one / field - 1) <= FIELD_TOLERANCE)
        tesla = next(near, (math.nan, 0))[0]
    else:
        tesla = number
    return tesla if WEAKEST_T <= tesla <= STRONGEST_T else math.nan


def sequence_of(places: list[Elements]) -> str:
    """Return the sequence type, SE, GRE, IR or unknown; an inversion wins over the readout."""
    kinds = {part.strip().upper() for part in _text(places, "ScanningSequence").split("\\")}
    if "IR" in kinds or _text(places, "InversionRecovery").upper() == "YES":
        return "IR"
    pulse = _text(places, "EchoPulseSequence").upper()
    if "SE" in kinds or pulse == "SPIN":
        return "SE"
    return "GRE" if "GR" in kinds or pulse == "GRADIENT" else "unknown"


def age_in_years(text: str) -> float:
    """Return the years of a DICOM age string (``045Y``, ``018M``); NaN if it is not one, or nobody's: 0 or above 120.

    ``000Y`` is the age of an anonymised patient, whose birth date is that of the scan; infants have days to months.
    """
    match = re.fullmatch(r"\s*(\d{1,3})\s*([YMWD])\s*", text.upper())
    years = round(int(match[1]) * UNITS[match[2]], 2) if match else 0.0
    return years if 0 < years <= OLDEST_YEARS else math.nan


def scan_year(text: str) -> float:
    """Return the year of a DICOM date (``20220711``, or ``2022.07.11`` of older scanners); NaN if it is not one.

    Nobody was scanned before 1980: such a date, as 19000101, is an anonymiser's.
    """
    match = re.fullmatch(r"\s*((?:19[89]|20\d)\d)[.-]?(\d\d)[.-]?(\d\d)\s*", text)
    return float(match[1]) if match else math.nan


def _places(header: Elements | Dataset, frame: int) -> list[Elements]:
    elements = header if isinstance(header, Elements) else Elements(header)
    return [elements, *_functional_groups(elements, frame)]


def _functional_groups(header: Elements, frame: int) -> Iterator[Elements]:
    for sequence, place in (("SharedFunctionalGroupsSequence", 0), ("PerFrameFunctionalGroupsSequence", frame)):
        for item in header.items(sequence)[place : place + 1]:
            for name in GROUPS:
                yield from item.items(name)[:1]


def _number(places: list[Elements], *names: str) -> float:
    found = (place.single(name) for place in places for name in names)
    return next((number for number in found if number is not None), math.nan)


def _positive(number: float) -> float:
    # Scanners write 0 for "does not apply", for instance an inversion time without an inversion.
    return number if number > 0 else math.nan


def _text(places: list[Elements], name: str) -> str:
    found = (place.texts(name) for place in places)
    parts = next((texts for texts in found if any(texts)), [])
    return "\\".join(" ".join(part.split()) for part in parts)


def _one_of(value: str, allowed: tuple[str, ...], otherwise: str) -> str:
    return value if value in allowed else otherwise
