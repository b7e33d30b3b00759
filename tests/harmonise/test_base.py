"""Remedies of features as a step of the pipeline: nothing of a held-out subject enters, and they are stored."""

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


def test_nothing_of_the_held_out_fold_enters(pipeline):
    features, _, labels = people()
    far = features.copy()
    far.iloc[0, :-1] = 1e6
    plain, moved = (crossfit(pipeline, table, labels, seed=2) for table in (features, far))
    fold = plain.folds == plain.folds[0]
    fold[0] = False
    np.testing.assert_array_equal(plain.probabilities[fold], moved.probabilities[fold])


def test_how_somebody_was_scanned_never_reaches_the_classifier(pipeline):
    features, _, labels = people()
    fitted, _ = fit(pipeline, features, labels)
    assert fitted.named_steps["classifier"].n_features_in_ == features.shape[1] - 1


def test_round_trip(pipeline, tmp_path: Path):
    features, _, labels = people()
    fitted, _ = fit(pipeline, features, labels)
    loaded = load_pipeline(save_pipeline(fitted, tmp_path / "classifier.skops"))
    np.testing.assert_array_equal(abnormal_probability(loaded, features), abnormal_probability(fitted, features))


def test_subjects_out_of_reach_are_counted_in_a_note(pipeline):
    features, protocols, labels = people(n=120)
    features.iloc[:7, -1] = 9 if isinstance(pipeline.named_steps["harmonise"], Combat) else -1.0
    labels[:7] = 1
    notes = crossfit(pipeline, features, labels, folds=3).notes
    assert any("left 7 of 120 subjects unchanged" in note for note in notes), notes
    found, _ = holdout(pipeline, features, labels, test=np.arange(120) < 20)
    assert any("left 7 of 20 subjects unchanged" in note for note in found.notes)
    assert protocols.any()


def test_everybody_in_reach_needs_no_note(pipeline):
    features, _, labels = people()
    assert crossfit(pipeline, features, labels).notes == []
