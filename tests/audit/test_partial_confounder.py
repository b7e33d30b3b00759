"""The partial confounder test detects the scanner's effect on the score and names the parameter."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.partial_confounder import partial_confounder
from brain_cae.audit.table import make_table


def answers(simulate, **settings) -> list[str]:
    tables = (make_table(*simulate(seed, **settings)) for seed in range(24))
    return [partial_confounder(cohort, permutations=199).verdict for cohort in tables]


def test_the_partial_test_detects_the_scanner_in_the_score_and_nothing_else(simulate) -> None:
    assert answers(simulate, confounding=0.6, effect=3.0).count("concern") <= 4
    assert answers(simulate, dependence=1.0).count("concern") == 24
    assert answers(simulate, dependence=1.0, effect=0.0, confounding=0.6).count("concern") >= 22


def test_partial_test_names_the_parameter(simulate) -> None:
    subjects, acquisition = simulate(3)
    subjects = subjects.assign(score=subjects["score"] + 2 * (acquisition["field_strength_t"] == 3.0))
    test = partial_confounder(make_table(subjects, acquisition))
    assert test.details[0]["parameter"] == "field_strength_t"
    # A shift of 2 in half of the subjects adds a variance of 1 to a noise of 1.
    assert test.low < 0.5 < test.high


def test_degrees_of_freedom_are_categories_minus_one_plus_one_for_missing_values(simulate) -> None:
    test = partial_confounder(make_table(*simulate(1)), permutations=99)
    assert {row["parameter"]: row["degrees_of_freedom"] for row in test.details} == {
        "manufacturer": 2,
        "field_strength_t": 1,
        "flair_repetition_time_ms": 1,
        "flair_rows": 1,
        # One value, known or missing.
        "flair_inversion_time_ms": 1,
    }
    subjects, acquisition = simulate(1)
    acquisition.loc[acquisition.index[::3], "flair_rows"] = np.nan
    gaps = partial_confounder(make_table(subjects, acquisition), permutations=99)
    assert {row["parameter"]: row["degrees_of_freedom"] for row in gaps.details}["flair_rows"] == 2
    assert all(row["p"] <= row["p_corrected"] for row in gaps.details)


def test_the_share_is_that_of_the_ranks_within_each_label() -> None:
    label = np.repeat(["healthy", "abnormal"], 10)
    table = pd.DataFrame({"label": label, "score": np.arange(20.0), "protocol": "a"})
    angle = pd.DataFrame({"flip_angle_deg": np.tile([10.0] * 5 + [20.0] * 5, 2)}, index=table.index)
    test = partial_confounder(make_table(table, angle), permutations=99)
    # Ranks 1 to 10 against their upper half: r**2 = 2.5**2 / 8.25.
    assert test.value == pytest.approx(6.25 / 8.25)
    assert test.verdict == "concern" and test.p == 0.01 and test.low < test.value < test.high


def test_a_parameter_associated_only_with_the_label_cannot_affect_the_score() -> None:
    label = np.repeat(["healthy", "abnormal"], 10)
    table = pd.DataFrame({"label": label, "score": np.arange(20.0), "protocol": "a"})
    field = pd.DataFrame({"field_strength_t": np.repeat([1.5, 3.0], 10)}, index=table.index)
    test = partial_confounder(make_table(table, field), permutations=99)
    assert (test.value, test.p, test.verdict) == (0.0, None, "no concern")


def test_fewer_than_ten_scored_subjects_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(1)
    subjects.loc[subjects.index[:71], "score"] = np.nan
    test = partial_confounder(make_table(subjects, acquisition))
    assert (test.verdict, test.n, test.n_needed) == ("cannot tell", 9, 40)
