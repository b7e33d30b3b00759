"""The interface of reshape strategies: choose a volume's target, resample to it, and resample maps back."""

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
        name: Name of the group, the same for all volumes that share ``target``.
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
"""The key that every strategy has."""


class Reshape(ABC):
    """A strategy that is fitted on the grids of the training volumes, and then maps any volume to a target and back.

    Args:
        tolerance: A volume that differs by more than this (relative, any axis) from every training volume is
            reported as not known.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = float(tolerance)
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


def to_network(volume: torch.Tensor, group: Group, stride: int) -> torch.Tensor:
    """Resize, take the group's window, and pad with zeros to multiples of the network's stride.

    Dimensions are made divisible by padding, not by resizing, so that only the strategy distorts the volume.

    Args:
        volume: (C, X, Y, Z).
        group: Its target.
        stride: Total stride of the network.

    Returns:
        (C, X', Y', Z') with every axis divisible by ``stride``; the window starts at index 0.
    """
    before, after = _margins(group)
    window = _pad(_resize(volume, group.size), [-margin for margin in before], after)
    return _pad(window, [0, 0, 0], [(-size) % stride for size in group.target])


def from_network(volume: torch.Tensor, group: Group, native: Shape) -> torch.Tensor:
    """Invert :func:`to_network`: return the native dimensions (C, X, Y, Z), 0 outside the window."""
    before, after = _margins(group)
    window = volume[:, : group.target[0], : group.target[1], : group.target[2]]
    return _resize(_pad(window, before, [-margin for margin in after]), native)


def to_native(group: Group, native: Shape, stride: int, shape: Shape) -> np.ndarray:
    """Return the way from the voxels of a feature map to those of the volume, (4, 4).

    Args:
        group: Target of the volume.
        native: Dimensions of the volume.
        stride: Total stride of the network.
        shape: Dimensions of the feature map, which covers the whole input of the network.
    """
    matrix = np.eye(4)
    for axis, whole in enumerate(network_shape(group, stride)):
        step, scale = whole / shape[axis], native[axis] / group.size[axis]
        # A voxel's centre lies half a voxel after its start, on each of the three grids.
        matrix[axis, axis] = step * scale
        matrix[axis, 3] = (0.5 * step + group.start[axis]) * scale - 0.5
    return matrix


def network_shape(group: Group, stride: int) -> Shape:
    """Return the dimensions of the network's input, padding included."""
    x, y, z = (size + (-size) % stride for size in group.target)
    return x, y, z


def _margins(group: Group) -> tuple[list[int], list[int]]:
    """Return, for each axis, the voxels of the volume before the window and of the window after the volume."""
    after = [start + size - whole for start, size, whole in zip(group.start, group.target, group.size, strict=True)]
    return list(group.start), after


def _pad(volume: torch.Tensor, before: list[int], after: list[int]) -> torch.Tensor:
    """Pad both ends of each axis with zeros; negative numbers crop."""
    return functional.pad(volume, (before[2], after[2], before[1], after[1], before[0], after[0]))


def _resize(volume: torch.Tensor, shape: Shape) -> torch.Tensor:
    if tuple(volume.shape[1:]) == tuple(shape):
        return volume
    resized = functional.interpolate(volume[None].float(), size=tuple(shape), mode="trilinear", align_corners=False)
    return resized[0]


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
