"""One scan in memory: voxels, affine and acquisition parameters."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation

from brain_cae.errors import ScanError
from brain_cae.scans.overflow import check_overflow

# Of a plane, every n-th voxel is looked at first; and the share of voxels with another value that makes an image.
THIN, IMAGE = 5, 0.02


@dataclass(frozen=True)
class Volume:
    """A regular volume in the axis order of its source files.

    Attributes:
        array: (X, Y, Z), int16 where that is exact, else float32. From DICOM: columns, rows, slices.
        affine: (4, 4), voxel index -> RAS+ mm.
        acquisition: Columns of the index that the headers give (see ``acquisition.py``).
    """

    array: np.ndarray
    affine: np.ndarray
    acquisition: dict[str, Any] = field(default_factory=dict)


def smallest_type(array: np.ndarray) -> np.ndarray:
    """Return integers that fit as int16, and everything else as float32; the values do not change."""
    if array.dtype == np.int16:
        return array
    if array.dtype == np.uint16 and array.max() <= np.iinfo(np.int16).max:
        return array.view(np.int16)  # the same bytes: nothing is copied
    if array.dtype.kind in "iu":
        limits = np.iinfo(np.int16)
        if array.dtype.itemsize == 1 or (array.min() >= limits.min and array.max() <= limits.max):
            return array.astype(np.int16)
    return array.astype(np.float32)


def check_values(array: np.ndarray, *, where: str) -> None:
    """Raise ScanError if the voxels (X, Y, Z) cannot be used.

    Reasons: non-finite, constant volume, unsigned values read as signed, blank slice.
    """
    low, high = array.min(), array.max()
    # NaN and infinity both reach the minimum or the maximum, so two passes detect them.
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise ScanError(
            "non-finite",
            expected="a finite number in every voxel",
            found=f"NaN or infinity in {'every voxel' if bad == array.size else f'{bad} of {array.size} voxels'}",
            where=where,
            advice="Export the scan again; NaN and infinite values cannot be repaired here.",
        )
    if low == high:
        raise ScanError("constant volume", expected="an image", found=f"the value {low} in every voxel", where=where)
    check_overflow(array, where=where)
    _check_planes(array, where)


def has_repeated_planes(array: np.ndarray) -> bool:
    """Return whether planes of a volume (X, Y, Z) are copies of their neighbours, along one of its axes.

    Noise alone makes two planes of a scan differ. Thick slices that were resampled to thinner ones without
    interpolation are there several times each; only a plane that is there more often than twice as many times counts.
    """
    for axis in range(3):
        planes, thin = _thinned(array, axis)
        image = thin.min(axis=1) < thin.max(axis=1)
        alike = np.flatnonzero((thin[1:] == thin[:-1]).all(axis=1) & image[1:])
        copies = [int(at) for at in alike if np.array_equal(planes[at], planes[at + 1]) and _is_image(planes[at])]
        longest = [last - first + 2 for first, last in _runs(copies)]
        times = longest + [1] * int(image.sum() - sum(longest))
        if longest and max(longest) > 2 * np.median(times):
            return True
    return False


def _thinned(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the planes (N, …) along an axis, and a part of the voxels of each (N, n)."""
    planes = np.moveaxis(array, axis, 0)
    step = THIN if min(planes.shape[1:]) > 10 * THIN else 1
    return planes, planes[:, ::step, ::step].reshape(len(planes), -1)


def _is_image(plane: np.ndarray) -> bool:
    """Return whether a plane shows more than a few voxels beside one value."""
    return float((plane != np.median(plane)).mean()) > IMAGE


def _check_planes(array: np.ndarray, where: str) -> None:
    """Raise ScanError ("blank slice") if planes between images have one value throughout: their content was lost.

    A few voxels beside a stripped brain, such as a rest of an eye, are no image.
    """
    for axis in range(3):
        # All voxels are compared only where a part of them is alike: a plane of a head seldom is.
        planes, thin = _thinned(array, axis)
        image = thin.min(axis=1) < thin.max(axis=1)
        inner = np.flatnonzero(image)
        doubtful = [number for number in range(*inner[[0, -1]]) if not image[number]] if len(inner) else []
        blank = [number for number in doubtful if planes[number].min() == planes[number].max()]
        lost = sum(last - first + 1 for first, last in _runs(blank) if _lies_in_image(planes, first, last))
        if lost:
            raise ScanError(
                "blank slice",
                expected="an image in every slice between the first and the last",
                found=f"one value throughout {lost} of {len(planes)} slices, with images on both sides",
                where=where,
            )


def _lies_in_image(planes: np.ndarray, first: int, last: int) -> bool:
    """Return whether both neighbours of a run of blank planes show more than a few voxels."""
    value = planes[first].flat[0]
    return all(float((planes[beside] != value).mean()) > IMAGE for beside in (first - 1, last + 1))


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of successive numbers."""
    groups = np.split(np.array(numbers, int), np.flatnonzero(np.diff(numbers) > 1) + 1) if numbers else []
    return [(int(group[0]), int(group[-1])) for group in groups]


def content_hash(array: np.ndarray, affine: np.ndarray) -> str:
    """Return a hash of voxels and shape in RAS order; flipped axes or another header do not change it."""
    # Hashed as float32: the same voxels as int16 in DICOM and as float in NIfTI are one scan.
    canonical = apply_orientation(array, io_orientation(affine))
    digest = hashlib.sha256(repr(canonical.shape).encode())
    for plane in np.moveaxis(canonical, 2, 0):
        digest.update(np.ascontiguousarray(plane.T, dtype=np.float32).data)
    return digest.hexdigest()[:32]
