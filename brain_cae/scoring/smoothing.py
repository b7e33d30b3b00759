"""Gaussian smoothing that does not mix the background into the brain."""

from collections.abc import Sequence

import numpy as np
import torch

from brain_cae.arrays.separable import along_axes, gaussian
from brain_cae.scoring.sampling import Sampling


def smooth_inside(
    maps: np.ndarray,
    mask: np.ndarray,
    spacing: Sequence[float],
    sigma_mm: float,
    sampling: Sampling | None = None,
) -> np.ndarray:
    """Smooth inside the mask only (normalised convolution, Knutsson and Westin 1993).

    Args:
        maps: (C, X, Y, Z).
        mask: (X, Y, Z) boolean.
        spacing: Voxel size in mm (R, A, S).
        sigma_mm: Standard deviation of the Gaussian in mm; 0 means no smoothing.
        sampling: Where the result is evaluated; None: at every voxel.

    Returns:
        (C, X, Y, Z) float32, or less with a sampling; 0 outside the mask.
    """
    sampling = sampling or Sampling(mask)
    inside = torch.from_numpy(np.ascontiguousarray(mask))
    values = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)) * inside
    if sigma_mm == 0:
        return values[(slice(None), *sampling.places)].numpy()
    axes = zip(mask.shape, spacing, sampling.places, strict=True)
    matrices = [gaussian(size, sigma_mm / side)[samples] for size, side, samples in axes]
    smoothed = along_axes(torch.cat([values, inside[None].float()]), matrices)
    return (smoothed[:-1].div_(smoothed[-1].clamp_(min=1e-6)).mul_(inside[sampling.places])).numpy()
