"""The result of a test, also as JSON."""

import json
import math

import numpy as np
import pytest

from brain_cae.audit.result import AuditTest, unable


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    test = AuditTest("overlap", math.nan, -math.inf, 0.5, None, "concern", "It is.", 3, upper_bound=math.inf)
    assert json.loads(json.dumps(test.to_dict(), allow_nan=False)) == {
        "name": "overlap",
        "value": None,
        "low": None,
        "high": 0.5,
        "p": None,
        "verdict": "concern",
        "sentence": "It is.",
        "n": 3,
        "n_needed": None,
        "upper_bound": None,
        "details": [],
        "p_corrected": None,
    }


def test_details_become_plain_types_at_every_depth() -> None:
    rows = [{"protocol": "a", "share": np.float32(0.25), 3: (np.int64(4), np.nan), "same": True, "count": 7}]
    test = AuditTest("overlap", 0.5, 0.4, 0.6, 0.01, "concern", "It is.", 3, details=rows)
    (row,) = test.to_dict()["details"]
    assert row == {"protocol": "a", "share": 0.25, "3": [4, None], "same": True, "count": 7}
    assert row["same"] is True and type(row["count"]) is int and type(row["share"]) is float
    assert rows[0]["share"].dtype == np.float32  # the result itself is unchanged


def test_a_value_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(TypeError):
        AuditTest("overlap", 0.5, 0.4, 0.6, None, "concern", "It is.", 3, details=[{"x": object()}]).to_dict()


def test_a_test_that_cannot_tell_has_only_numbers_of_subjects() -> None:
    test = unable("overlap", "Only one class is present.", n=12, n_needed=40)
    assert (test.verdict, test.n, test.n_needed, test.sentence) == ("cannot tell", 12, 40, "Only one class is present.")
    assert {test.value, test.low, test.high, test.p, test.upper_bound, test.p_corrected} == {None}
    assert unable("overlap", "", n=1).n_needed is None
