"""A held-out subject never reaches the pipeline that predicts it."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from brain_cae.errors import ConfigurationError, DatasetError, LeakageError
from brain_cae.transfer import build_pipeline, crossfit, holdout


def cohort(effect: float = 0.0, n: int = 60, columns: int = 5, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3 > 0
    return pd.DataFrame(rng.normal(size=(n, columns)) + effect * labels[:, None]), labels


class Memory(ClassifierMixin, BaseEstimator):
    """A classifier that predicts 1 for the rows that it was fitted on, else 0."""

    def fit(self, rows: np.ndarray, labels: np.ndarray) -> "Memory":
        self.classes_ = np.unique(labels)
        self.rows_ = {tuple(np.round(row, 6)) for row in rows}
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        seen = np.array([float(tuple(np.round(row, 6)) in self.rows_) for row in rows])
        return np.column_stack([1 - seen, seen])


def test_held_out_rows_were_never_seen() -> None:
    features, labels = cohort()
    assert (crossfit(build_pipeline(Memory()), features, labels).probabilities == 0).all()


@pytest.mark.parametrize("n", [7, 20, 61])
def test_a_constant_predictor_is_constant_over_all_folds(n: int) -> None:
    features, labels = cohort(n=n)
    probabilities = crossfit(build_pipeline(DummyClassifier()), features, labels).probabilities
    assert (probabilities == labels.mean()).all()


def test_scaler_and_balancing_see_only_the_training_folds() -> None:
    features, labels = cohort()
    far = features.copy()
    far.iloc[0] = 1e6
    pipeline = build_pipeline(LogisticRegression(), SMOTE())
    plain, moved = (crossfit(pipeline, table, labels, seed=2) for table in (features, far))
    fold = plain.folds == plain.folds[0]
    fold[0] = False
    # Subjects of the outlier's fold are predicted by a pipeline that was fitted without it.
    np.testing.assert_array_equal(plain.probabilities[fold], moved.probabilities[fold])


def test_fitted_or_bare_estimators_are_refused() -> None:
    features, labels = cohort()
    pipeline = build_pipeline(LogisticRegression())
    with pytest.raises(ConfigurationError, match="pipeline"):
        crossfit(LogisticRegression(), features, labels)
    pipeline.named_steps["scaler"].fit(features)
    with pytest.raises(LeakageError, match="fitted before"):
        crossfit(pipeline, features, labels)
    with pytest.raises(DatasetError, match="length"):
        crossfit(build_pipeline(LogisticRegression()), features, labels[:-1])


def test_deterministic_and_better_than_chance_with_an_effect() -> None:
    features, labels = cohort(effect=1.0)
    pipeline = build_pipeline(LogisticRegression(), SMOTE())
    first, again = (crossfit(pipeline, features, labels, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert roc_auc_score(labels, first.probabilities) > 0.85
    assert first.notes == []


def test_one_class_and_tiny_classes() -> None:
    features, _ = cohort()
    one = crossfit(build_pipeline(LogisticRegression()), features, np.ones(60))
    assert not one.defined and (one.folds == -1).all() and "the same label" in one.notes[0]
    labels = np.zeros(60)
    labels[:3] = 1
    few = crossfit(build_pipeline(LogisticRegression(), SMOTE()), features, labels, folds=5)
    assert few.defined and few.folds.max() == 2
    assert any("3 folds instead of 5" in note for note in few.notes)
    assert any("neighbours" in note for note in few.notes)


def test_groups_stay_together() -> None:
    features, _ = cohort()
    person = np.repeat(np.arange(20), 3)
    labels = person % 2
    out = crossfit(build_pipeline(LogisticRegression()), features, labels, groups=person)
    assert all(len(set(out.folds[person == one])) == 1 for one in range(20))


def test_holdout() -> None:
    features, labels = cohort(effect=1.0)
    test = np.arange(60) >= 40
    out, fitted = holdout(build_pipeline(LogisticRegression()), features, labels, test=test)
    assert np.isnan(out.probabilities[:40]).all() and roc_auc_score(labels[40:], out.probabilities[40:]) > 0.7
    assert fitted is not None and fitted.named_steps["scaler"].n_samples_seen_ == 40
    assert holdout(build_pipeline(LogisticRegression()), features, np.ones(60), test=test)[1] is None
