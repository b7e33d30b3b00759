"""Harmonised features of the audit: each subject is harmonised by a step that was fitted without it."""

import numpy as np
import pandas as pd

from brain_cae.harmonise.combat import Combat
from brain_cae.transfer.harmonised import harmonised_out_of_fold

from ..harmonise.cohort import HEALTHY, auroc_of_protocol, cohort


def test_out_of_fold_features_hide_the_protocol_and_do_not_depend_on_the_subjects_of_the_fold():
    rows, protocols, labels = cohort(shift=2.0)
    features, healthy = pd.DataFrame(rows), labels == HEALTHY
    folds = pd.Series(np.arange(len(rows)) // 4 % 5, dtype="Int64")
    harmonised = harmonised_out_of_fold(Combat(), features, healthy, folds)
    assert list(harmonised) == list(features)[:-1]
    assert auroc_of_protocol(harmonised.to_numpy(), protocols) < 0.6
    far = features.copy()
    far.iloc[0, :-1] = 1e6
    again = harmonised_out_of_fold(Combat(), far, healthy, folds)
    same_fold = (folds == folds[0]).to_numpy()
    same_fold[0] = False
    pd.testing.assert_frame_equal(harmonised[same_fold], again[same_fold])
    assert not harmonised[~same_fold].equals(again[~same_fold])


def test_subjects_that_were_never_held_out_have_no_harmonised_features():
    rows, _, labels = cohort(shift=2.0, n=80)
    folds = pd.Series([0] * 40 + [pd.NA] * 40, dtype="Int64")
    harmonised = harmonised_out_of_fold(Combat(), pd.DataFrame(rows), labels == HEALTHY, folds)
    assert harmonised[:40].notna().all(axis=None) and harmonised[40:].isna().all(axis=None)
