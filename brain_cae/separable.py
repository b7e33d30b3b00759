"""Linear maps along the three axes of a volume: resizing, windows and smoothing as one small matrix for each axis.

A dense matrix of a few hundred rows does more arithmetic than a sparse one, but as a product of matrices it runs near
the peak of the processor: an axis of a brain at 1 mm takes about a hundredth of a second.
"""

from collections.abc import Sequence

import numpy as np
import torch


def along_axes(volume: torch.Tensor, matrices: Sequence[np.ndarray | torch.Tensor | None]) -> torch.Tensor:
    """Apply a matrix along each spatial axis.

    Args:
        volume: (C, X, Y, Z) float.
        matrices: For each axis (new size, size); None leaves the axis as it is.

    Returns:
        (C, X', Y', Z').
    """
    x, y, z = (None if matrix is None else torch.as_tensor(matrix, dtype=volume.dtype) for matrix in matrices)
    if z is not None:
        volume = volume @ z.T
    if y is not None:
        volume = y @ volume
    if x is not None:
        volume = (x @ volume.flatten(2)).unflatten(2, volume.shape[2:])
    return volume


def resizing(size: int, new_size: int) -> np.ndarray:
    """Return the matrix (new_size, size) of linear interpolation between the same outer faces.

    It gives the values of ``torch.nn.functional.interpolate`` with ``align_corners=False``.
    """
    places = np.maximum((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0)
    lower = np.minimum(places.astype(int), size - 1)
    upper = np.minimum(lower + 1, size - 1)
    matrix = np.zeros((new_size, size), np.float32)
    np.add.at(matrix, (np.arange(new_size), lower), 1 - (places - lower))
    np.add.at(matrix, (np.arange(new_size), upper), places - lower)
    return matrix


def gaussian(size: int, sigma: float) -> np.ndarray:
    """Return the matrix (size, size) of a Gaussian of this standard deviation (voxels), cut at four; 0 beyond the ends.

    These are the weights of ``scipy.ndimage.gaussian_filter(mode="constant")``.
    """
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return _band(size, weights / weights.sum())


def uniform(size: int, width: int) -> np.ndarray:
    """Return the matrix (size, size) of the mean over ``width`` voxels (odd); 0 beyond the ends."""
    return _band(size, np.full(width, 1 / width))


def _band(size: int, weights: np.ndarray) -> np.ndarray:
    reach = len(weights) // 2
    matrix = np.zeros((size, size), np.float32)
    for offset in range(-min(reach, size - 1), min(reach, size - 1) + 1):
        matrix += np.diag(np.full(size - abs(offset), weights[reach + offset], np.float32), offset)
    return matrix
