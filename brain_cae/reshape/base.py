"""What every reshape strategy does: say where a volume goes, take it there, and bring maps back."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch.nn import functional

from brain_cae.keys import Between

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class NativeGrid:
    """Where the voxels of one reference scan lie, and where the brain lies among them; axes R, A, S.

    Attributes:
        shape: Native dimensions in voxels, after reorientation to RAS and before any cropping.
        spacing: Size of a voxel in mm.
        foreground: For each axis the first voxel of the mask and the first one behind it.
    """

    shape: Shape
    spacing: tuple[float, float, float]
    foreground: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Group:
    """Where one volume goes: resized as a whole, then a window of it.

    Args:
        name: Name of the group, the same for all volumes that share ``target``.
        target: Dimensions (R, A, S) of the window in voxels.
        known: False when the volume is unlike everything that the strategy was fitted on.
        resized: Dimensions that the volume is resized to; None: ``target``, and the window is the whole volume.
        start: Index of the window's first voxel in the resized volume; what lies beyond the volume is padded with 0.
    """

    name: str
    target: Shape
    known: bool = True
    resized: Shape | None = None
    start: Shape = (0, 0, 0)

    @property
    def size(self) -> Shape:
        """Dimensions of the whole volume after resizing, in voxels."""
        return self.resized or self.target


SMALLEST = 8
"""Voxels that a target needs along each axis to hold a brain."""

Tolerance = Annotated[float, Between(0.01, 10, "a relative difference of dimensions above 0")]
"""The key that every strategy has."""


class Reshape(ABC):
    """Fit on the grids of the training volumes, then map any volume to its target and back.

    Args:
        tolerance: A volume that differs by more than this (relative, any axis) from every training volume is
            reported as not known.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = float(tolerance)
        self.shapes: list[Shape] = []
        """Native dimensions that are known: what lies near none of them is reported."""

    def know(self, shapes: list[Shape]) -> None:
        """Count these native dimensions as known, and no others; the targets stay."""
        self.shapes = distinct(shapes)

    def is_known(self, shape: Shape) -> bool:
        """Whether some known volume is near."""
        return is_near(shape, self.shapes, self.tolerance)

    @abstractmethod
    def fit(self, grids: list[NativeGrid]) -> "Reshape":
        """Learn targets from the grids of the training volumes, and return self."""

    @abstractmethod
    def group(self, grid: NativeGrid) -> Group:
        """Where one volume goes, also one never seen."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was fitted, as plain values for JSON."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> "Reshape":
        """Take up a stored state, and return self."""

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """One row per group for the report: name, target, members among the training volumes."""


def to_network(volume: torch.Tensor, group: Group, stride: int) -> torch.Tensor:
    """Resize, take the group's window, and pad with zeros to multiples of the network's stride.

    Padding, not stretching, makes the dimensions divisible, so that the distortion is the strategy's alone.

    Args:
        volume: (C, X, Y, Z).
        group: Where it goes.
        stride: Total stride of the network.

    Returns:
        (C, X', Y', Z') with every axis divisible by ``stride``; the window starts at index 0.
    """
    before, after = _margins(group)
    window = _pad(_resize(volume, group.size), [-margin for margin in before], after)
    return _pad(window, [0, 0, 0], [(-size) % stride for size in group.target])


def from_network(volume: torch.Tensor, group: Group, native: Shape) -> torch.Tensor:
    """Undo :func:`to_network`: back to the native dimensions (C, X, Y, Z); outside the window it is 0."""
    before, after = _margins(group)
    window = volume[:, : group.target[0], : group.target[1], : group.target[2]]
    return _resize(_pad(window, before, [-margin for margin in after]), native)


def network_shape(group: Group, stride: int) -> Shape:
    """Dimensions of what the network sees, padding included."""
    x, y, z = (size + (-size) % stride for size in group.target)
    return x, y, z


def _margins(group: Group) -> tuple[list[int], list[int]]:
    """Voxels of the resized volume before the window, and of the window behind the resized volume, for each axis."""
    after = [start + size - whole for start, size, whole in zip(group.start, group.target, group.size, strict=True)]
    return list(group.start), after


def _pad(volume: torch.Tensor, before: list[int], after: list[int]) -> torch.Tensor:
    """Add zeros to both ends of each axis; negative numbers cut off."""
    return functional.pad(volume, (before[2], after[2], before[1], after[1], before[0], after[0]))


def _resize(volume: torch.Tensor, shape: Shape) -> torch.Tensor:
    if tuple(volume.shape[1:]) == tuple(shape):
        return volume
    resized = functional.interpolate(volume[None].float(), size=tuple(shape), mode="trilinear", align_corners=False)
    return resized[0]


def distinct(shapes: list[Any]) -> list[Shape]:
    """Different dimensions, sorted, as tuples of int."""
    return sorted({(int(x), int(y), int(z)) for x, y, z in shapes})


def is_near(shape: Shape, shapes: list[Shape], tolerance: float) -> bool:
    """Whether no axis differs by more than ``tolerance`` (relative) from some volume of the training set."""
    logs = np.log(np.asarray(shapes, float)) - np.log(np.asarray(shape, float))
    return bool(np.abs(logs).max(axis=1).min() <= np.log1p(tolerance) + 1e-9)


def most_common(shapes: list[Shape]) -> Shape:
    """The modal dimensions; of several equally common ones the largest, so that nothing is thrown away."""
    counts = Counter(tuple(int(size) for size in shape) for shape in shapes)
    best = max(counts, key=lambda shape: (counts[shape], int(np.prod(shape)), shape))
    return best[0], best[1], best[2]
