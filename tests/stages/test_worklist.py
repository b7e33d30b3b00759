"""The worklist is sorted, and its bound counts patients out of calibration as false."""

from types import SimpleNamespace

import pandas as pd
import pytest

from brain_cae.stages.worklist import BOUND, worklist, worklist_summary


@pytest.fixture
def patients():
    """Ten patients, calibrated with 99 brains: six of them score higher than all of these, one from elsewhere."""
    names = list("abcdefghij")
    ranks = [1, 1, 50, 1, 1, 1, 70, 1, 90, 30]
    table = pd.DataFrame(
        {
            "score": [9.0, 8.0, 2.0, 7.0, 6.5, 6.0, 1.5, 5.5, 1.0, 3.0],
            "p_value": [rank / 100 for rank in ranks],
            "rate_bound": 0.5,
            "flagged": [rank == 1 for rank in ranks],
            "out_of_calibration": [name == "a" for name in names],
            "out_of_calibration_reason": ["site" if name == "a" else "" for name in names],
        },
        index=names,
    )
    lesions = [SimpleNamespace(volume_ml=1.25), SimpleNamespace(volume_ml=0.5)]
    return table, {name: SimpleNamespace(lesions=lesions) for name in names}


def test_rows_fall_by_score_and_only_flagged_patients_have_lesions(patients):
    rows = worklist(*patients, 0.95)
    assert "".join(rows["subject"]) == "abdefhjcgi"
    assert rows["lesions"].tolist()[:6] == [2] * 6 and rows["lesions"].isna().tolist()[6:] == [True] * 4
    assert rows["volume_ml"].tolist()[0] == 1.75 and rows["volume_ml"].isna().sum() == 4


def test_a_patient_from_elsewhere_counts_as_false_whatever_its_p_value(patients):
    rows = worklist(*patients, 0.95)
    assert rows[BOUND].tolist() == [1, 2, 2, 2, 2, 2, 3, 4, 5, 6]
    text = worklist_summary(rows, 0.95, "split")
    assert text.startswith("6 of 10 patients are flagged. Nothing is promised about the 1 out")
    assert "At most 2 of the first 6 are false" in text and "At least 4 of all patients are not healthy" in text
    assert "cross-fitted calibration this is an approximation" in worklist_summary(rows, 0.95, "crossfit")
    assert "approximation" in worklist_summary(rows, 0.95, "leave_one_out") and "approximation" not in text


def test_a_bound_that_says_nothing_is_called_trivial(patients):
    table, findings = patients
    rows = worklist(table.assign(p_value=0.2, flagged=None), findings, 0.95)
    assert rows[BOUND].tolist() == list(range(1, 11))
    text = worklist_summary(rows, 0.95, "split")
    assert text.startswith("0 of 10 patients are flagged.") and "trivial" in text
