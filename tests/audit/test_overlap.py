"""The gate measures how many subjects can be compared."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.overlap import label_is_source, overlap
from brain_cae.audit.table import make_table


def cohort(healthy: list[str], abnormal: list[str]):
    labels = ["healthy"] * len(healthy) + ["abnormal"] * len(abnormal)
    table = pd.DataFrame({"label": labels, "score": 0.0, "protocol": healthy + abnormal})
    return make_table(table, pd.DataFrame(index=table.index))


def test_the_value_is_the_overlap_of_both_distributions() -> None:
    test = overlap(cohort(["a"] * 6 + ["b"] * 4, ["a"] * 5 + ["c"] * 15))
    assert test.value == pytest.approx(0.25)
    assert "11 of 30" in test.sentence
    assert 0 < test.low < 0.25 < test.high < 0.6
    assert test.details[0] == {"protocol": "a", "healthy": 6, "abnormal": 5}


def test_one_exception_does_not_open_the_gate() -> None:
    assert overlap(cohort(["a"] * 39 + ["b"], ["b"] * 40)).verdict == "concern"
    assert overlap(cohort(["a"] * 20 + ["b"] * 20, ["a"] * 20 + ["b"] * 20)).verdict == "no concern"


def test_too_fine_protocols_prove_nothing() -> None:
    names = [str(number) for number in range(40)]
    assert overlap(cohort(names[:20], names[20:])).verdict == "cannot tell"
    assert overlap(cohort(["a"] * 2, ["b"] * 2)).verdict == "cannot tell"


def test_an_interval_contains_its_value_or_is_not_given() -> None:
    apart, alike = overlap(cohort(["a"] * 2, ["b"] * 2)), overlap(cohort(["a"] * 9, ["a"] * 9))
    assert (apart.value, apart.low, apart.high) == (0.0, None, None)
    assert (alike.value, alike.low, alike.high) == (1.0, None, None)
    sites = [str(number) for number in range(30)]
    paired = overlap(cohort(sites, sites))
    assert paired.value == pytest.approx(1.0) and paired.low < 0.6 and paired.high == paired.value


def test_label_is_source_needs_several_sources() -> None:
    table = pd.DataFrame({"label": ["healthy", "abnormal"] * 3, "score": 0.0, "protocol": "a"})
    for source, expected in (
        (np.tile(["x", "y"], 3), True),
        (np.array(["x"] * 6), False),
        (np.repeat(["x", "y"], 3), False),
    ):
        subjects = table.assign(source=source)
        assert label_is_source(make_table(subjects, pd.DataFrame(index=table.index))) is expected
