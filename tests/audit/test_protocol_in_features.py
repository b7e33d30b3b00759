"""The protocol is predicted from features that depend on it, and from no others."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.protocol_in_features import protocol_in_features, protocol_in_harmonised
from brain_cae.audit.table import make_table


def test_protocol_in_features(simulate) -> None:
    subjects, acquisition = simulate(1)
    cohort = make_table(subjects, acquisition)
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(80, 5)), index=subjects.index)
    marked = noise.assign(mark=acquisition["flair_repetition_time_ms"] / 300)
    assert protocol_in_features(cohort, noise).p > 0.01
    test = protocol_in_features(cohort, marked)
    assert test.p <= 0.01 and test.value > 0.5
    assert test.low < test.value < test.high < 1.0 + 1e-9 and test.high - test.low < 0.4
    assert protocol_in_features(cohort, None) is None


def test_features_that_are_the_protocol_name_every_subject() -> None:
    number = np.repeat([0, 1], [60, 10])
    label = np.where(np.arange(70) % 2, "abnormal", "healthy")
    table = pd.DataFrame({"label": label, "score": 0.0, "protocol": [f"scanner {one}" for one in number]})
    features = pd.DataFrame({"mark": number * 1.0})
    test = protocol_in_features(make_table(table, features), features)
    assert test.value == 1.0 and test.p == 0.005 and test.verdict == "concern"
    # Ten of ten is not certain.
    assert test.low < 0.99
    assert "chance is 0.50" in test.sentence


def test_a_large_protocol_does_not_always_win() -> None:
    number = np.repeat([0, 1], [60, 10])
    label = np.where(np.arange(70) % 2, "abnormal", "healthy")
    table = pd.DataFrame({"label": label, "score": 0.0, "protocol": [f"scanner {one}" for one in number]})
    mark = pd.DataFrame({"mark": 1.5 * number + np.random.default_rng(0).normal(size=70)})
    # Two normal distributions 1.5 apart are separated in 77 % of each; always predicting the large one gives 0.50.
    assert protocol_in_features(make_table(table, mark), mark).value == pytest.approx(0.77, abs=0.1)


def test_subjects_without_features_are_left_out_and_few_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(1)
    cohort = make_table(subjects, acquisition)
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 5)), index=subjects.index)
    features.iloc[:10, 0] = np.nan
    assert protocol_in_features(cohort, features).n == 70
    few = protocol_in_features(cohort, features.iloc[10:29])
    assert (few.verdict, few.n, few.n_needed) == ("cannot tell", 19, 40)
    single = protocol_in_features(make_table(subjects.assign(protocol="one"), acquisition), features)
    assert single.verdict == "cannot tell" and "single protocol" in single.sentence


def test_harmonised_features_are_tested_under_another_name(simulate) -> None:
    subjects, acquisition = simulate(1)
    cohort = make_table(subjects, acquisition)
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 5)), index=subjects.index)
    before, after = protocol_in_features(cohort, features), protocol_in_harmonised(cohort, features)
    assert after.name == "protocol_in_harmonised" and after.sentence == f"After harmonisation: {before.sentence}"
    assert (after.value, after.p) == (before.value, before.p)
    assert protocol_in_harmonised(cohort, None) is None
