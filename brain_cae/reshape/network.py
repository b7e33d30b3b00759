"""Resample a volume to its target for the network, and maps back to the volume."""

from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from brain_cae.arrays.separable import along_axes, resizing
from brain_cae.reshape.base import Group, Shape


def to_network(
    volume: torch.Tensor, group: Group, stride: int, *, native: Shape | None = None, start: Shape = (0, 0, 0)
) -> torch.Tensor:
    """Resize, take the group's window, and pad with zeros to multiples of the network's stride.

    Dimensions are made divisible by padding, not by resizing, so that only the strategy distorts the volume.

    Args:
        volume: (C, X, Y, Z), the whole volume or a box of it that holds all that is not 0.
        group: Its target.
        stride: Total stride of the network.
        native: Dimensions of the whole volume; None: those of ``volume``.
        start: Index of the box's first voxel in the whole volume.

    Returns:
        (C, X', Y', Z') float32 with every axis divisible by ``stride``; the window starts at index 0.
    """
    native = native or _shape(volume)
    if group.size == native:
        return _window(volume.float(), [a - b for a, b in zip(group.start, start, strict=True)], group.target, stride)
    matrices = []
    for axis in range(3):
        first, size = start[axis], volume.shape[1 + axis]
        resizing = _rows(_resizing(native[axis], group.size[axis]), group.start[axis], group.target[axis])
        padded = np.zeros((network_shape(group, stride)[axis], size), np.float32)
        padded[: group.target[axis]] = resizing[:, first : first + size]
        matrices.append(padded)
    return along_axes(volume.float(), matrices)


def from_network(
    volume: torch.Tensor, group: Group, native: Shape, *, start: Shape = (0, 0, 0), shape: Shape | None = None
) -> torch.Tensor:
    """Invert :func:`to_network`: return a box of the native grid (C, X, Y, Z), 0 outside the window.

    Args:
        volume: (C, X', Y', Z'), output of the network.
        group: Target of the volume.
        native: Dimensions of the whole native grid.
        start: Index of the box's first voxel in it.
        shape: Dimensions of the box; None: the whole grid.
    """
    shape = shape or native
    if group.size == native:
        window = volume[:, : group.target[0], : group.target[1], : group.target[2]]
        return _window(window, [a - b for a, b in zip(start, group.start, strict=True)], shape, 1)
    matrices = []
    for axis in range(3):
        # Beyond the window the resized volume is 0: its columns of the resizing are not needed.
        columns = _rows(_resizing(group.size[axis], native[axis]).T, group.start[axis], group.target[axis]).T
        padded = np.zeros((shape[axis], volume.shape[1 + axis]), np.float32)
        padded[:, : group.target[axis]] = columns[start[axis] : start[axis] + shape[axis]]
        matrices.append(padded)
    return along_axes(volume, matrices)


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


@lru_cache(maxsize=64)
def _resizing(size: int, new_size: int) -> np.ndarray:
    return resizing(size, new_size)


def _rows(matrix: np.ndarray, first: int, count: int) -> np.ndarray:
    """Return ``count`` rows from ``first`` on; rows beyond the matrix are 0."""
    rows = np.zeros((count, matrix.shape[1]), matrix.dtype)
    low, high = max(first, 0), min(first + count, len(matrix))
    if low < high:
        rows[low - first : high - first] = matrix[low:high]
    return rows


def _window(volume: torch.Tensor, first: list[int], size: Shape, stride: int) -> torch.Tensor:
    """Cut a window whose first voxel has this index, padded with zeros beyond the volume and up to the stride."""
    before = [-index for index in first]
    after = [
        index + length + (-length) % stride - there
        for index, length, there in zip(first, size, volume.shape[1:], strict=True)
    ]
    window = functional.pad(volume, (before[2], after[2], before[1], after[1], before[0], after[0]))
    if all(length % stride == 0 for length in size):
        return window
    window = window.clone()  # it may be a view of the volume
    for axis, length in enumerate(size):  # what was padded up to the stride holds no part of the volume
        window.narrow(1 + axis, length, window.shape[1 + axis] - length).zero_()
    return window


def _shape(volume: torch.Tensor) -> Shape:
    _, x, y, z = volume.shape
    return x, y, z
