"""Size of the volume that a scan covers: whether a head fits, and which scans show only a slab of it."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.sources.base import counted

if TYPE_CHECKING:
    import pandas as pd  # half of what each process of an import would load

SMALLEST_MM, LARGEST_MM = 100.0, 500.0
"""Extent of a scan: of an adult's brain cut out tightly, along its two longer axes, and of the largest field of view
of a scanner. A slab may be thinner along one axis."""
LARGEST_VOXELS = 2**30
"""Twice as many as the finest scans of living heads have (0.25 mm). More are not read, however small their file is."""
# Brain scans never consist of a few slices this far apart; localisers do, and not all are marked as such.
FEW_SLICES, FAR_MM = 5, 10.0


def extent_mm(shape: Sequence[int], affine: np.ndarray) -> np.ndarray:
    """Return the extent (3,) of a grid along its axes in mm, outer faces of the voxels included."""
    return np.asarray(shape[:3], float) * np.linalg.norm(affine[:3, :3], axis=0)


def has_head_size(shape: Sequence[int], affine: np.ndarray) -> bool:
    """Return whether a head, or a slab of one, can be on a grid with this shape and affine (4, 4) to mm."""
    # Rounded: 50 voxels of 2 mm, stored as 1.9999999, are 100 mm.
    extent = np.sort(extent_mm(shape, affine).round(1))
    return bool(extent[1] >= SMALLEST_MM and extent[2] <= LARGEST_MM)


def check_size(shape: Sequence[int], affine: np.ndarray, *, where: str, unit: str = "mm") -> None:
    """Raise ScanError ("not the size of a head") if the grid (affine in mm) is too small or too large for a head.

    ``unit`` is the unit of length that the header names, for the message.
    """
    if not has_head_size(shape, affine):
        size = millimetres(extent_mm(shape, affine))
        raise ScanError(
            f"not the size of a head: {size}",
            expected=f"{SMALLEST_MM:.0f} to {LARGEST_MM:.0f} mm along two axes, and no axis longer",
            found=size if unit == "mm" else f"{size}; the header gives lengths in {unit}",
            where=where,
        )


def check_voxels(shape: Sequence[int], *, where: str) -> None:
    """Raise ScanError ("too large") if a volume, or the frames of a file, have more than ``LARGEST_VOXELS``."""
    if math.prod(shape) > LARGEST_VOXELS:
        size = " x ".join(map(str, shape))
        raise ScanError(
            f"too large: {size} voxels",
            expected=f"at most {LARGEST_VOXELS} voxels",
            found=f"{size} = {math.prod(shape)}",
            where=where,
        )


def check_localiser(count: int, distance: float, *, where: str) -> None:
    """Raise ScanError ("localiser") if there are only a few slices, and their distance in mm is large."""
    # Rounded to micrometres, the precision of positions.
    if count <= FEW_SLICES and round(distance, 3) >= FAR_MM:
        actual = f"{count} slices {distance:.0f} mm apart"
        raise ScanError("localiser", expected="slices that cover the whole brain", found=actual, where=where)


def slab_cautions(index: "pd.DataFrame") -> list[str]:
    """Return the caution about scans that cover less than a whole brain along one axis; empty without such scans."""
    names = (("columns", "column"), ("rows", "row"), ("slices", "slice"))
    extents = np.stack([index[count] * index[f"spacing_{axis}_mm"] for count, axis in names], axis=1)
    slabs = [
        f"{row.subject} {row.modality} covers {millimetres(extent)}"
        for row, extent in zip(index.itertuples(), extents, strict=True)
        if extent.min().round(1) < SMALLEST_MM
    ]
    text = f"{{scan covers|scans cover}} less than {SMALLEST_MM:.0f} mm along one axis, which is not a whole brain"
    return counted({text: slabs})


def millimetres(lengths: np.ndarray) -> str:
    """Return three lengths in mm as text."""
    return f"{' x '.join(f'{length:.3g}' if length < 1 else f'{length:.0f}' for length in lengths)} mm"
