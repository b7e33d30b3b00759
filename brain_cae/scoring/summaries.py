"""Numbers that summarise a joint map: the score of a brain is one of them, or the most unusual of several.

A small lesion stands out in the maximum, a large and faint one in a lower percentile or after wide smoothing. No single
number serves both (see ``benchmarks/results/models.md``).
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch

from brain_cae.arrays.separable import along_axes, gaussian
from brain_cae.scoring.sampling import step_of

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
    # Filled by NumPy: PyTorch takes ten times as long to fill a mask.
    both = np.zeros((2, *mask.shape), np.float32)
    both[0][mask], both[1] = values, mask
    for sigma, group in groupby(COMBINED, key=lambda summary: summary[1]):
        smoothed = _smoothed(both, spacing, sigma) if sigma else values
        smoothed = smoothed if smoothed.size else values  # a mask thinner than the steps
        found += np.percentile(smoothed, [percentile for percentile, _ in group]).tolist()
    return np.array(found)


def _smoothed(both: np.ndarray, spacing: Sequence[float], sigma_mm: float) -> np.ndarray:
    """Return every k-th voxel in the mask of a map smoothed as by :func:`brain_cae.scoring.smoothing.smooth_inside`.

    ``both`` are the map, 0 outside of the mask, and the mask: (2, X, Y, Z) float32.
    """
    steps = [step_of(side, sigma_mm, SAMPLES_PER_DEVIATION) for side in spacing]
    matrices = [
        gaussian(size, sigma_mm / side)[step // 2 :: step]
        for size, side, step in zip(both.shape[1:], spacing, steps, strict=True)
    ]
    total, weight = along_axes(torch.from_numpy(both), matrices).numpy()
    at = both[1][tuple(slice(step // 2, None, step) for step in steps)] > 0
    return np.asarray(total[at] / np.maximum(weight[at], 1e-6))
