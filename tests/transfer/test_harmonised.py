"""What the audit is shown of harmonised features: nobody has taught the step that harmonises him."""

import numpy as np
import pandas as pd

from brain_cae.harmonise.combat import Combat
from brain_cae.transfer.harmonised import harmonised_out_of_fold

from ..harmonise.cohort import HEALTHY, auroc_of_protocol, cohort


def test_out_of_fold_features_hide_the_protocol_and_know_nothing_of_the_subject():
    rows, protocols, labels = cohort(shift=2.0)
    features, healthy = pd.DataFrame(rows), labels == HEALTHY
    folds = pd.Series(np.arange(len(rows)) // 4 % 5, dtype="Int64")
    found = harmonised_out_of_fold(Combat(), features, healthy, folds)
    assert list(found) == list(features)[:-1]
    assert auroc_of_protocol(found.to_numpy(), protocols) < 0.6
    far = features.copy()
    far.iloc[0, :-1] = 1e6
    again = harmonised_out_of_fold(Combat(), far, healthy, folds)
    own = (folds == folds[0]).to_numpy()
    own[0] = False
    pd.testing.assert_frame_equal(found[own], again[own])
    assert not found[~own].equals(again[~own])


def test_subjects_that_were_never_held_out_have_none():
    rows, _, labels = cohort(shift=2.0, n=80)
    folds = pd.Series([0] * 40 + [pd.NA] * 40, dtype="Int64")
    found = harmonised_out_of_fold(Combat(), pd.DataFrame(rows), labels == HEALTHY, folds)
    assert found[:40].notna().all(axis=None) and found[40:].isna().all(axis=None)
