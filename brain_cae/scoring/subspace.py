"""A linear space of healthy brains: principal components that outlying voxels cannot move.

What healthy brains have in common in their differences (wide ventricles, a thick cortex, the contrast of a scanner)
lies in a few directions; what a brain shows beyond them is its residual. Removing outliers while the space is fitted
and while a brain is projected onto it keeps a lesion out of both (iterated subspaces: Erus et al. 2014, Med Image Anal
18:542; the weights: Huber 1964, Ann Math Stat 35:73).
"""

import math
from dataclasses import dataclass, fields

import numpy as np

ROUNDS = 4
"""Of the fit: what deviates from the last space by more than the limit is pulled back to it."""
STEPS = 6
"""Of the projection of a brain."""
LIMIT = 2.0
"""Deviation, in units of a place's spread, beyond which a voxel loses weight."""
FOLDS = 10
"""Parts in which healthy brains are left out of the space that they are compared with."""


@dataclass(frozen=True)
class HealthySubspace:
    """A mean and directions of common variation in the shared frame.

    Attributes:
        mean: (C, *frame).
        directions: (k, C, *frame) float16, orthonormal; half precision is finer than what brains have in common.
        spread: (C, *frame), root mean square of what the space leaves of healthy brains.
        deviation: (k,), standard deviation of healthy brains along each direction.
    """

    mean: np.ndarray
    directions: np.ndarray
    spread: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(cls, maps: np.ndarray, masks: np.ndarray, components: int) -> "HealthySubspace":
        """Fit to N healthy brains.

        Args:
            maps: (N, C, *frame).
            masks: (N, *frame) boolean.
            components: Number of directions k, at most a third of the brains.
        """
        shape = maps.shape[1:]
        columns = np.flatnonzero(np.broadcast_to(masks.any(axis=0), shape))
        values, inside = (
            np.ascontiguousarray(array.reshape(len(maps), -1)[:, columns])
            for array in (maps.astype(np.float32), np.broadcast_to(masks[:, None], maps.shape))
        )
        count = np.maximum(inside.sum(axis=0), 1).astype(np.float32)
        mean = (values * inside).sum(axis=0) / count
        values -= mean
        filled = values * inside
        for step in range(ROUNDS + 1):
            centre = filled.mean(axis=0)
            filled -= centre
            directions = _directions(filled, min(components, len(maps) // 3))
            fitted = filled @ directions.T @ directions + centre
            left = (values - fitted) * inside
            spread = np.sqrt((left**2).sum(axis=0) / count)
            typical = float(np.median(spread))
            spread = np.clip(spread, 0.5 * typical, 3 * typical) if typical > 0 else np.ones_like(spread)
            if step < ROUNDS:
                filled = fitted + np.clip(left, -LIMIT * spread, LIMIT * spread)

        def whole(array: np.ndarray) -> np.ndarray:
            everywhere = np.zeros((*array.shape[:-1], math.prod(shape)), np.float32)
            everywhere[..., columns] = array
            return everywhere.reshape(*array.shape[:-1], *shape)

        deviation = (filled @ directions.T).std(axis=0)
        return cls(
            whole(mean + centre),
            whole(directions).astype(np.float16),
            whole(spread),
            deviation.astype(np.float32),
        )

    def equals(self, other: "HealthySubspace") -> bool:
        """Return whether this is the same space."""
        names = [one.name for one in fields(self)]
        return self is other or all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def expected(self, maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the brain of the space that is closest to a brain, disregarding what deviates from it.

        Args:
            maps: (C, *frame).
            mask: (*frame) boolean.

        Returns:
            (C, *frame) float32, also outside of the mask.
        """
        return self.mean + np.tensordot(self.coordinates(maps, mask), self.directions.astype(np.float32), axes=1)

    def coordinates(self, maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the coordinates (k,) of that closest brain: weighted least squares, with Huber's weights."""
        inside = np.flatnonzero(np.broadcast_to(mask, maps.shape))
        directions = self.directions.reshape(-1, maps.size)[:, inside].astype(np.float32)
        deviation = (maps - self.mean).ravel()[inside]
        limit = LIMIT * np.maximum(self.spread.ravel()[inside], 1e-6)
        weight, found = np.ones_like(deviation), np.zeros(len(directions), np.float32)
        for _ in range(STEPS):
            weighted = directions * weight
            found = np.linalg.solve(
                weighted @ directions.T + 1e-6 * np.eye(len(directions), dtype=np.float32), weighted @ deviation
            )
            weight = 1 / np.maximum(np.abs(deviation - found @ directions) / limit, 1)
        return found.astype(np.float32)


def left_out(maps: np.ndarray, masks: np.ndarray, components: int) -> list[HealthySubspace]:
    """Return for each of N healthy brains a space that was fitted without it, in ``FOLDS`` parts.

    A space describes the brains that it was fitted to better than any other brain.
    """
    part = parts(len(maps))
    spaces = {one: HealthySubspace.fit(maps[part != one], masks[part != one], components) for one in set(part)}
    return [spaces[one] for one in part]


def parts(count: int) -> np.ndarray:
    """Return the part (N,) in which each of N brains is left out, one of ``FOLDS``."""
    return np.arange(count) % min(FOLDS, count)


def _directions(values: np.ndarray, count: int) -> np.ndarray:
    """Return the ``count`` directions (k, D) in which rows (N, D) vary most, from the N x N products of the rows."""
    variances, vectors = np.linalg.eigh(values @ values.T)
    chosen = np.argsort(variances)[::-1][: max(count, 0)]
    chosen = chosen[variances[chosen] > 1e-9 * max(float(variances.max(initial=0)), 1e-12)]
    return (vectors[:, chosen] / np.sqrt(variances[chosen])).T @ values
