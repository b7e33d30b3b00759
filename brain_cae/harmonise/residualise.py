"""Residualise: subtract the part of each feature that acquisition parameters predict in healthy subjects."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from brain_cae.harmonise.features import FeatureHarmoniser
from brain_cae.keys import Between
from brain_cae.vocabulary import PLANES

PARAMETERS = (
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "spacing_row_mm", "spacing_column_mm",
    "spacing_slice_mm", "flip_angle_deg",
)  # fmt: skip

NEAR = float(np.log(1.2)) + 1e-3
"""Scans whose parameters differ by at most 20 % count as scanned alike, as in the grouping of protocols."""
LIMIT = 3.0
"""Standardised parameters are clipped here, as in the audit: one outlier could dominate the regression."""


class Residualise(FeatureHarmoniser):
    """Residuals of a ridge regression of each feature on the acquisition parameters, fitted on healthy subjects.

    The healthy mean is kept, so that a feature keeps its range. Parameters are encoded as numbers are in the audit's
    test ``metadata_only``: standardised, with missing values set to 0 and an indicator column. The regression does not
    extrapolate: a subject passes unchanged if no healthy subject has the same known parameters, each within 20 %.

    Confounds are regressed out within the training part: Snoek, Miletić and Scholte 2019, NeuroImage 184:741.

    Args:
        penalty: Ridge penalty, in subjects; needed since parameters are many and correlated, healthy subjects few.
        carried: Number of parameters; positive numbers as logarithms, unknown values as NaN.
    """

    unreached = "no healthy subject was scanned like them, or all healthy ones were scanned alike"

    @classmethod
    def carries(cls, modalities: Sequence[str]) -> list[str]:
        """Field strength, and times, spacings, flip angle and plane of each modality."""
        of_each = [f"{modality}_{name}" for modality in modalities for name in (*PARAMETERS, *sorted(PLANES))]
        return ["field_strength_t", *of_each]

    def __init__(
        self, *, penalty: Annotated[float, Between(0, math.inf, "a penalty, 0 or more")] = 1.0, carried: int = 1
    ) -> None:
        super().__init__(carried=carried)
        self.penalty = penalty

    def _learn(self, features: NDArray, scanned: NDArray) -> None:
        # Unique and sorted, the rows describe protocols and do not identify subjects.
        known = np.unique(np.nan_to_num(scanned[np.isfinite(scanned).any(axis=1)], nan=np.inf), axis=0)
        self.known_ = np.where(np.isinf(known), np.nan, known)
        self.centre_, self.width_ = np.zeros(self.carried), np.ones(self.carried)
        for number, column in enumerate(scanned.T):
            values = column[np.isfinite(column)]
            if len(values):
                self.centre_[number] = values.mean()
                self.width_[number] = values.std() if values.std() > 1e-9 else 1.0
        columns = features.shape[1]
        self.slope_, self.offset_ = np.zeros((columns, 2 * self.carried)), np.zeros(2 * self.carried)
        if len(self.known_) < 2:
            self.known_ = self.known_[:0]  # all scanned alike: nothing to regress on
            return
        design = self._design(scanned)
        self.offset_ = design.mean(axis=0)
        self.slope_ = Ridge(alpha=self.penalty).fit(design, features).coef_.reshape(columns, -1)

    def _design(self, scanned: NDArray) -> NDArray:
        missing = ~np.isfinite(scanned)
        z = np.where(missing, 0.0, np.clip((scanned - self.centre_) / self.width_, -LIMIT, LIMIT))
        return np.hstack([z, missing])

    def _reached(self, scanned: NDArray) -> NDArray:
        return np.array([self._near(row) for row in scanned], dtype=bool)

    def _near(self, row: NDArray) -> bool:
        alike = (np.isfinite(self.known_) == np.isfinite(row)).all(axis=1)
        return bool((np.nan_to_num(np.abs(self.known_ - row)).max(axis=1, initial=0.0) <= NEAR)[alike].any())

    def _change(self, features: NDArray, scanned: NDArray) -> NDArray:
        return features - (self._design(scanned) - self.offset_) @ self.slope_.T
