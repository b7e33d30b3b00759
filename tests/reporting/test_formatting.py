"""Formatting of numbers and estimates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brain_cae.reporting.formatting import details, estimate, is_estimate, number, p_value, reason, volume, words


def estimate_of(value, low, high, n=78, **more):
    return {"value": value, "low": low, "high": high, "n": n, "n_positive": None, "method": "", **more}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (estimate_of(0.93, 0.88, 0.97), "0.93 [0.88, 0.97] (n=78)"),
        (estimate_of(0.0, 0.0, 0.0803, 44), "0.00 [0.00, 0.08] (n=44)"),
        (estimate_of(0.9991, 0.998, 1.0), "0.999 [0.998, 1.000] (n=78)"),
        (estimate_of(0.0132, 0.012, 0.0144), "0.013 [0.012, 0.014] (n=78)"),
        (estimate_of(None, None, None), "not defined"),
        (estimate_of(float("nan"), None, None), "not defined"),
        (estimate_of(0.5, None, None), "0.50 (n=78)"),
        (None, "not defined"),
        (0.25, "0.25"),
        (7, "7"),
    ],
)
def test_an_estimate_is_printed_with_interval_and_count(value, text):
    assert estimate(value) == text


def test_a_difference_keeps_its_sign_and_its_side_of_zero():
    assert estimate(estimate_of(0.04, -0.02, 0.1), signed=True) == "+0.04 [\N{MINUS SIGN}0.02, +0.10] (n=78)"
    assert estimate(estimate_of(0.03, 0.001, 0.07), signed=True) == "+0.030 [+0.001, +0.070] (n=78)"


def test_zero_has_no_sign():
    assert number(-0.0001, digits=2) == "0.00"
    assert number(0.0, signed=True) == "0.00"


@given(some.floats(-1, 1), some.floats(0, 0.5), some.floats(0, 0.5))
def test_the_printed_value_equals_the_value(value, below, above):
    text = estimate(estimate_of(value, value - below, value + above)).replace("\N{MINUS SIGN}", "-")
    assert math.isclose(float(text.split()[0]), value, abs_tol=0.0051)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "< 0.001"), (0.024, "0.024"), (2 / 13, "0.154"), (1.0, "1.000"), (None, "not defined")]
)
def test_a_p_value_has_three_decimals(value, text):
    assert p_value(value) == text


@pytest.mark.parametrize(("value", "text"), [(208.7, "208.7"), (0.1, "0.1"), (0.0232, "0.023"), (0.0, "0.0")])
def test_no_volume_is_printed_as_nothing(value, text):
    assert volume(value) == text


def test_reason_and_details_come_from_the_method():
    assert reason(estimate_of(None, None, None, method="undefined: one class only")) == "one class only"
    assert reason(estimate_of(0.5, 0.4, 0.6, method="bootstrap")) == ""
    assert details(estimate_of(0.5, 0.4, 0.6, n_positive=30, method="bootstrap")) == "30 positive; bootstrap"


def test_values_of_any_type_become_text():
    assert words([64, 72, 56]) == "64 \N{MULTIPLICATION SIGN} 72 \N{MULTIPLICATION SIGN} 56"
    assert words({"a": 1, "b": "x"}) == "a 1, b x"
    assert words(True) == "yes"


def test_a_test_of_the_audit_is_not_an_estimate():
    assert is_estimate(estimate_of(0.5, 0.4, 0.6))
    assert not is_estimate({"name": "overlap", **estimate_of(0.5, 0.4, 0.6)})
