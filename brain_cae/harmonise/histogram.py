"""Histogram: the intensities of every brain are brought to the percentiles that healthy training brains have."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from brain_cae.errors import ConfigurationError
from brain_cae.harmonise.base import Brain, ImageHarmoniser

GAP = 1e-6
"""Least distance of two landmarks, so that the line through them goes both ways."""


class Histogram(ImageHarmoniser):
    """Piecewise linear standardisation by landmarks (Nyúl, Udupa and Zhang 2000, IEEE Trans Med Imaging 19:143).

    Landmarks are percentiles of the intensities inside the mask, by modality. The standard ones are the means over the
    healthy training brains, each stretched first so that its outer landmarks meet theirs. Beyond the outer landmarks
    the outer lines go on. Each brain is mapped by its own percentiles, so nothing needs to be known of its scanner.

    A large tumour moves the percentiles of its own brain, and with them the intensities of healthy tissue: what sets
    the brain apart is partly taken off.

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
                f"`{key}.percentiles` are no landmarks of a histogram.",
                expected="two or more numbers from 0 to 100, ascending",
                found=str(list(percentiles)),
                where=f"{key}.percentiles",
            )

    def __init__(self, percentiles: list[float]) -> None:
        self.percentiles = list(percentiles)
        self.standard = np.empty((0, len(self.percentiles)))

    def fit(self, brains: Sequence[Brain]) -> Self:
        """Learn the standard landmarks (C, percentiles)."""
        own = np.stack([self.landmarks(brain) for brain in brains])
        low, high = own[..., :1], own[..., -1:]
        stretched = (own - low) / (high - low) * (high.mean(axis=0) - low.mean(axis=0)) + low.mean(axis=0)
        self.standard = increasing(stretched.mean(axis=0))
        return self

    def landmarks(self, brain: Brain) -> NDArray:
        """Landmarks (C, percentiles) of one brain, strictly ascending."""
        inside = np.asarray(brain.volume)[:, brain.mask]
        return increasing(np.percentile(inside, self.percentiles, axis=1).T)

    def apply(self, brain: Brain) -> NDArray:
        """Volume with the standard landmarks."""
        mapped = [
            piecewise(values, own, standard)
            for values, own, standard in zip(brain.volume, self.landmarks(brain), self.standard, strict=True)
        ]
        return np.where(brain.mask, np.stack(mapped), 0).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """The standard landmarks by modality."""
        return {"standard": self.standard.tolist()}

    def restore(self, state: dict[str, Any]) -> Self:
        """Take the landmarks up."""
        self.standard = np.asarray(state["standard"], dtype=float)
        return self


def increasing(landmarks: NDArray) -> NDArray:
    """Landmarks (..., percentiles) of which each is larger than the one before, by ``GAP`` at least."""
    steps = GAP * np.arange(landmarks.shape[-1])
    return np.asarray(np.maximum.accumulate(landmarks.astype(float) - steps, axis=-1) + steps)


def piecewise(values: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """Map ``source`` to ``target`` (landmarks,) and what lies between and beyond along straight lines.

    With source and target exchanged it is undone.
    """
    slopes = np.diff(target) / np.diff(source)
    segment = np.clip(np.searchsorted(source, values, side="right") - 1, 0, len(slopes) - 1)
    return np.asarray(target[segment] + slopes[segment] * (values - source[segment]))
