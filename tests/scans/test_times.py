"""Seconds and milliseconds are told apart by all times of a header together."""

import math

import pytest

from brain_cae.scans.times import MILLISECONDS, SECONDS, UNKNOWN, in_milliseconds

NAN = math.nan
CASES = [
    # repetition, echo and inversion time as written, sequence, usual unit: times in ms, unit
    ((2.3, 0.00298, 0.9), "unknown", MILLISECONDS, (2300, 2.98, 900), SECONDS),
    ((7.1, 2.9, 450), "unknown", SECONDS, (7.1, 2.9, 450), MILLISECONDS),
    ((2300, 2.98, NAN), "unknown", SECONDS, (2300, 2.98, NAN), MILLISECONDS),
    ((30, 1.5, NAN), "unknown", SECONDS, (30, 1.5, NAN), MILLISECONDS),
    ((0.5, 0.01, NAN), "SE", MILLISECONDS, (500, 10, NAN), SECONDS),
    ((4.5, 0.09, NAN), "SE", MILLISECONDS, (4500, 90, NAN), SECONDS),
    ((5.0, 0.388, 1.65), "IR", MILLISECONDS, (5000, 388, 1650), SECONDS),
    ((9.0, 0.12, 2.5), "IR", SECONDS, (9000, 120, 2500), SECONDS),
    ((3.15, 1.37, NAN), "GRE", MILLISECONDS, (3.15, 1.37, NAN), MILLISECONDS),
    ((3.32, 0.07, NAN), "GRE", MILLISECONDS, (3.32, 0.07, NAN), MILLISECONDS),
    ((5000, 2.9, 700), "IR", MILLISECONDS, (5000, 2.9, 700), MILLISECONDS),
    ((NAN, NAN, NAN), "unknown", MILLISECONDS, (NAN, NAN, NAN), MILLISECONDS),
    ((NAN, 0.003, NAN), "unknown", MILLISECONDS, (NAN, 3, NAN), SECONDS),
    ((2.0, NAN, NAN), "unknown", SECONDS, (2000, NAN, NAN), SECONDS),
    # The inversion time alone is in the other unit.
    ((2300, 2.98, 0.9), "IR", MILLISECONDS, (2300, 2.98, 900), SECONDS),
    ((9000, 81, 2.5), "IR", MILLISECONDS, (9000, 81, 2500), SECONDS),
    ((6.7, 2.9, 0.45), "GRE", SECONDS, (6.7, 2.9, 450), SECONDS),
    ((9.0, 0.12, 2500), "IR", MILLISECONDS, (9000, 120, 2500), SECONDS),
    ((9000, 0.12, 2.5), "IR", MILLISECONDS, (NAN, NAN, NAN), UNKNOWN),
    # No unit fits all of them, or both do and the sequence does not decide.
    ((9000, 0.12, NAN), "unknown", MILLISECONDS, (NAN, NAN, NAN), UNKNOWN),
    ((2300, 0.003, NAN), "unknown", SECONDS, (NAN, NAN, NAN), UNKNOWN),
    ((2.3, 90, NAN), "unknown", MILLISECONDS, (NAN, NAN, NAN), UNKNOWN),
    ((4.5, 0.09, NAN), "unknown", MILLISECONDS, (NAN, NAN, NAN), UNKNOWN),
    ((1e9, 3, NAN), "unknown", MILLISECONDS, (NAN, NAN, NAN), UNKNOWN),
]


@pytest.mark.parametrize(("written", "sequence", "usual", "expected", "unit"), CASES)
def test_times_are_read_in_one_unit(written, sequence, usual, expected, unit):
    names = ("repetition_time_ms", "echo_time_ms", "inversion_time_ms")
    found = in_milliseconds(dict(zip(names, written, strict=True)), usual=usual, sequence=sequence)
    assert found.unit == unit
    assert [found.times[name] for name in names] == pytest.approx(list(expected), nan_ok=True)
