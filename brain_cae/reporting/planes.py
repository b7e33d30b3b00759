"""Sagittal, coronal and axial slices of an RAS+ volume in display orientation, with the sides of the patient.

Radiological convention (the default): the right of the patient is on the left of a coronal or axial image, as if
viewed from the feet. Neurological convention: the right of the patient is on the right. In both, a sagittal image is
viewed from the left of the patient, nose to the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Convention = Literal["radiological", "neurological"]


@dataclass(frozen=True)
class Plane:
    """One slice as an image, rows from top to bottom.

    Args:
        name: ``sagittal``, ``coronal`` or ``axial``.
        pixels: (rows, columns).
        width_mm: Extent of the columns in mm.
        height_mm: Extent of the rows in mm.
        left: Side of the patient at the left of the image (L, R, A, P).
        right: Side of the patient at the right of the image.
        top: Side of the patient at the top of the image (S, A).
        bottom: Side of the patient at the bottom of the image (I, P).
    """

    name: str
    pixels: np.ndarray
    width_mm: float
    height_mm: float
    left: str
    right: str
    top: str
    bottom: str

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Extent for ``imshow`` in mm: left, right, bottom, top."""
        return (0.0, self.width_mm, self.height_mm, 0.0)


def peak(volume: np.ndarray) -> tuple[int, int, int]:
    """Return the voxel (x, y, z) of the maximum; the middle of the volume if the map is constant or not finite.

    Args:
        volume: (X, Y, Z).
    """
    usable = np.where(np.isfinite(volume), volume, -np.inf)
    valid = np.isfinite(usable)
    if not valid.any() or usable[valid].max() == usable[valid].min():
        x, y, z = (size // 2 for size in volume.shape)
    else:
        x, y, z = np.unravel_index(int(np.argmax(usable)), volume.shape)
    return int(x), int(y), int(z)


def cut(
    volume: np.ndarray,
    voxel: tuple[int, int, int],
    spacing: tuple[float, float, float],
    *,
    convention: Convention = "radiological",
) -> list[Plane]:
    """Return the sagittal, coronal and axial slice through one voxel.

    Args:
        volume: (X, Y, Z), RAS+.
        voxel: Index (x, y, z) through which all three slices pass.
        spacing: Voxel size along X, Y, Z in mm.
        convention: Whether the right of the patient is on the left (radiological) or right of the image.
    """
    x, y, z = voxel
    width, depth, height = (float(size) * step for size, step in zip(volume.shape, spacing, strict=True))
    # Transposing makes the second axis the rows; flipping the rows puts superior or anterior at the top.
    sagittal = volume[x].T[::-1, ::-1]
    coronal = volume[:, y].T[::-1]
    axial = volume[:, :, z].T[::-1]
    left, right = "L", "R"
    if convention == "radiological":
        coronal, axial = coronal[:, ::-1], axial[:, ::-1]
        left, right = right, left
    return [
        Plane("sagittal", sagittal, depth, height, "A", "P", "S", "I"),
        Plane("coronal", coronal, width, height, left, right, "S", "I"),
        Plane("axial", axial, width, depth, left, right, "A", "P"),
    ]
