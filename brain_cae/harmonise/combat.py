"""ComBat: align location and scale of the features of each protocol with those of all healthy subjects."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from brain_cae.harmonise.features import PROTOCOL, FeatureHarmoniser
from brain_cae.keys import Between

ITERATIONS = 200
CONVERGED = 1e-4
"""Relative change below which the estimates have converged, as in the published code."""


class Combat(FeatureHarmoniser):
    """Location and scale adjustment per protocol by empirical Bayes, fitted on healthy subjects, without covariates.

    ``y = mean_g + sd_g (gamma_ig + delta_ig e)`` for feature g and protocol i; gamma has a normal and delta squared an
    inverse gamma prior over the features of the protocol (Johnson, Li and Rabinovic 2007, Biostatistics 8:118; Fortin
    et al. 2018, NeuroImage 167:104). A subject passes unchanged if its protocol has fewer than ``minimum`` healthy
    subjects. All subjects do if fewer than two protocols have enough.

    Args:
        minimum: Healthy subjects that a protocol needs; with fewer than 3, the variance is hardly estimable.
        carried: 1: the number of the protocol, -1 for a subject without a protocol.
    """

    unreached = "two protocols at least must have enough healthy subjects to teach it, and theirs is none of them"

    @classmethod
    def carries(cls, modalities: Sequence[str]) -> list[str]:
        """The number of the protocol."""
        return [PROTOCOL]

    def __init__(
        self, *, minimum: Annotated[int, Between(2, math.inf, "at least 2 healthy subjects")] = 3, carried: int = 1
    ) -> None:
        super().__init__(carried=carried)
        self.minimum = minimum

    def _learn(self, features: NDArray, scanned: NDArray) -> None:
        numbers = scanned[:, 0].astype(int)
        protocols, counts = np.unique(numbers[numbers >= 0], return_counts=True)
        large = protocols[counts >= self.minimum]
        self.protocols_ = large if len(large) > 1 else large[:0]
        columns = features.shape[1]
        self.mean_, self.spread_ = np.zeros(columns), np.ones(columns)
        self.location_ = np.zeros((len(self.protocols_), columns))
        self.scale_ = np.ones((len(self.protocols_), columns))
        if not len(self.protocols_):
            return
        parts = [features[numbers == number] for number in self.protocols_]
        together = np.vstack(parts)
        within = sum(((part - part.mean(axis=0)) ** 2).sum(axis=0) for part in parts) / len(together)
        # A feature that does not vary within any protocol has no scale to adjust, and stays unchanged.
        varies = np.sqrt(within) > 1e-9 * (1 + np.abs(together.mean(axis=0)))
        self.mean_[varies] = together.mean(axis=0)[varies]
        self.spread_[varies] = np.sqrt(within)[varies]
        for number, part in enumerate(parts):
            z = ((part - self.mean_) / self.spread_)[:, varies]
            self.location_[number, varies], self.scale_[number, varies] = shrunk(z)

    def _reached(self, scanned: NDArray) -> NDArray:
        return np.isin(scanned[:, 0], self.protocols_)

    def _change(self, features: NDArray, scanned: NDArray) -> NDArray:
        place = np.searchsorted(self.protocols_, scanned[:, 0])
        z = (features - self.mean_) / self.spread_
        return self.mean_ + self.spread_ * (z - self.location_[place]) / self.scale_[place]


def shrunk(z: NDArray) -> tuple[NDArray, NDArray]:
    """Return location and scale (features,) of one protocol's standardised rows, shrunk towards the mean over features.

    Equations 3.1 to 3.3 of Johnson et al. 2007. With a single feature there is no prior: estimates are not shrunk.
    """
    n, features = z.shape
    location, variance = z.mean(axis=0), z.var(axis=0, ddof=1)
    if features < 2:
        return location, np.sqrt(np.maximum(variance, 1e-6))
    prior_mean, prior_variance = location.mean(), location.var(ddof=1)
    m, s2 = variance.mean(), max(variance.var(ddof=1), 1e-12)
    shape, rate = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
    gamma, delta2 = location, variance
    for _ in range(ITERATIONS):
        before = gamma, delta2
        gamma = (prior_variance * n * location + delta2 * prior_mean) / (prior_variance * n + delta2)
        delta2 = (rate + 0.5 * ((z - gamma) ** 2).sum(axis=0)) / (n / 2 + shape - 1)
        if np.allclose([gamma, delta2], before, rtol=CONVERGED, atol=1e-8):
            break
    return gamma, np.sqrt(delta2)
