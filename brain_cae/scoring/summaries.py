"""Numbers that summarise a joint map: the score of a brain is one of them, or the most unusual of several.

A small lesion stands out in the maximum, a large and faint one in a lower percentile or after wide smoothing. No single
number serves both (see ``benchmarks/results/models.md``).
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch

from brain_cae.arrays.separable import along_axes, gaussian

COMBINED = ((99.5, 0.0), (99.9, 0.0), (100.0, 0.0), (99.9, 3.0), (99.9, 6.0))
"""Percentile, and standard deviation in mm of a further smoothing of the joint map."""
SAMPLES_PER_DEVIATION = 1.5
"""A smoothed map is evaluated no denser than this: nothing is lost, and a map at 1 mm costs a tenth."""


def combined(values: np.ndarray, mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Return the summaries of ``COMBINED``.

    Args:
        values: (n,), the joint map at the voxels of the mask.
        mask: (X, Y, Z) boolean.
        spacing: Voxel size in mm (X, Y, Z).

    Returns:
        (5,), in the order of ``COMBINED``.
    """
    found = []
    for sigma, group in groupby(COMBINED, key=lambda summary: summary[1]):
        smoothed = _smoothed(values, mask, spacing, sigma) if sigma else values
        found += np.percentile(smoothed, [percentile for percentile, _ in group]).tolist()
    return np.array(found)


def _smoothed(values: np.ndarray, mask: np.ndarray, spacing: Sequence[float], sigma_mm: float) -> np.ndarray:
    """Return every k-th voxel of a map smoothed as by :func:`brain_cae.scoring.smoothing.smooth_inside`."""
    inside = torch.from_numpy(np.ascontiguousarray(mask))
    both = torch.zeros((2, *mask.shape))
    both[0][inside] = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    both[1] = inside
    steps = [max(1, int(sigma_mm / (SAMPLES_PER_DEVIATION * side))) for side in spacing]
    matrices = [
        gaussian(size, sigma_mm / side)[step // 2 :: step]
        for size, side, step in zip(mask.shape, spacing, steps, strict=True)
    ]
    total, weight = along_axes(both, matrices)
    at = inside[tuple(slice(step // 2, None, step) for step in steps)]
    found = (total[at] / weight[at].clamp_(min=1e-6)).numpy()
    return found if found.size else values  # a mask thinner than the steps
