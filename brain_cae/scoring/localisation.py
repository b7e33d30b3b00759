"""Measure how well a map localises the lesion, inside the mask and in native space."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

GRID = np.concatenate([np.arange(-6, 10, 0.02), np.arange(10, 60, 0.5)])
"""Thresholds tried for the oracle Dice; fine in the range of scaled intensities and healthy z-scores."""


@dataclass(frozen=True)
class Localisation:
    """Localisation metrics of one subject.

    Attributes:
        average_precision: Over voxels inside the mask.
        dice: Of what is called a lesion, without any label.
        overlaps: (len(GRID), 3) true positives, false positives, false negatives at each threshold of the grid.
    """

    average_precision: float
    dice: float
    overlaps: np.ndarray


def dice_of(overlaps: np.ndarray) -> np.ndarray:
    """Return the Dice coefficient 2TP / (2TP + FP + FN) from counts (..., 3)."""
    true, false, missed = np.moveaxis(np.asarray(overlaps, float), -1, 0)
    return 2 * true / np.maximum(2 * true + false + missed, 1e-9)


def localise(values: np.ndarray, truth: np.ndarray, called: np.ndarray) -> Localisation:
    """Compare a joint map with a known lesion.

    Args:
        values: (n,), the joint map at the voxels of the mask.
        truth: (n,) boolean, the lesion there, not empty.
        called: (n,) boolean, the voxels that are called a lesion.
    """
    inside, outside = np.sort(values[truth]), np.sort(values[~truth])
    true = len(inside) - np.searchsorted(inside, GRID, side="right")
    false = len(outside) - np.searchsorted(outside, GRID, side="right")
    counts = np.stack([true, false, len(inside) - true], axis=-1)
    overlap = [np.sum(called & truth), np.sum(called & ~truth), np.sum(~called & truth)]
    return Localisation(
        average_precision=float(average_precision_score(truth, values)),
        dice=float(dice_of(np.asarray(overlap))),
        overlaps=counts,
    )
