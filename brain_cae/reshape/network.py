"""Resample a volume to its target for the network, and maps back to the volume."""

import numpy as np
import torch
from torch.nn import functional

from brain_cae.reshape.base import Group, Shape


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
