"""Spellings of one word are one value, and numbers with a unit are numbers; other values stay."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.spelling import one_spelling


def test_case_and_blanks_are_spelling_and_the_first_counts() -> None:
    column, merged = one_spelling(pd.Series(["SIEMENS", "Siemens ", "GE  Signa", "GE Signa", None, 3]))
    assert column.tolist() == ["SIEMENS", "SIEMENS", "GE Signa", "GE Signa", None, 3] and merged
    column, merged = one_spelling(pd.Series(["GE ", "SIEMENS"]))
    assert column.tolist() == ["GE", "SIEMENS"] and not merged


@pytest.mark.parametrize(
    ("texts", "values"),
    [(["3T", "3.0 T", "1.5 t"], [3.0, 3.0, 1.5]), (["2300 ms", "2300", ""], None), (["3 T", "3"], [3.0, 3.0]),
     (["3", "1.5"], None), (["10 mm", "1 T"], None), (["1A", "2A"], None), (["450w", "750w"], None)],
)  # fmt: skip
def test_a_number_with_the_unit_of_all_is_a_number(texts, values) -> None:
    assert one_spelling(pd.Series(texts))[0].tolist() == (texts if values is None else values)


def test_missing_values_stay() -> None:
    column, _ = one_spelling(pd.Series(["3T", np.nan]))
    assert column[0] == 3.0 and np.isnan(column[1])
