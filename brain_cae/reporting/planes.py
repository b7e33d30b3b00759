"""Slices of an RAS+ volume as they are looked at, with the sides of the patient named.

Radiological convention (the default): the patient's right is on the left of a coronal or axial picture, as if
one stood at the patient's feet. Neurological convention: the patient's right is on the right. A sagittal picture
is seen from the patient's left in both, the nose to the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Convention = Literal["radiological", "neurological"]


@dataclass(frozen=True)
class Plane:
    """One picture, rows from top to bottom.

    Args:
        name: ``sagittal``, ``coronal`` or ``axial``.
        pixels: (rows, columns).
        width_mm: Extent of the columns in mm.
        height_mm: Extent of the rows in mm.
        left: Letter of the patient's side on the left of the picture (L, R, A, P).
        right: The same on the right.
        top: The same at the top.
        bottom: The same at the bottom.
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
        """``extent`` of matplotlib's imshow in mm: left, right, bottom, top."""
        return (0.0, self.width_mm, self.height_mm, 0.0)


def peak(volume: np.ndarray) -> tuple[int, int, int]:
    """Voxel (x, y, z) of the maximum; the middle of the volume where the map is constant or not finite.

    Args:
        volume: (X, Y, Z).
    """
    usable = np.where(np.isfinite(volume), volume, -np.inf)
    spread = np.isfinite(usable)
    if not spread.any() or usable[spread].max() == usable[spread].min():
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
    """Sagittal, coronal and axial pictures through one voxel.

    Args:
        volume: (X, Y, Z), RAS+.
        voxel: Index (x, y, z) that all three pictures pass through.
        spacing: Size of a voxel along X, Y, Z in mm.
        convention: Side of the picture on which the patient's right lies.
    """
    x, y, z = voxel
    across, along, up = (float(size) * step for size, step in zip(volume.shape, spacing, strict=True))
    # Transposed, a slice has its second axis as rows; rows are turned so that superior or anterior is at the top.
    sagittal = volume[x].T[::-1, ::-1]
    coronal = volume[:, y].T[::-1]
    axial = volume[:, :, z].T[::-1]
    left, right = "L", "R"
    if convention == "radiological":
        coronal, axial = coronal[:, ::-1], axial[:, ::-1]
        left, right = right, left
    return [
        Plane("sagittal", sagittal, along, up, "A", "P", "S", "I"),
        Plane("coronal", coronal, across, up, left, right, "S", "I"),
        Plane("axial", axial, across, along, left, right, "A", "P"),
    ]
