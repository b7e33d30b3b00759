"""Reads one DICOM file as frames: pixels with the header values that place them in the patient."""

from dataclasses import dataclass

import numpy as np

from brain_cae.scans.elements import Elements
from brain_cae.scans.file import DicomFile, refuse, truncated
from brain_cae.scans.kind import check_kind
from brain_cae.scans.pixels import read_pixels


@dataclass(frozen=True)
class Frame:
    """One slice: pixels (rows, columns) as stored, position and orientation in LPS+ mm, spacing (row, column) in mm."""

    pixels: np.ndarray
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    slope: float
    intercept: float
    echo_time: float | None


def read_frames(file: DicomFile) -> list[Frame]:
    """Return the frames of one file: one for a classic slice, many for enhanced multi-frame.

    Raises:
        ScanError: no slice position, no pixel spacing, truncated file, and the reasons of ``kind.py`` and
            ``pixels.py``.
    """
    if file.cut:
        raise truncated(file.path)
    count = file.elements.whole("NumberOfFrames", 1)
    groups = file.elements.items("PerFrameFunctionalGroupsSequence")
    shared = file.elements.items("SharedFunctionalGroupsSequence")[:1]
    check_kind(file, [*shared, *groups])
    if not groups and count > 1:
        raise refuse(file, "no slice position", "a position for each frame", f"{count} frames without positions")
    if groups and len(groups) != count:
        raise refuse(file, "truncated file", f"{count} frames", f"functional groups of {len(groups)} frames")
    pixels = read_pixels(file)
    if not groups:
        return [_place(file, pixels[0], [file.elements])]
    return [_place(file, frame, [item, *shared, file.elements]) for frame, item in zip(pixels, groups, strict=True)]


def _place(file: DicomFile, pixels: np.ndarray, places: list[Elements]) -> Frame:
    position = _numbers(places, "ImagePositionPatient", "PlanePositionSequence")
    orientation = _numbers(places, "ImageOrientationPatient", "PlaneOrientationSequence")
    spacing = _numbers(places, "PixelSpacing", "PixelMeasuresSequence")
    if len(position) != 3 or len(orientation) != 6 or not np.isfinite(position + orientation).all():
        raise refuse(file, "no slice position", "position and orientation of the slice", "missing or incomplete values")
    if len(spacing) != 2 or not all(0 < length < 1000 for length in spacing):
        raise refuse(file, "no pixel spacing", "two lengths above 0 mm", str(list(spacing)))
    slope = _numbers(places, "RescaleSlope", "PixelValueTransformationSequence")
    intercept = _numbers(places, "RescaleIntercept", "PixelValueTransformationSequence")
    echo = _numbers(places, "EchoTime") or _numbers(places, "EffectiveEchoTime", "MREchoSequence")
    return Frame(
        pixels=pixels,
        position=position,
        orientation=orientation,
        spacing=spacing,
        slope=slope[0] if slope else 1.0,
        intercept=intercept[0] if intercept else 0.0,
        echo_time=echo[0] if echo else None,
    )


def _numbers(places: list[Elements], name: str, group: str = "") -> tuple[float, ...]:
    """Return a value from the functional groups of the frame, else from the shared ones, else from the header."""
    for place in places:
        values = place.numbers(name)
        if not values and group and len(places) > 1:
            values = next((numbers for item in place.items(group) if (numbers := item.numbers(name))), ())
        if values:
            return values
    return ()
