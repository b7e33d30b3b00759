"""Linear maps along the three axes of a volume: resizing and smoothing as one small matrix for each axis.

Each output needs only its neighbours, so these matrices are bands. They are multiplied as dense blocks of rows and the
columns that those use: a product of matrices runs near the peak of the processor.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch


def along_axes(volume: torch.Tensor, matrices: Sequence[np.ndarray | None]) -> torch.Tensor:
    """Apply a matrix along each spatial axis.

    Args:
        volume: (C, X, Y, Z) float32.
        matrices: For each axis (new size, size); None leaves the axis as it is.

    Returns:
        (C, X', Y', Z').
    """
    x, y, z = matrices
    if z is not None:
        shape, flat = volume.shape, volume.reshape(-1, volume.shape[3])
        result = flat.new_empty(len(flat), len(z))
        for rows, columns, block in _blocks(z):
            torch.mm(flat[:, columns], block.T, out=result[:, rows])
        volume = result.view(*shape[:3], -1)
    for axis, matrix in ((2, y), (1, x)):
        if matrix is not None:
            flat = volume.flatten(axis + 1).flatten(0, axis - 1)
            result = flat.new_empty(len(flat), len(matrix), flat.shape[2])
            for rows, columns, block in _blocks(matrix):
                torch.matmul(block, flat[:, columns], out=result[:, rows])
            volume = result.view(*volume.shape[:axis], -1, *volume.shape[axis + 1 :])
    return volume


BLOCK = 48
"""Rows of a block: with fewer, the blocks share too many columns; with more, they hold too many zeros."""


def _blocks(matrix: np.ndarray) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Yield rows, columns and content of the blocks of a band matrix; a block of zeros uses one column."""
    for first in range(0, len(matrix), BLOCK):
        rows = slice(first, first + BLOCK)
        used = np.flatnonzero(matrix[rows].any(axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
        yield rows, columns, torch.from_numpy(np.ascontiguousarray(matrix[rows, columns], np.float32))


def interpolation(places: np.ndarray, size: int) -> np.ndarray:
    """Return the matrix (m, size) of linear interpolation at m places between samples 0 to size - 1.

    Beyond the first and the last sample, their values continue.
    """
    places = np.clip(places, 0, size - 1)
    lower = places.astype(int)
    upper = np.minimum(lower + 1, size - 1)
    matrix = np.zeros((len(places), size), np.float32)
    np.add.at(matrix, (np.arange(len(places)), lower), 1 - (places - lower))
    np.add.at(matrix, (np.arange(len(places)), upper), places - lower)
    return matrix


def resizing(size: int, new_size: int) -> np.ndarray:
    """Return the matrix (new_size, size) of linear interpolation between the same outer faces.

    It gives the values of ``torch.nn.functional.interpolate`` with ``align_corners=False``.
    """
    return interpolation((np.arange(new_size) + 0.5) * size / new_size - 0.5, size)


def between(size: int, step: int) -> np.ndarray:
    """Return the matrix (size, n) of linear interpolation between the n samples 0, step, 2 step, … that cover size."""
    return interpolation(np.arange(size) / step, (size + step - 2) // step + 1)


def gaussian(size: int, sigma: float) -> np.ndarray:
    """Return the matrix (size, size) of a Gaussian of this standard deviation (voxels), cut at four; 0 beyond the ends.

    These are the weights of ``scipy.ndimage.gaussian_filter(mode="constant")``.
    """
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return _band(size, weights / weights.sum())


def _band(size: int, weights: np.ndarray) -> np.ndarray:
    reach = len(weights) // 2
    matrix = np.zeros((size, size), np.float32)
    for offset in range(-min(reach, size - 1), min(reach, size - 1) + 1):
        matrix += np.diag(np.full(size - abs(offset), weights[reach + offset], np.float32), offset)
    return matrix
