"""The comparison of headers: known effects, and the nominal false-alarm rate."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.header_comparison import header_comparison, permuted_p_values, smallest_p_correction
from brain_cae.audit.table import make_table


def test_effects_equal_their_textbook_values(simulate) -> None:
    subjects, acquisition = simulate(1)
    truth = (subjects["label"] == "abnormal").to_numpy()
    acquisition["flair_echo_time_ms"] = np.where(truth, 120.0, 100.0) + np.arange(80) % 3
    acquisition["t1_sequence"] = np.where(truth, "SE", "GRE")
    acquisition.loc[~truth, "flair_inversion_time_ms"] = np.nan
    test = header_comparison(make_table(subjects, acquisition))
    rows = {(row["modality"], row["parameter"], row["what"]): row for row in test.details}
    longer = rows["flair", "echo_time_ms", "value"]
    assert longer["effect"] == 1.0 and longer["effect_name"] == "Cliff's delta" and longer["p_corrected"] <= 0.01
    assert longer["healthy"] == "101 (100 to 102)" and longer["abnormal"] == "121 (120 to 122)"
    assert rows["t1", "sequence", "value"]["effect"] == pytest.approx(1.0)
    assert rows["flair", "inversion_time_ms", "known or missing"]["effect"] > 0.7
    assert rows["flair", "inversion_time_ms", "known or missing"]["healthy"] == "0 of 28 known"
    assert test.verdict == "concern" and test.p == min(row["p_corrected"] for row in test.details)


def test_cliffs_delta_counts_pairs() -> None:
    table = pd.DataFrame({"label": ["healthy"] * 3 + ["abnormal"] * 2, "score": 0.0, "protocol": "a"})
    cohort = make_table(table, pd.DataFrame({"flip_angle_deg": [10, 20, 30, 20, 40.0]}, index=table.index))
    # Of six pairs, the abnormal subject has the larger value in four, the smaller in one, and one is tied.
    test = header_comparison(cohort, permutations=9)
    row = test.details[0]
    assert row["effect"] == pytest.approx(0.5) and row["modality"] == ""
    assert 0.0 <= test.low < 0.5 < test.high <= 1.0


@pytest.mark.parametrize(("each", "low"), [(1, 0.0), (3, 0.0), (10, 0.6)])
def test_a_complete_separation_is_as_certain_as_its_subjects_are_many(each: int, low: float) -> None:
    labels, scanners = ["healthy"] * each + ["abnormal"] * each, ["A"] * each + ["B"] * each
    table = pd.DataFrame({"label": labels, "score": 0.0, "protocol": "a"})
    columns = pd.DataFrame({"manufacturer": scanners, "flip_angle_deg": [10.0] * each + [20.0] * each})
    for name in columns:
        test = header_comparison(make_table(table, columns[[name]]), permutations=9, resamples=20)
        assert test.value == 1.0 and test.low == pytest.approx(low, abs=0.02) and test.high == 1.0
    # Only one subject of each class has the parameter.
    columns.loc[(columns.index != 0) & (columns.index != each), "manufacturer"] = ""
    test = header_comparison(make_table(table, columns[["manufacturer"]]), permutations=9, resamples=20)
    assert test.low == pytest.approx(0.0, abs=0.02)


@pytest.mark.extras
def test_one_false_alarm_in_twenty_however_many_parameters() -> None:
    rng = np.random.default_rng(0)
    labels = ["healthy"] * 20 + ["abnormal"] * 20
    alarms = 0
    for _ in range(200):
        table = pd.DataFrame({"label": labels, "score": 0.0, "protocol": "a"})
        columns = pd.DataFrame(rng.integers(0, 6, (40, 12)).astype(float), index=table.index)
        columns["words"] = rng.choice(["x", "y", "z"], 40)
        columns = columns.mask(rng.random(columns.shape) < 0.05)
        cohort = make_table(table, columns)
        test = header_comparison(cohort, permutations=99, resamples=2, seed=int(rng.integers(1e6)))
        alarms += test.verdict == "concern"
    # 5 % of 200 is 10; more than 18 would happen once in a hundred times.
    assert alarms <= 18


def test_the_smallest_p_is_corrected_for_the_other_tests() -> None:
    p_values = permuted_p_values(np.array([[9.0, 1, 2, 3], [1.0, 5, 6, 2]]))
    np.testing.assert_allclose(p_values[0], [0.25, 1.0, 0.75, 0.5])
    np.testing.assert_allclose(smallest_p_correction(p_values), [0.5, 1.0])
