"""Condition B detects the scanner in the score, and not the disease."""

import numpy as np
import pytest

from brain_cae.audit.score_dependence import aligned_ranks, score_dependence, share_interval
from brain_cae.audit.table import make_table


def test_the_effect_of_the_label_is_removed() -> None:
    truth = np.repeat([False, True], 5)
    aligned = aligned_ranks(truth, np.arange(10) + 100.0 * truth)
    np.testing.assert_allclose(aligned[:5], aligned[5:])
    assert aligned[:5].std() == pytest.approx(1.0)


def test_disease_alone_is_not_dependence_even_if_protocol_and_label_are_associated(simulate) -> None:
    p_values = [
        score_dependence(make_table(*simulate(seed, confounding=0.6, effect=3.0)), permutations=199).p
        for seed in range(30)
    ]
    assert sum(p <= 0.05 for p in p_values) <= 5


def test_dependence_is_detected_with_its_size(simulate) -> None:
    test = score_dependence(make_table(*simulate(2, dependence=1.0, healthy=100, abnormal=100)))
    # The protocol adds a variance of 1 to a noise of 1, so half of the variance within a label.
    assert test.verdict == "concern"
    assert test.low < 0.5 < test.high
    assert test.value == pytest.approx(0.5, abs=0.12)


def test_scores_that_are_equal_within_a_label_are_named_as_the_reason(simulate) -> None:
    subjects, acquisition = simulate(1, confounding=0.5)
    test = score_dependence(make_table(subjects.assign(score=1.0), acquisition))
    assert test.verdict == "cannot tell" and "same score" in test.sentence


def test_settings_within_a_protocol_are_detected(simulate) -> None:
    subjects, acquisition = simulate(3)
    time = acquisition["flair_repetition_time_ms"]
    # One protocol name for all, so that only the settings differ.
    subjects = subjects.assign(protocol="one", score=subjects["score"] + 3 * (time > 9500))
    assert score_dependence(make_table(subjects, acquisition)).p <= 0.01


def test_share_interval_covers() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 20)
    covered = 0
    for _ in range(60):
        values = rng.normal(size=80) + np.array([1, 1, -1, -1])[group] * 0.5
        means = np.array([values[group == g].mean() for g in range(4)])
        statistic = 78 * 20 * ((means - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum()
        low, high = share_interval(statistic, 3, 80)
        covered += low <= 0.2 <= high
    assert covered >= 52
