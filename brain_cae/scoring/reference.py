"""Voxelwise mean and spread of healthy brains in the shared frame."""

from collections import Counter
from dataclasses import dataclass, replace

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
        covariance: (C, C, *frame) of the channels' z-scores, shrunk to the global one; None if not asked for.
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
        shape, channels = masks.shape[1:], maps.shape[1]
        columns = np.flatnonzero(masks.any(axis=0))  # outside of all brains there is nothing to estimate
        values = maps.reshape(len(maps), channels, -1)[:, :, columns]
        weight = masks.reshape(len(maps), 1, -1)[:, :, columns].astype(np.float32)
        count = weight.sum(axis=0)
        mean = (values * weight).sum(axis=0) / np.maximum(count, 1)
        squares = (weight * (values - mean) ** 2).sum(axis=0)
        covered = count > 1
        variance = np.where(covered, squares / np.maximum(count - 1, 1), 0)
        everywhere = np.stack([channel[covered[0]].mean() if covered.any() else 1.0 for channel in variance])
        everywhere = np.maximum(everywhere, 1e-8)[:, None]
        spread = np.sqrt((count * variance + shrinkage * everywhere) / np.maximum(count + shrinkage, 1e-6))
        factors = {}
        z = (values - mean) / spread * weight
        for name, members in Counter(groups).items():
            if members < smallest:
                continue
            chosen = np.asarray([group == name for group in groups])
            rms = float(np.sqrt((z[chosen] ** 2).sum() / max(1.0, weight[chosen].sum() * channels)))
            factors[name] = (members * rms + shrinkage) / (members + shrinkage)

        def whole(array: np.ndarray, outside: np.ndarray | float) -> np.ndarray:
            frame = np.empty((*array.shape[:-1], masks[0].size), np.float32)
            frame[:] = outside
            frame[..., columns] = array
            return frame.reshape(*array.shape[:-1], *shape)

        # Where nothing is known, all of the weight is on the global spread.
        reference = cls(whole(mean, 0.0), whole(spread, np.sqrt(everywhere)), factors)
        if not covariance:
            return reference
        products = np.einsum("nif,njf->ijf", z, z, optimize=True)
        overall = products.sum(axis=2, keepdims=True) / max(float(count.sum()), 1.0)
        shrunk = (products + shrinkage * overall) / np.maximum(count[0] + shrinkage, 1e-6)
        return replace(reference, covariance=whole(shrunk, overall))

    def factor(self, group: str) -> float:
        """Return the factor on the spread for one reshape group."""
        return self.factors.get(group, 1.0)

    def equals(self, other: "HealthyReference") -> bool:
        """Return whether mean and spread are the same as those of another reference."""
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.spread, other.spread)
