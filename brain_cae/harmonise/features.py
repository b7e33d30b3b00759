"""Base class of methods that harmonise features, as a step of the classifier's pipeline."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

PROTOCOL = "protocol"


class FeatureHarmoniser(TransformerMixin, BaseEstimator):
    """First step of the classifier's pipeline; the last columns of each row describe how the subject was scanned.

    These columns are appended to the features, so that this step is always fitted inside the fold, however the
    pipeline is cloned or cross-validated; the step removes them. It is fitted on healthy subjects only: labels select
    the rows, and enter no model.

    Args:
        carried: Number of these columns.
    """

    unreached: ClassVar[str]
    """Explanation, for the report, of why a subject cannot be harmonised."""

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
        """Fit on the healthy rows.

        Args:
            rows: (subjects, features + carried).
            labels: (subjects,), 0 = healthy.
        """
        features, scanned = self._split(rows)
        healthy = np.asarray(labels) == 0
        self._learn(_filled(features[healthy]), scanned[healthy])
        return self

    def transform(self, rows: ArrayLike) -> NDArray:
        """Return harmonised features (subjects, features); rows that cannot be harmonised pass unchanged."""
        check_is_fitted(self)
        features, scanned = self._split(rows)
        reached = self._reached(scanned)
        harmonised = features.copy()
        if reached.any():
            harmonised[reached] = self._change(features[reached], scanned[reached])
        return harmonised

    def reached(self, rows: ArrayLike) -> NDArray:
        """Return for each row whether the step was fitted on healthy subjects that were scanned alike."""
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
        """Return which rows were scanned like some of the healthy ones."""

    @abstractmethod
    def _change(self, features: NDArray, scanned: NDArray) -> NDArray:
        """Harmonise rows selected by :meth:`_reached`; a missing feature stays missing."""


def _filled(features: NDArray) -> NDArray:
    """Replace missing values by the median of their column, or by 0 in a column without values."""
    missing = ~np.isfinite(features)
    if not missing.any():
        return features
    medians = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0.0
                        for column in features.T])  # fmt: skip
    return np.where(missing, medians, features)
