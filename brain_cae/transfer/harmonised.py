"""Features as the classifier saw them out of fold: harmonised by a step that was fitted without the subject."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from brain_cae.harmonise.features import FeatureHarmoniser


def harmonised_out_of_fold(
    step: FeatureHarmoniser, features: pd.DataFrame, healthy: NDArray, folds: pd.Series
) -> pd.DataFrame:
    """Harmonise every held-out subject by a clone of the step that was fitted on the other subjects.

    Args:
        step: Unfitted step of the pipeline.
        features: One row per subject, the carried columns last.
        healthy: (subjects,) boolean; subjects without a label are not healthy.
        folds: Fold in which each subject was held out, missing if it never was; same index.

    Returns:
        The features without the carried columns; NaN for subjects that were never held out.
    """
    columns = features.columns[: features.shape[1] - step.carried]
    numbers = folds.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    rows = features.to_numpy(dtype=float)
    result = np.full((len(rows), len(columns)), np.nan)
    for number in np.unique(numbers[np.isfinite(numbers)]):
        held_out = numbers == number
        if (healthy & ~held_out).any():
            fitted = clone(step).fit(rows[~held_out], ~healthy[~held_out])
            result[held_out] = fitted.transform(rows[held_out])
    return pd.DataFrame(result, index=features.index, columns=columns)
