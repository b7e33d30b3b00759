"""Thresholds and p-values from healthy brains only; no tumour labels are used.

Split conformal prediction (Vovk et al. 2005; Bates et al. 2023): if a healthy brain is exchangeable with the
calibration brains, its p is at most alpha with probability at most alpha.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """Scores of healthy brains that the score was not fitted on.

    Attributes:
        scores: (n,) leave-one-out scores of the validation brains.
        voxel_threshold: Value of the joint map above which a voxel is called abnormal.
    """

    scores: np.ndarray
    voxel_threshold: float

    def p_value(self, score: float) -> float:
        """Return (1 + number of calibration scores at least as high) / (n + 1)."""
        return float((1 + np.count_nonzero(self.scores >= score)) / (len(self.scores) + 1))

    def threshold(self, alpha: float) -> float:
        """Return the score that must be exceeded for p <= alpha; infinite if n is too small to flag anything."""
        rank = math.floor(alpha * (len(self.scores) + 1) + 1e-9)
        if rank < 1:
            return math.inf
        return float(np.sort(self.scores)[::-1][rank - 1])


def voxel_threshold(samples: list[np.ndarray], rate: float) -> float:
    """Return the value that a share ``rate`` of healthy voxels exceeds, all brains weighted equally.

    Args:
        samples: Voxels of the joint map inside the mask, one array per healthy brain, of equal length.
        rate: Voxel false-positive rate.
    """
    return float(np.quantile(np.concatenate(samples), 1 - rate))
