"""Gaussian smoothing that does not mix the background into the brain."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter


def smooth_inside(maps: np.ndarray, mask: np.ndarray, spacing: Sequence[float], sigma_mm: float) -> np.ndarray:
    """Smooth inside the mask only (normalised convolution, Knutsson and Westin 1993).

    Args:
        maps: (C, X, Y, Z).
        mask: (X, Y, Z) boolean.
        spacing: Voxel size in mm (R, A, S).
        sigma_mm: Standard deviation of the Gaussian in mm; 0 means no smoothing.

    Returns:
        (C, X, Y, Z) float32, 0 outside the mask.
    """
    if sigma_mm == 0:
        return np.where(mask, maps, 0).astype(np.float32)
    sigma = [sigma_mm / side for side in spacing]
    weight = gaussian_filter(mask.astype(np.float32), sigma, mode="constant")
    smoothed = [gaussian_filter(np.where(mask, m, 0).astype(np.float32), sigma, mode="constant") for m in maps]
    return np.where(mask, np.stack(smoothed) / np.maximum(weight, 1e-6), 0).astype(np.float32)
