"""Folds contain both classes; settings are reduced for small classes, with a note."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from brain_cae.errors import ConfigurationError
from brain_cae.transfer.fitting import abnormal_probability, fit, make_folds, obstacle
from brain_cae.transfer.pipeline import build_pipeline

from .test_crossfit import cohort


@settings(max_examples=25)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(2, 6), st.integers(0, 99))
def test_folds_hold_both_classes_and_each_subject_once(healthy: int, abnormal: int, folds: int, seed: int) -> None:
    labels = np.repeat([0, 1], [healthy, abnormal])
    numbers, notes = make_folds(labels, folds=folds, seed=seed)
    made = min(folds, healthy, abnormal)
    assert set(numbers) == set(range(made))
    assert bool(notes) == (made < folds)
    for number in range(made):
        assert {0, 1} == set(labels[numbers == number])


def test_a_class_has_no_more_folds_than_it_has_groups() -> None:
    person = np.repeat(np.arange(8), 3)
    numbers, notes = make_folds(person < 3, folds=5, seed=0, groups=person)
    assert numbers.max() == 2 and notes == ["3 folds instead of 5: the smaller class has 3 members."]


def test_no_split_is_made_of_one_member_or_one_fold() -> None:
    numbers, notes = make_folds([1, 0, 0, 0], folds=3, seed=0)
    assert (numbers == -1).all() and "single member" in notes[0]
    with pytest.raises(ConfigurationError, match="two folds"):
        make_folds([1, 0, 0, 1], folds=1, seed=0)


def test_the_obstacle_to_fitting_is_named() -> None:
    plain, inner = (
        build_pipeline(classifier) for classifier in (LogisticRegression(), CalibratedClassifierCV(LinearSVC()))
    )
    assert obstacle(plain, [1, 1, 1]) == "one class for training"
    assert obstacle(plain, [1, 0, 0]) == ""
    assert "single member" in obstacle(inner, [1, 0, 0])
    assert obstacle(inner, [1, 1, 0, 0]) == ""


def test_neighbours_and_inner_folds_shrink_to_the_smaller_class() -> None:
    features, labels = cohort(n=14)  # five healthy subjects
    few = labels | (np.arange(14) > 8)  # three healthy subjects
    fitted, notes = fit(build_pipeline(KNeighborsClassifier(30), SMOTE()), features, few)
    parameters = fitted.get_params()
    assert (parameters["balancing__k_neighbors"], parameters["classifier__n_neighbors"]) == (2, 6)
    assert len(notes) == 2 and all("3 members" in note for note in notes)
    calibrated, notes = fit(build_pipeline(CalibratedClassifierCV(LinearSVC())), features, few)
    assert calibrated.get_params()["classifier__cv"] == 3 and "3 inner folds" in notes[0]
    assert fit(build_pipeline(KNeighborsClassifier(5), SMOTE(k_neighbors=2)), features, few)[1] == []


def test_the_probability_is_that_of_abnormal() -> None:
    features = pd.DataFrame({"a": [0.0, 1.0, 10.0, 11.0]})
    fitted, _ = fit(build_pipeline(KNeighborsClassifier(1)), features, ["healthy", "healthy", "abnormal", "abnormal"])
    assert abnormal_probability(fitted, features).tolist() == [0, 0, 1, 1]
