"""What every remedy is: one of images, or one of features as a step of the classifier's pipeline."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

PROTOCOL = "protocol"


@dataclass(frozen=True)
class Brain:
    """One subject's volumes, as a remedy of images sees them.

    Attributes:
        volume: (C, X, Y, Z), scaled intensities, 0 outside the mask.
        mask: (X, Y, Z) boolean.
        voxel_mm: (3,) sides of a voxel of this grid in mm (R, A, S).
        spacing_mm: (C, 3) spacing in mm along the same axes that each modality was acquired with.
    """

    volume: NDArray
    mask: NDArray
    voxel_mm: NDArray
    spacing_mm: NDArray


class ImageHarmoniser(ABC):
    """Changes the images of every subject by one rule, which healthy training brains have set."""

    def fit(self, brains: Sequence[Brain]) -> Self:
        """Learn from the healthy brains of the role ``train``."""
        return self

    def reaches(self, brain: Brain) -> bool:
        """Whether the remedy can do for this brain what it does for the others; it passes unchanged where not."""
        return True

    @abstractmethod
    def apply(self, brain: Brain) -> NDArray:
        """Harmonised volume (C, X, Y, Z), float32, 0 outside the mask."""

    def state(self) -> dict[str, Any]:
        """What was learnt, as plain values."""
        return {}

    def restore(self, state: dict[str, Any]) -> Self:
        """Take up what :meth:`state` has given."""
        return self


class FeatureHarmoniser(TransformerMixin, BaseEstimator):
    """First step of the classifier's pipeline: the last columns of a row tell how the subject was scanned.

    They travel with the features, so that whatever splits, clones or permutes the pipeline fits this step inside the
    fold; the step takes them off. Only rows of healthy subjects teach it: the label says who may, and enters no model.

    Args:
        carried: Number of those columns.
    """

    unreached: ClassVar[str]
    """Why a subject can be out of reach, in plain words."""

    def __init__(self, *, carried: int) -> None:
        self.carried = carried

    @classmethod
    def carries(cls, modalities: Sequence[str]) -> list[str]:
        """What the step must know of how a subject was scanned, a column each.

        ``PROTOCOL`` is the protocol's number, -1 where there is none; ``<modality>_<plane>`` whether the scan lies in
        that plane; any other name an acquisition parameter of the index, as a logarithm, NaN where it is not known.
        """
        return []

    def fit(self, rows: ArrayLike, labels: ArrayLike) -> Self:
        """Learn from the healthy rows.

        Args:
            rows: (subjects, features + carried).
            labels: (subjects,), 0 = healthy.
        """
        features, scanned = self._split(rows)
        healthy = np.asarray(labels) == 0
        self._learn(_filled(features[healthy]), scanned[healthy])
        return self

    def transform(self, rows: ArrayLike) -> NDArray:
        """Harmonised features (subjects, features); rows out of reach pass unchanged."""
        check_is_fitted(self)
        features, scanned = self._split(rows)
        reached = self._reached(scanned)
        harmonised = features.copy()
        if reached.any():
            harmonised[reached] = self._change(features[reached], scanned[reached])
        return harmonised

    def reached(self, rows: ArrayLike) -> NDArray:
        """For each row whether healthy subjects that were scanned like this have taught the step."""
        check_is_fitted(self)
        return self._reached(self._split(rows)[1])

    def _split(self, rows: ArrayLike) -> tuple[NDArray, NDArray]:
        values = np.asarray(rows, dtype=float)
        return values[:, : values.shape[1] - self.carried], values[:, values.shape[1] - self.carried :]

    @abstractmethod
    def _learn(self, features: NDArray, scanned: NDArray) -> None:
        """Fit on healthy rows."""

    @abstractmethod
    def _reached(self, scanned: NDArray) -> NDArray:
        """Which rows were scanned like some of the healthy ones."""

    @abstractmethod
    def _change(self, features: NDArray, scanned: NDArray) -> NDArray:
        """Harmonise rows that are reached; a missing feature stays missing."""


def _filled(features: NDArray) -> NDArray:
    """Missing values replaced by the median of their column, 0 in a column without any value."""
    missing = ~np.isfinite(features)
    if not missing.any():
        return features
    medians = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0.0
                        for column in features.T])  # fmt: skip
    return np.where(missing, medians, features)
