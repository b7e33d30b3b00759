"""What every reshape strategy does: give a volume its target dimensions, take it there, and bring maps back."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Group:
    """Where one volume goes.

    Args:
        name: Name of the group, the same for all volumes that share ``target``.
        target: Dimensions (R, A, S) in voxels that the volume is resized to.
        known: False when the volume is unlike everything that the strategy was fitted on.
    """

    name: str
    target: Shape
    known: bool = True


class Reshape(ABC):
    """Fit on the training volumes' native dimensions, then map any volume to its target and back.

    Dimensions are (R, A, S) in voxels of the reference scan after reorientation to RAS, before any cropping.
    """

    shapes: list[Shape]
    """Native dimensions that are known: what lies near none of them is reported."""

    def know(self, shapes: list[Shape]) -> None:
        """Count these native dimensions as known, and no others; the targets stay."""
        self.shapes = distinct(shapes)

    @abstractmethod
    def fit(self, shapes: list[Shape]) -> "Reshape":
        """Learn targets from the native dimensions of the training volumes, and return self."""

    @abstractmethod
    def group(self, shape: Shape) -> Group:
        """The group of one volume, also of one never seen."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was fitted, as plain values for JSON."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> "Reshape":
        """Take up a stored state, and return self."""

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """One row per group for the report: name, target, members among the training volumes."""


def to_network(volume: torch.Tensor, target: Shape, stride: int) -> torch.Tensor:
    """Resize to the target dimensions, then pad with zeros to multiples of the network's stride.

    Padding, not stretching, makes the dimensions divisible, so that the distortion is the strategy's alone.

    Args:
        volume: (C, X, Y, Z).
        target: Dimensions to resize to, in voxels.
        stride: Total stride of the network.

    Returns:
        (C, X', Y', Z') with every axis divisible by ``stride``; the volume starts at index 0.
    """
    resized = _resize(volume, target)
    padding = [(-size) % stride for size in target]
    return functional.pad(resized, (0, padding[2], 0, padding[1], 0, padding[0]))


def from_network(volume: torch.Tensor, target: Shape, native: Shape) -> torch.Tensor:
    """Undo :func:`to_network`: cut the padding off and resize to the native dimensions (C, X, Y, Z)."""
    return _resize(volume[:, : target[0], : target[1], : target[2]], native)


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
