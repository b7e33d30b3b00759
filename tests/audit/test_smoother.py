"""The fast classifier equals scikit-learn's kernel ridge, out of fold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge

from brain_cae.audit.smoother import (
    auroc_rows,
    crossfit_smoother,
    holm,
    kernel,
    permutation_p,
    read_label,
    shuffled_rows,
)
from brain_cae.estimates import auroc


def test_agrees_with_kernel_ridge() -> None:
    rng = np.random.default_rng(0)
    similarity, target = kernel(rng.normal(size=(20, 3))), rng.normal(size=20)
    number = np.random.default_rng(7).permutation(np.arange(20) % 4)
    predicted = crossfit_smoother(similarity, seed=7, folds=4, repeats=1) @ target
    for fold in range(4):
        inside, out = number != fold, number == fold
        ridge = KernelRidge(alpha=1.0, kernel="precomputed")
        ridge.fit(similarity[np.ix_(inside, inside)], target[inside] - target[inside].mean())
        np.testing.assert_allclose(predicted[out], ridge.predict(similarity[np.ix_(out, inside)]))


def test_a_subject_has_no_weight_in_its_prediction() -> None:
    smoother = crossfit_smoother(kernel(np.random.default_rng(0).normal(size=(15, 2))), seed=0)
    assert (np.diag(smoother) == 0).all()
    np.testing.assert_allclose(smoother.sum(axis=1), 0, atol=1e-12)


def test_classes_that_are_more_alike_than_shuffled_ones_have_the_bound_of_these() -> None:
    # Pairs with the same settings and both labels: a subject held out is predicted as its partner, so always wrong.
    reading = read_label(np.tile([0, 1], 8), np.repeat(np.arange(8.0), 2)[:, None], seed=0, permutations=199)
    assert reading.estimate.value < 0.1 < reading.chance
    assert reading.bound > 0.5


def test_auroc_of_rows() -> None:
    rng = np.random.default_rng(1)
    truth, scores = rng.random((3, 30)) < 0.4, rng.integers(0, 5, (3, 30)).astype(float)
    expected = [auroc(row, values, resamples=2).value for row, values in zip(truth, scores, strict=True)]
    np.testing.assert_allclose(auroc_rows(truth, scores), expected)


def test_shuffling_stays_within_groups() -> None:
    values, groups = np.arange(12), np.repeat([0, 1, 2], 4)
    rows = shuffled_rows(values, permutations=5, seed=0, within=groups)
    for group in range(3):
        assert (np.sort(rows[:, groups == group], axis=1) == values[groups == group]).all()
    assert len({tuple(row) for row in rows}) > 1


def test_permutation_p_counts_itself() -> None:
    assert permutation_p(2.0, np.array([0.0, 1.0, 2.0])) == 0.5
    assert permutation_p(3.0, np.zeros(99)) == 0.01


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(after >= before for after, before in zip(adjusted, p_values, strict=True))
    assert min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))
    order = np.argsort(p_values)
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
