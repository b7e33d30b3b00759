"""Voxelwise mean and spread of healthy brains in the shared frame."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

SMALLEST_GROUP = 5
"""Healthy brains that a reshape group needs for a separate spread factor."""


@dataclass(frozen=True)
class HealthyReference:
    """Voxelwise statistics of healthy brains.

    Attributes:
        mean: (C, *frame).
        spread: (C, *frame), standard deviation, shrunk to the global one.
        factors: Factor on the spread for each reshape group; other groups have 1.
        covariance: (C, C, *frame), covariance of the channels' z-scores, shrunk to the global one; None if not asked for.
    """

    mean: np.ndarray
    spread: np.ndarray
    factors: dict[str, float]
    covariance: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        maps: np.ndarray,
        masks: np.ndarray,
        groups: list[str],
        *,
        shrinkage: float,
        smallest: int = SMALLEST_GROUP,
        covariance: bool = False,
    ) -> "HealthyReference":
        """Estimate from N healthy brains.

        The variance at a voxel is (n s² + k S²) / (n + k): s² of the n brains that cover it, S² the mean of s²
        over all voxels, k = ``shrinkage``. A group's factor is the root mean square of its brains' z-scores,
        shrunk to 1 with the same weight.

        Args:
            maps: (N, C, *frame).
            masks: (N, *frame) boolean.
            groups: Reshape group of each brain.
            shrinkage: Weight k of the global spread, in brains.
            smallest: Number of brains that a group needs for a separate factor.
            covariance: Whether to estimate the covariance of the channels, shrunk in the same way.
        """
        weight = masks[:, None].astype(np.float32)
        count = weight.sum(axis=0)
        mean = (maps * weight).sum(axis=0) / np.maximum(count, 1)
        squares = (weight * (maps - mean) ** 2).sum(axis=0)
        covered = count > 1
        variance = np.where(covered, squares / np.maximum(count - 1, 1), 0)
        everywhere = np.stack([channel[covered[0]].mean() if covered.any() else 1.0 for channel in variance])
        everywhere = np.maximum(everywhere, 1e-8)[:, None, None, None]
        spread = np.sqrt((count * variance + shrinkage * everywhere) / np.maximum(count + shrinkage, 1e-6))
        factors = {}
        for name, members in Counter(groups).items():
            if members < smallest:
                continue
            chosen = np.asarray([group == name for group in groups])
            z = (maps[chosen] - mean) / spread
            rms = float(np.sqrt((z**2 * weight[chosen]).sum() / max(1.0, weight[chosen].sum() * len(mean))))
            factors[name] = (members * rms + shrinkage) / (members + shrinkage)
        return cls(
            mean.astype(np.float32),
            spread.astype(np.float32),
            factors,
            _covariance((maps - mean) / spread * weight, count[0], shrinkage) if covariance else None,
        )

    def factor(self, group: str) -> float:
        """Return the factor on the spread for one reshape group."""
        return self.factors.get(group, 1.0)

    def equals(self, other: "HealthyReference") -> bool:
        """Return whether mean and spread are the same as those of another reference."""
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.spread, other.spread)


def _covariance(z: np.ndarray, count: np.ndarray, shrinkage: float) -> np.ndarray:
    """Return the covariance (C, C, *frame) of z-scores (N, C, *frame), 0 outside of the masks."""
    channels = range(z.shape[1])
    products = np.stack([np.stack([(z[:, i] * z[:, j]).sum(axis=0) for j in channels]) for i in channels])
    everywhere = products.sum(axis=(2, 3, 4), keepdims=True) / max(float(count.sum()), 1.0)
    return ((products + shrinkage * everywhere) / (count + shrinkage)).astype(np.float32)
