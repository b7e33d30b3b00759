"""Series under one SeriesInstanceUID, as the files of one place hold them, divided by ``series_groups.py``."""

from collections.abc import Sequence

import numpy as np

from brain_cae.scans.file import DicomFile
from brain_cae.scans.headers import PATIENT, image_header
from brain_cae.scans.scattered import have_repeated_numbers
from brain_cae.scans.series_groups import Group, divided

COLUMNS = ("apart", "agent", "number", "serial", "echo", "repetition", "place", "plane", "type", "day")
ROW = np.dtype(
    [
        ("apart", "?"), ("agent", "?"), ("number", "i4"), ("serial", "i4"), ("echo", "f4"),
        ("repetition", "f4"), ("place", "f8"), ("plane", "f4", 6), ("type", "S256"), ("day", "S32"),
    ]
)  # fmt: skip


def divide(groups: dict[str, list[DicomFile]]) -> dict[str, list[DicomFile]]:
    """Return series (files by SeriesInstanceUID), with those divided that are several under one identifier.

    They have other patients, numbers, dates, types of image, agents or echo times, see
    :func:`brain_cae.scans.series_groups.divided`.
    """
    series: dict[str, list[DicomFile]] = {}
    for name, files in groups.items():
        keys = {file.elements.series_key for file in files}
        if len(keys) == 1 and None not in keys and not have_repeated_numbers(files):
            series[name] = files  # headers that differ in numbers, positions and times alone
            continue
        parts = [
            [whose[number] for number in part.files]
            for whose in _by_patient(files)
            for part in divided(Group(np.arange(len(whose)), 0), _rows(whose))
        ]
        series |= {f"{name} {place}" if place else name: part for place, part in enumerate(parts)}
    return series


def _by_patient(files: list[DicomFile]) -> list[list[DicomFile]]:
    """Return the files of each patient, if they are two series to which one identifier was given.

    Of one series, an archive may have corrected the PatientID in a part: then no instance number occurs twice.
    """
    patients: dict[str, list[DicomFile]] = {}
    for file in files:
        patients.setdefault(file.elements.plain(PATIENT), []).append(file)
    return [*patients.values()] if len(patients) > 1 and have_repeated_numbers(files) else [files]


def _rows(files: Sequence[DicomFile]) -> np.ndarray:
    rows = np.zeros(len(files), ROW)
    for row, file in zip(rows, files, strict=True):
        header = image_header(file.elements)
        for name in COLUMNS:
            value = getattr(header, name)
            row[name] = value.encode("ascii", "replace") if isinstance(value, str) else value
    return rows
