"""Histogram: map the intensities of every brain to the percentiles of the healthy training brains."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from brain_cae.errors import ConfigurationError
from brain_cae.harmonise.base import Brain, ImageHarmoniser

GAP = 1e-6
"""Smallest distance between landmarks, so that the mapping can be inverted."""


class Histogram(ImageHarmoniser):
    """Piecewise linear standardisation by landmarks (Nyúl, Udupa and Zhang 2000, IEEE Trans Med Imaging 19:143).

    Landmarks are percentiles of the intensities inside the mask, per modality. The standard landmarks are the means
    over the healthy training brains, after each brain is stretched linearly so that its outer landmarks equal their
    mean. Beyond the outer landmarks the mapping is extrapolated linearly. Only the percentiles of a brain are needed to
    map it, so nothing has to be known about its scanner.

    Limitation: a large tumour shifts the percentiles of its brain, and the mapping then changes the intensities of
    healthy tissue and removes part of the abnormality.

    Args:
        percentiles: Between 0 and 100, ascending.
    """

    @staticmethod
    def check(choice: Any, key: str) -> None:
        """Landmarks must ascend: raises ConfigurationError."""
        percentiles = choice.percentiles
        rising = all(low < high for low, high in pairwise(percentiles))
        if len(percentiles) < 2 or not rising or percentiles[0] < 0 or percentiles[-1] > 100:
            raise ConfigurationError(
                f"`{key}.percentiles` are not valid percentiles.",
                expected="two or more numbers from 0 to 100, ascending",
                found=str(list(percentiles)),
                where=f"{key}.percentiles",
            )

    def __init__(self, percentiles: list[float]) -> None:
        self.percentiles = list(percentiles)
        self.standard = np.empty((0, len(self.percentiles)))

    def fit(self, brains: Iterable[Brain]) -> Self:
        """Estimate the standard landmarks (C, percentiles)."""
        landmarks = np.stack([self.landmarks(brain) for brain in brains])
        low, high = landmarks[..., :1], landmarks[..., -1:]
        stretched = (landmarks - low) / (high - low) * (high.mean(axis=0) - low.mean(axis=0)) + low.mean(axis=0)
        self.standard = increasing(stretched.mean(axis=0))
        return self

    def landmarks(self, brain: Brain) -> NDArray:
        """Return the landmarks (C, percentiles) of one brain, strictly ascending."""
        inside = np.asarray(brain.volume)[:, brain.mask]
        return increasing(np.percentile(inside, self.percentiles, axis=1).T)

    def apply(self, brain: Brain) -> NDArray:
        """Return the volume mapped to the standard landmarks."""
        mapped = [
            piecewise(values, landmarks, standard)
            for values, landmarks, standard in zip(brain.volume, self.landmarks(brain), self.standard, strict=True)
        ]
        return np.where(brain.mask, np.stack(mapped), 0).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Return the standard landmarks of each modality."""
        return {"standard": self.standard.tolist()}

    def restore(self, state: dict[str, Any]) -> Self:
        """Restore the landmarks."""
        self.standard = np.asarray(state["standard"], dtype=float)
        return self


def increasing(landmarks: NDArray) -> NDArray:
    """Return landmarks (..., percentiles) in which each exceeds the previous one by at least ``GAP``."""
    steps = GAP * np.arange(landmarks.shape[-1])
    return np.asarray(np.maximum.accumulate(landmarks.astype(float) - steps, axis=-1) + steps)


def piecewise(values: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """Map values by the piecewise linear function from ``source`` to ``target`` (landmarks,), also beyond both ends.

    Exchanging source and target gives the inverse.
    """
    slopes = np.diff(target) / np.diff(source)
    segment = np.clip(np.searchsorted(source, values, side="right") - 1, 0, len(slopes) - 1)
    return np.asarray(target[segment] + slopes[segment] * (values - source[segment]))
