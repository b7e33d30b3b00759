"""Series under one SeriesInstanceUID, as the files of one place hold them, divided by ``series_groups.py``."""

from collections.abc import Sequence

import numpy as np

from brain_cae.scans.file import DicomFile
from brain_cae.scans.headers import image_header
from brain_cae.scans.series_groups import Group, divided

COLUMNS = ("apart", "number", "serial", "echo", "place", "type", "day")
ROW = np.dtype(
    [
        ("apart", "?"), ("number", "i4"), ("serial", "i4"), ("echo", "f4"), ("place", "f8"), ("type", "S256"),
        ("day", "S32"),
    ]
)  # fmt: skip


def divide(groups: dict[str, list[DicomFile]]) -> dict[str, list[DicomFile]]:
    """Return series (files by SeriesInstanceUID), with those divided that are several under one identifier.

    They have other numbers, dates, types of image or echo times, see :func:`brain_cae.scans.series_groups.divided`.
    """
    series = {}
    for name, files in groups.items():
        for place, part in enumerate(divided(Group(np.arange(len(files)), 0), _rows(files))):
            series[f"{name} {place}" if place else name] = [files[number] for number in part.files]
    return series


def _rows(files: Sequence[DicomFile]) -> np.ndarray:
    rows = np.zeros(len(files), ROW)
    for row, file in zip(rows, files, strict=True):
        header = image_header(file.elements)
        for name in COLUMNS:
            value = getattr(header, name)
            row[name] = value.encode("ascii", "replace") if isinstance(value, str) else value
    return rows
