import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_cae.files.tables import bare, read_csv, to_csv, to_tsv

CALCULATED = ["=1+1", "+a", "-a", "@SUM(A1)", "\t=1", "\n=1", "-1-1", "=cmd|' /C calc'!A0", "\uff1d1", "+49-1", "-"]
KEPT = ["-12", "+1", "-0.5", "+.5e-3", "1e5", "sub-01", "a=b", "", "'", "'a", "Müller, Anna", 'q"', "007", " x"]


def cells(text):
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]


def test_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe_and_nothing_else_does():
    table = pd.DataFrame({"subject": CALCULATED + KEPT})
    assert cells(to_csv(table)) == [f"'{name}" for name in CALCULATED] + KEPT
    assert table["subject"].tolist() == CALCULATED + KEPT, "the table itself is not changed"


def test_numbers_and_names_of_columns():
    table = pd.DataFrame({"=a": [-1.5, np.nan], "n": [-1, 2], "b": [True, False], "mixed": [-3.0, "-x"]})
    assert to_csv(table) == "'=a,n,b,mixed\n-1.5,-1,True,-3.0\n,2,False,'-x\n"
    assert to_csv(pd.DataFrame({"c": pd.Categorical(["=x", "y"])})) == "c\n'=x\ny\n"
    assert to_csv(pd.DataFrame(columns=["a", "b"])) == "a,b\n"


def test_a_carriage_return_starts_no_row():
    table = pd.DataFrame({"reason": ["x\r=1+1", "\r=1"], "path": ["\udcfc", "-"]})
    assert to_csv(table) == "reason,path\nx\\r=1+1,\\udcfc\n\\r=1,'-\n"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")), min_size=1, max_size=6))
def test_every_text_is_read_as_it_was(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("table") / "splits.csv"
    table = pd.DataFrame({"subject": names, "role": "test"})
    path.write_text(to_csv(table), encoding="utf-8", newline="")
    assert read_csv(path, dtype=str, keep_default_na=False).equals(table.astype(str))


@pytest.mark.parametrize("name", ["'=a", "''=a", "'-1", "'"])
def test_an_apostrophe_of_the_data_is_kept(tmp_path, name):
    (tmp_path / "a.csv").write_text(to_csv(pd.DataFrame({"a": [name]})))
    assert read_csv(tmp_path / "a.csv", dtype=str)["a"].tolist() == [name]
    assert bare("'=a") == "=a" and bare("'a") == "'a" and bare("=a") == "=a"


def test_a_table_of_bids_has_neither_quotes_nor_empty_cells():
    table = pd.DataFrame({"a": ["=1", "b\tc", 'q"', "", None], "n": [1.5, np.nan, 2, 3, 4], "f": [True] * 5})
    assert (
        to_tsv(table) == "a\tn\tf\n'=1\t1.5\tTrue\nb\\tc\tn/a\tTrue\nq\"\t2.0\tTrue\nn/a\t3.0\tTrue\nn/a\t4.0\tTrue\n"
    )
