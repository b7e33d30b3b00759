"""What the headers alone say of a cohort, in seconds: no voxel is read and nothing is written."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from rich.progress import track

from brain_cae.errors import ScanError
from brain_cae.scans.acquisition import read_acquisition
from brain_cae.scans.elements import Elements
from brain_cae.scans.entry import _quiet as quiet
from brain_cae.scans.entry import known_outcome
from brain_cae.scans.geometry import plane_of, plane_of_affine, slice_normal
from brain_cae.scans.index import make_table
from brain_cae.scans.nifti import is_nifti
from brain_cae.scans.sources.base import SeriesLocation

SAMPLE = 12
"""Files read of one series; opening all of them is what takes the time."""
TOLERANCE = 0.1
DISTINCT_MM = 1e-3
UNREADABLE = "no readable header"


def read_headers(
    locations: Sequence[SeriesLocation], store: Path, *, progress: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """Make an index of headers; what the import store knows already is taken from there.

    Args:
        locations: What a source found; those without files are left out.
        store: Import store; only read.
        progress: Draw a progress bar.

    Returns:
        The index, with ``series_hash`` and a ``path`` in the store only where the scan has been imported, and one
        sentence for what could not be read.
    """
    rows, lost = [], []
    for location in track([one for one in locations if one.files], "headers", disable=not progress):
        known = known_outcome(location, store)
        row = known.row if known is not None else _row(location)
        if row is None:
            lost.append(f"{location.subject}/{location.modality}")
        else:
            rows.append(row)
    notes = [f"{len(lost)} series have {UNREADABLE}: {', '.join(lost[:5])}."] if lost else []
    return make_table(rows), notes


def _row(location: SeriesLocation) -> dict[str, Any] | None:
    try:
        files = location.files
        with quiet():
            acquisition = _of_nifti(files[0]) if is_nifti(files[0]) else _of_dicom(files)
    except Exception:
        # A damaged header can fail anywhere in the parsers; the import names the reason, here it is counted.
        return None
    return acquisition | {
        "subject": location.subject,
        "session": location.session,
        "source": location.source,
        "site": location.site,
        "label": location.label,
        "age": acquisition.get("age", math.nan) if location.age is None else location.age,
        "sex": location.sex or acquisition.get("sex", ""),
        "modality": location.modality,
        "path": "",
        "lesion_mask_path": str(location.lesion_mask or ""),
        "skull": location.skull,
        "sequence": acquisition.get("sequence", "unknown"),
        "dimensionality": acquisition.get("dimensionality", "unknown"),
        "series_hash": "",
    }


def _of_nifti(path: Path) -> dict[str, Any]:
    image = nibabel.Nifti1Image.from_filename(path)
    columns, rows, slices = image.shape[:3]
    spacing = [round(float(length), 4) for length in np.linalg.norm(image.affine[:3, :3], axis=0)]
    return {
        "rows": rows,
        "columns": columns,
        "slices": slices,
        "spacing_row_mm": spacing[1],
        "spacing_column_mm": spacing[0],
        "spacing_slice_mm": spacing[2],
        "orientation": plane_of_affine(image.affine),
    }


def _of_dicom(files: Sequence[Path]) -> dict[str, Any]:
    """The series with most files of those that lie there; of one series a few files, spread over it, are read."""
    step = max(1, len(files) // SAMPLE)
    # Neighbours by name as well: of slices in order, every second alone would look like twice the distance.
    read = _open([path for number, path in enumerate(files) if number < 3 or number % step == 0])
    if step > 1 and len({one.text("SeriesInstanceUID") for one in read}) > 1:
        read, step = _open(files), 1
    series: dict[str, list[Elements]] = {}
    for one in read:
        series.setdefault(one.text("SeriesInstanceUID"), []).append(one)
    _, largest = max(series.items(), key=lambda item: (len(item[1]), item[0]))
    first = largest[0]
    frames = first.items("PerFrameFunctionalGroupsSequence")
    shared = first.items("SharedFunctionalGroupsSequence")[:1]
    places = [_places([frame, *shared]) for frame in frames] or [_places([own]) for own in largest]
    positions, orientation = np.array([place for place, _ in places]), np.array(places[0][1])
    normal = slice_normal(orientation)
    slices = len(files) if step > 1 else len(positions)
    spacing = _first([first, *frames[:1], *shared], "PixelSpacing", "PixelMeasuresSequence")
    return read_acquisition(first.dataset) | {
        "rows": first.whole("Rows", 0),
        "columns": first.whole("Columns", 0),
        "slices": slices,
        "spacing_row_mm": spacing[0],
        "spacing_column_mm": spacing[1],
        "spacing_slice_mm": round(slice_distance(positions @ normal, slices), 3),
        "orientation": plane_of(normal),
    }


def slice_distance(along: np.ndarray, slices: int) -> float:
    """Distance of neighbouring slices from the places of some of them.

    All gaps are multiples of it, and it is no smaller than the range over the number of gaps: the largest such number
    is taken, with a tenth of it allowed for positions that were rounded.

    Args:
        along: Places of the slices that were read, along their normal in mm, in any order.
        slices: How many slices there are.

    Returns:
        The distance in mm; NaN where it cannot be told.
    """
    places = np.sort(along)
    gaps = np.diff(places)
    gaps = gaps[gaps > DISTINCT_MM]
    if not len(gaps):
        return math.nan
    least = (places[-1] - places[0]) / max(slices - 1, 1) * (1 - TOLERANCE)
    for parts in range(1, math.floor(gaps.min() / least) + 1):
        distance = gaps.min() / parts
        counts = np.rint(gaps / distance)
        if np.abs(gaps / distance - counts).max() <= TOLERANCE:
            return float(gaps.sum() / counts.sum())
    return math.nan


def _open(files: Sequence[Path]) -> list[Elements]:
    """Headers of the files that are DICOM; what lies beside them is passed over."""
    opened = []
    for path in files:
        try:
            opened.append(Elements(dcmread(path, stop_before_pixels=True)))
        except InvalidDicomError:
            continue
    return opened


def _places(places: list[Elements]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (
        _first(places, "ImagePositionPatient", "PlanePositionSequence"),
        _first(places, "ImageOrientationPatient", "PlaneOrientationSequence"),
    )


def _first(places: list[Elements], name: str, group: str) -> tuple[float, ...]:
    for place in places:
        for item in (place, *place.items(group)):
            if numbers := item.numbers(name):
                return numbers
    raise ScanError(UNREADABLE, expected=name, found="none")
