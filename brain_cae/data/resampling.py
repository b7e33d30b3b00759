"""Bring a volume onto another grid: one rule says both which places it covers and which values it has there.

A voxel reaches half a voxel beyond its centre. Within that reach the nearest edge is sampled; beyond it the volume does
not cover the place.
"""

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage

HALF = 0.5 + 1e-3
"""Reach of a voxel beyond its centre in voxels, with a tolerance for affines that were rounded when stored."""

SAME = 1e-3
"""Grids whose voxels lie closer to each other than this, in voxels, are the same grid."""


def resample(
    volume: np.ndarray, affine: np.ndarray, shape: tuple[int, ...], grid: np.ndarray, *, order: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Sample a volume at the voxel centres of a grid.

    Args:
        volume: (X, Y, Z).
        affine: (4, 4), voxel of the volume to mm.
        shape: Shape of the grid.
        grid: (4, 4), voxel of the grid to mm of the same space.
        order: 1 interpolates linearly, 0 takes the nearest voxel.

    Returns:
        Values with the shape of the grid, those of the nearest edge where the volume does not reach; and where it does
        (boolean). On the same grid, the values are those of the volume, unchanged.

    Example:
        >>> volume = np.arange(8.0).reshape(2, 2, 2)
        >>> values, covered = resample(volume, np.eye(4), (3, 2, 2), np.eye(4))
        >>> values[:, 0, 0], covered[:, 0, 0]
        (array([0., 4., 4.]), array([ True,  True, False]))
    """
    if same_grid(volume.shape, affine, shape, grid):
        return volume, np.ones(volume.shape, bool)
    matrix = np.linalg.inv(affine) @ grid
    values = ndimage.affine_transform(volume, matrix, output_shape=tuple(shape), order=order, mode="nearest")
    covered = np.ones(shape, bool)
    for axis, size in enumerate(volume.shape):
        steps = [matrix[axis, other] * np.arange(shape[other]) for other in range(3)]
        place = matrix[axis, 3] + steps[0][:, None, None] + steps[1][:, None] + steps[2]
        covered &= (place >= -HALF) & (place <= size - 1 + HALF)
    return values, covered


def same_grid(shape: tuple[int, ...], affine: np.ndarray, other_shape: tuple[int, ...], other: np.ndarray) -> bool:
    """Return whether two grids have the same voxels; affines (4, 4) in mm."""
    if tuple(shape) != tuple(other_shape):
        return False
    corners = _corners(shape)
    return bool(np.allclose(apply_affine(np.linalg.inv(affine) @ other, corners), corners, atol=SAME, rtol=0))


def apart_mm(shape: tuple[int, ...], affine: np.ndarray, other: np.ndarray) -> float:
    """Return how far two places (4, 4) of one grid are apart, in mm: the largest distance of the same corner."""
    corners = _corners(shape)
    return float(np.linalg.norm(apply_affine(affine, corners) - apply_affine(other, corners), axis=1).max())


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    return np.argwhere(np.ones((2, 2, 2))) * (np.asarray(shape) - 1)


def isotropic(volume: np.ndarray, affine: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resample a volume to cubic voxels along the axes of the world, smoothed where they are coarser than its own.

    Args:
        volume: (X, Y, Z).
        affine: (4, 4), voxel to mm; it may be oblique or sheared.
        spacing: Side of a voxel in mm.

    Returns:
        Values (x, y, z) float32, their affine (4, 4), and where the volume covers the grid (boolean).
    """
    # The width at half maximum of the filter and that of a voxel together are the width of a voxel of the grid.
    widths = np.sqrt(np.maximum(spacing**2 - voxel_sizes(affine) ** 2, 0)) / voxel_sizes(affine)
    smooth = ndimage.gaussian_filter(np.asarray(volume, np.float32), widths / np.sqrt(8 * np.log(2)), truncate=3.0)
    corners = apply_affine(affine, _corners(volume.shape))
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.ceil((high - low) / spacing).astype(int) + 1
    # A volume thinner than a voxel of the grid lies between two layers: it gets one, in its middle.
    size[high - low + np.abs(affine[:3, :3]).sum(axis=1) < spacing] = 1
    grid = np.diag([spacing, spacing, spacing, 1.0])
    # Centred, so that a scan that is no whole number of voxels long loses the same at both ends.
    grid[:3, 3] = (low + high) / 2 - spacing * (size - 1) / 2
    values, covered = resample(smooth, affine, tuple(size), grid)
    return values, grid, covered
