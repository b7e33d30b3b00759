"""A p-value is small with an effect, and uniform without one."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from brain_cae.transfer import build_pipeline, permutation_p
from brain_cae.transfer.permutation import permutation_p_of_predictions

from .test_crossfit import cohort


def test_permutation_p_detects_an_effect_and_is_calibrated_without_one() -> None:
    pipeline = build_pipeline(GaussianNB(), impute=False)
    assert permutation_p(pipeline, *cohort(effect=1.0), folds=2, permutations=19).value == pytest.approx(1 / 20)
    values = [permutation_p(pipeline, *cohort(seed=s, n=30), folds=2, permutations=4).value for s in range(20)]
    # Uniform on 0.2 ... 1.0: how many of 20 reach the smallest value is binomial(20, 0.2), above 9 once in 400.
    assert sum(value <= 0.2 for value in values) <= 9
    assert 0.35 < np.mean(values) < 0.85
    assert permutation_p(pipeline, cohort()[0], np.ones(60)).value is None


def test_the_rows_of_one_person_are_shuffled_together() -> None:
    # Four people with constant rows: if rows were shuffled, no permutation would come close to the observed AUROC.
    person = np.repeat(np.arange(4), 6)
    features = cohort(n=24, columns=1)[0] * 0.01 + (person % 2)[:, None]
    pipeline = build_pipeline(GaussianNB(), impute=False)
    p = permutation_p(pipeline, features, person % 2, folds=2, groups=person, permutations=40).value
    assert p is not None and 0.15 < p < 0.9  # a third of the arrangements of two and two also separate


def test_predictions_are_shuffled_within_their_fold() -> None:
    folds, labels = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    perfect = permutation_p_of_predictions(labels, labels + 0.5 * folds, folds, permutations=99)
    assert perfect.value == pytest.approx(0.01) and perfect.high is not None and 0.01 < perfect.high < 0.06
    # The fold determines both label and prediction. Both are constant within a fold, so every shuffle is the same.
    assert permutation_p_of_predictions(folds, folds.astype(float), folds, permutations=99).value == 1
    assert permutation_p_of_predictions(np.ones(40), labels.astype(float), folds).value is None
