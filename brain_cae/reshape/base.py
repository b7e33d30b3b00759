"""The interface of reshape strategies: choose the target of each volume."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from brain_cae.keys import Between, OneOf

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class NativeGrid:
    """The voxel grid of one reference scan and the position of the brain in it; axes R, A, S.

    Attributes:
        shape: Native dimensions in voxels, after reorientation to RAS and before any cropping.
        spacing: Size of a voxel in mm.
        foreground: For each axis, the first voxel of the mask and the first voxel after it.
    """

    shape: Shape
    spacing: tuple[float, float, float]
    foreground: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Group:
    """The target of one volume: the volume is resized, then a window of it is taken.

    Args:
        name: Name of the group.
        target: Dimensions (R, A, S) of the window in voxels.
        known: False if the volume's dimensions differ from all that the strategy was fitted on.
        resized: Dimensions that the volume is resized to; None: ``target``, and the window is the whole volume.
        start: Index of the window's first voxel in the resized volume; the window is padded with 0 beyond the volume.
    """

    name: str
    target: Shape
    known: bool = True
    resized: Shape | None = None
    start: Shape = (0, 0, 0)

    @property
    def size(self) -> Shape:
        """Return the dimensions of the whole volume after resizing, in voxels."""
        return self.resized or self.target


SMALLEST = 8
"""Voxels that a target needs along each axis to hold a brain."""

Tolerance = Annotated[float, Between(0.01, 10, "a relative difference of dimensions above 0")]
Crop = Annotated[str, OneOf(("none", "foreground"))]
"""The keys that every strategy has."""


class Reshape(ABC):
    """A strategy that is fitted on the grids of the training volumes, and then maps any volume to a target and back.

    Args:
        tolerance: A volume that differs by more than this (relative, any axis) from every training volume is
            reported as not known.
        crop: ``foreground`` cuts what the network sees to the brain, see :class:`brain_cae.reshape.crop.Cropped`;
            ``none``.
    """

    def __init__(self, tolerance: float, crop: str = "none") -> None:
        self.tolerance = float(tolerance)
        self.crop = crop
        self.shapes: list[Shape] = []
        """Known native dimensions; a volume that is not near any of them is reported."""

    def know(self, shapes: list[Shape]) -> None:
        """Set the known native dimensions; the targets stay."""
        self.shapes = distinct(shapes)

    def is_known(self, shape: Shape) -> bool:
        """Return whether the dimensions are near to known ones."""
        return is_near(shape, self.shapes, self.tolerance)

    @abstractmethod
    def fit(self, grids: list[NativeGrid]) -> "Reshape":
        """Fit targets to the grids of the training volumes and return self."""

    @abstractmethod
    def group(self, grid: NativeGrid) -> Group:
        """Return the target of any volume, also of a new one."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the fitted state, as plain values for JSON."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> "Reshape":
        """Restore a stored state and return self."""

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """Return one row per group for the report: name, target, members among the training volumes."""


def distinct(shapes: list[Any]) -> list[Shape]:
    """Return the distinct dimensions, sorted, as tuples of int."""
    return sorted({(int(x), int(y), int(z)) for x, y, z in shapes})


def is_near(shape: Shape, shapes: list[Shape], tolerance: float) -> bool:
    """Return whether some training volume differs by at most ``tolerance`` (relative) along every axis."""
    logs = np.log(np.asarray(shapes, float)) - np.log(np.asarray(shape, float))
    return bool(np.abs(logs).max(axis=1).min() <= np.log1p(tolerance) + 1e-9)


def most_common(shapes: list[Shape]) -> Shape:
    """Return the modal dimensions; of equally common ones the largest, so that no resolution is lost."""
    counts = Counter(tuple(int(size) for size in shape) for shape in shapes)
    best = max(counts, key=lambda shape: (counts[shape], int(np.prod(shape)), shape))
    return best[0], best[1], best[2]
