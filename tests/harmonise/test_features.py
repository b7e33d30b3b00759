"""Feature harmonisation as a pipeline step: it does not use held-out subjects, and it can be stored."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from sklearn.linear_model import LogisticRegression

from brain_cae.harmonise.combat import Combat
from brain_cae.harmonise.residualise import Residualise
from brain_cae.transfer import (
    abnormal_probability,
    build_pipeline,
    crossfit,
    fit,
    holdout,
    load_pipeline,
    save_pipeline,
)

from .cohort import cohort

STEPS = [Combat(), Residualise()]


@pytest.fixture(params=STEPS, ids=lambda step: type(step).__name__)
def pipeline(request):
    return build_pipeline(LogisticRegression(), SMOTE(), harmonise=request.param)


def people(**options) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rows, protocols, labels = cohort(**{"shift": 2.0, "effect": 1.0, "n": 80} | options)
    return pd.DataFrame(rows), protocols, labels


def test_the_held_out_fold_is_not_used_for_fitting(pipeline):
    features, _, labels = people()
    far = features.copy()
    far.iloc[0, :-1] = 1e6
    plain, moved = (crossfit(pipeline, table, labels, seed=2) for table in (features, far))
    fold = plain.folds == plain.folds[0]
    fold[0] = False
    np.testing.assert_array_equal(plain.probabilities[fold], moved.probabilities[fold])


def test_the_acquisition_columns_do_not_reach_the_classifier(pipeline):
    features, _, labels = people()
    fitted, _ = fit(pipeline, features, labels)
    assert fitted.named_steps["classifier"].n_features_in_ == features.shape[1] - 1


def test_round_trip(pipeline, tmp_path: Path):
    features, _, labels = people()
    fitted, _ = fit(pipeline, features, labels)
    loaded = load_pipeline(save_pipeline(fitted, tmp_path / "classifier.skops"))
    np.testing.assert_array_equal(abnormal_probability(loaded, features), abnormal_probability(fitted, features))


def test_subjects_that_cannot_be_harmonised_are_counted_in_a_note(pipeline):
    features, protocols, labels = people(n=120)
    features.iloc[:7, -1] = 9 if isinstance(pipeline.named_steps["harmonise"], Combat) else -1.0
    labels[:7] = 1
    notes = crossfit(pipeline, features, labels, folds=3).notes
    assert any("left 7 of 120 subjects unchanged" in note for note in notes), notes
    held_out, _ = holdout(pipeline, features, labels, test=np.arange(120) < 20)
    assert any("left 7 of 20 subjects unchanged" in note for note in held_out.notes)
    assert protocols.any()


def test_there_is_no_note_if_every_subject_can_be_harmonised(pipeline):
    features, _, labels = people()
    assert crossfit(pipeline, features, labels).notes == []
