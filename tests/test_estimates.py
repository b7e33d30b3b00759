"""Estimates: values against scikit-learn, intervals against known coverage."""

import json
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from brain_cae.errors import DatasetError
from brain_cae.estimates import (
    auroc,
    average_precision,
    mean,
    mean_count,
    newcombe_interval,
    paired_difference,
    proportion,
    threshold_metrics,
    undefined,
)


def cohort(seed: int, healthy: int = 28, abnormal: int = 52, effect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [healthy, abnormal])
    return labels, rng.normal(size=len(labels)) + effect * labels


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=40))
def test_values_agree_with_scikit_learn_even_with_ties(rows: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=float)
    if labels.all() or not labels.any():
        assert auroc(labels, scores).value is None
        return
    area, precision = auroc(labels, scores, resamples=100), average_precision(labels, scores, resamples=100)
    assert area.value == pytest.approx(roc_auc_score(labels, scores))
    assert precision.value == pytest.approx(average_precision_score(labels, scores))
    for estimate in (area, precision):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.high - estimate.low > 0


def test_bootstrap_covers_the_truth_about_95_times_in_100() -> None:
    truth = 0.7602  # Phi(1 / sqrt 2)
    covered = sum(
        estimate.low <= truth <= estimate.high
        for estimate in (auroc(*cohort(seed), resamples=400) for seed in range(200))
    )
    assert 178 <= covered <= 199


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_perfect_auroc_has_an_interval_and_names_its_method(value: float) -> None:
    labels = np.repeat([0, 1], [20, 25])
    estimate = auroc(labels, labels if value else -labels)
    assert estimate.value == value
    assert 0.05 < estimate.high - estimate.low < 0.25
    assert "Newcombe" in estimate.method


def test_newcombe_interval_solves_its_equation_and_covers() -> None:
    low, high = newcombe_interval(0.8, 30, 30)
    assert low == pytest.approx(0.67, abs=0.02)
    assert high == pytest.approx(0.89, abs=0.02)
    # True AUROC 0.983 (shift 3): small samples often reach 1 and must still cover.
    covered = 0
    for seed in range(200):
        estimate = auroc(*cohort(seed, 12, 12, effect=3.0), resamples=200)
        covered += estimate.low <= 0.9831 <= estimate.high
    assert covered >= 184


def test_average_precision_of_one_has_an_interval() -> None:
    labels = np.repeat([0, 1], 10)
    estimate = average_precision(labels, labels)
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(10 / (10 + 1.96**2), abs=1e-3)


def test_wilson_intervals_match_known_values() -> None:
    half, none = proportion(5, 10), proportion(0, 20)
    assert (half.low, half.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert none.low == 0
    assert none.high == pytest.approx(0.1611, abs=1e-4)
    assert proportion(0, 0).value is None
    with pytest.raises(DatasetError, match="successes"):
        proportion(3, 2)


def test_threshold_metrics_count_each_class() -> None:
    result = threshold_metrics(["healthy"] * 4 + ["abnormal"] * 5, [0, 0, 0, 1, 1, 1, 0, 0, 0])
    assert result["sensitivity"].value == pytest.approx(0.4)
    assert result["specificity"].value == pytest.approx(0.75)
    assert (result["sensitivity"].n, result["specificity"].n) == (5, 4)


def test_paired_difference_is_narrower_than_unpaired_and_zero_for_itself() -> None:
    labels, scores = cohort(3)
    near = scores + 0.2 * np.random.default_rng(1).normal(size=len(scores))
    difference = paired_difference(labels, scores, near)
    alone = auroc(labels, scores)
    assert difference.value == pytest.approx(roc_auc_score(labels, scores) - roc_auc_score(labels, near))
    assert difference.high - difference.low < 0.5 * (alone.high - alone.low)
    assert paired_difference(labels, scores, scores).value == 0
    average = paired_difference(labels, scores, near, metric="average_precision")
    assert average.low <= average.value <= average.high
    assert paired_difference(labels, scores, scores - 1, metric="mean").value == pytest.approx(1.0)


def test_the_difference_of_two_perfect_scores_has_an_interval() -> None:
    labels = np.repeat([0, 1], 10)
    difference = paired_difference(labels, labels, labels * 2.0)
    assert difference.value == 0
    assert difference.low < -0.05 and difference.high > 0.05


def test_missing_scores_are_excluded_from_the_count() -> None:
    labels, scores = cohort(0)
    scores[:3] = np.nan
    assert auroc(labels, scores).n == 77
    assert auroc(labels, np.full(80, np.nan)).value is None


def test_undefined_estimates_give_a_reason_and_all_are_valid_json() -> None:
    entry = undefined("no masks", n=3).to_dict()
    assert list(entry) == ["value", "low", "high", "n", "n_positive", "method"]
    assert entry["value"] is None and "no masks" in entry["method"]
    assert "only healthy" in auroc([0, 0], [1, 2]).method
    json.dumps(auroc(*cohort(1)).to_dict(), allow_nan=False)
    json.dumps(proportion(np.int64(1), np.int64(3)).to_dict(), allow_nan=False)


def test_too_few_subjects_of_a_class_are_undefined_with_the_number_needed() -> None:
    labels, scores = [0] * 9 + [1] * 4, np.arange(13)
    figures = (auroc, average_precision, partial(paired_difference, scores_b=scores[::-1]))
    for figure in figures:
        estimate = figure(labels, scores, min_per_class=5)
        assert not estimate.defined and (estimate.n, estimate.n_positive) == (13, 4)
        assert estimate.method == "undefined: 9 healthy and 4 abnormal subjects, and 5 of each are needed"
        assert figure(labels, scores, min_per_class=4).defined


def test_the_mean_ignores_nan_and_has_an_interval_from_two_values() -> None:
    estimate = mean([1.0, 2.0, 3.0, np.nan])
    assert estimate.value == 2.0 and estimate.n == 3
    assert estimate.low < 2 < estimate.high
    assert mean([4.0]).low is None and mean([4.0]).value == 4.0
    assert mean([]).value is None


def test_nothing_counted_in_a_few_subjects_does_not_exclude_a_rate() -> None:
    estimate = mean_count([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert (estimate.value, estimate.low) == (0, 0)
    assert np.exp(-10 * estimate.high) == pytest.approx(0.025), "a rate at which none in ten has a chance of 2.5 %"
    assert mean_count([0, 1, 0, 2]) == mean([0, 1, 0, 2]) and mean_count([]).value is None


def test_intervals_are_seeded_and_fast() -> None:
    labels, scores = cohort(5, 50, 50)
    start = time.perf_counter()
    first = auroc(labels, scores, seed=4)
    # A loose limit, because the machine may be busy.
    assert time.perf_counter() - start < 30
    assert first == auroc(labels, scores, seed=4)
    assert first != auroc(labels, scores, seed=5)


def test_errors_name_the_wrong_value() -> None:
    with pytest.raises(DatasetError, match="length"):
        auroc([0, 1], [1.0])
    with pytest.raises(DatasetError, match="tumour"):
        auroc(["healthy", "tumour"], [1.0, 2.0])
    with pytest.raises(DatasetError, match="metric"):
        paired_difference([0, 1], [1, 2], [1, 2], metric="dice")
