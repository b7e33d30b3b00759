"""Thresholds and p-values from healthy brains only; no tumour labels are used.

Split conformal prediction (Vovk et al. 2005; Bates et al. 2023): if a healthy brain is exchangeable with the
calibration brains, its p is at most alpha with probability at most alpha.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from brain_cae.scoring import guarantee
from brain_cae.scoring.guarantee import Guarantee

VOXEL_RATES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
"""Shares of healthy voxels for which the threshold is kept, for readers who choose another one."""


@dataclass(frozen=True)
class Calibration:
    """Scores of healthy brains that the score was not fitted on.

    Attributes:
        scores: (n,) scores of the calibration brains.
        voxel_threshold: Value of the joint map above which a voxel is called abnormal.
        masses: (n,) mass of the largest cluster of each calibration brain; empty if they were not measured.
        voxel_quantiles: Values of the joint map that the shares ``VOXEL_RATES`` of healthy voxels exceed; empty if they
            were not measured.
        folds: (n,) number of the detector, from 0, that scored each calibration brain; empty if one scored all.
    """

    scores: np.ndarray
    voxel_threshold: float
    masses: np.ndarray = field(default_factory=lambda: np.empty(0))
    voxel_quantiles: np.ndarray = field(default_factory=lambda: np.empty(0))
    folds: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    def rank(self, score: float | np.ndarray) -> int:
        """Return 1 + number of calibration scores at least as high.

        With ``folds``, ``score`` is what each detector says of the brain, (K,): a calibration score is compared with
        that of its own detector (cross-conformal prediction: Vovk 2015, Ann Math Artif Intell 74:9).
        """
        given = np.atleast_1d(score)
        return 1 + int(np.count_nonzero(self.scores >= (given[self.folds] if len(self.folds) else given[0])))

    def p_value(self, score: float | np.ndarray) -> float:
        """Return the conformal p-value, see :func:`brain_cae.scoring.guarantee.p_value`."""
        return guarantee.p_value(self.rank(score), len(self.scores))

    def rate_bound(self, score: float | np.ndarray, confidence: float) -> float:
        """Return the bound of the rate of a threshold here, see :func:`brain_cae.scoring.guarantee.rate_bound`."""
        return guarantee.rate_bound(self.rank(score), len(self.scores), confidence)

    def cluster_p_value(self, mass: float) -> float | None:
        """Return (1 + number of calibration brains whose largest cluster has at least this mass) / (n + 1).

        It holds for all clusters of a brain together. None if the masses were not measured.
        """
        if not len(self.masses):
            return None
        return guarantee.p_value(1 + int(np.count_nonzero(self.masses >= mass)), len(self.masses))

    def threshold(self, rule: Guarantee) -> float:
        """Return the score that must be exceeded to be flagged; infinite if n is too small to flag anything."""
        rank = rule.rank(len(self.scores))
        return float(np.sort(self.scores)[::-1][rank - 1]) if rank else math.inf


def pooled(folds: Sequence[Calibration]) -> Calibration:
    """Return the calibration of cross-fitted detectors: all scores with their folds, the means of voxel thresholds.

    Masses stay those in the map of the detector that did not learn from the brain. A patient's clusters are those of
    the mean map, whose voxels exceed the mean threshold by no more than the mean of what they exceed it by in each map:
    p-values of clusters are approximations, too high rather than too low.
    """
    numbers = [np.full(len(one.scores), number) for number, one in enumerate(folds)]
    return Calibration(
        np.concatenate([one.scores for one in folds]),
        float(np.mean([one.voxel_threshold for one in folds])),
        np.concatenate([one.masses for one in folds]),
        np.mean([one.voxel_quantiles for one in folds], axis=0),
        np.concatenate(numbers),
    )


def voxel_threshold(samples: list[np.ndarray], rate: float) -> float:
    """Return the value that a share ``rate`` of healthy voxels exceeds, all brains weighted equally.

    Args:
        samples: Voxels of the joint map inside the mask, one array per healthy brain, of equal length.
        rate: Voxel false-positive rate.
    """
    return float(np.quantile(np.concatenate(samples), 1 - rate))
