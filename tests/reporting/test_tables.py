"""Cells and tables of the report."""

import pandas as pd

from brain_cae.reporting.tables import Cell, Table, anything, figure, heading, label, of_counts, of_records

ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20, "n_positive": 8, "method": "bootstrap"}


def test_missing_text_is_a_dash_and_missing_numbers_are_not_defined():
    assert [label(value).text for value in (None, "", float("nan"), "a")] == ["\N{EN DASH}"] * 3 + ["a"]
    assert figure(None) == Cell("not defined", True, "", "missing")
    assert figure(ESTIMATE) == Cell("0.50 [0.40, 0.60] (n=20)", True, "8 positive; bootstrap")


def test_values_are_aligned_by_their_type():
    assert [anything(value).figure for value in (3, 0.5, ESTIMATE, "three", True, None)] == [True] * 3 + [False] * 3
    assert anything([64, 72, 56]).text.count("\N{MULTIPLICATION SIGN}") == 2


def test_a_heading_is_aligned_as_its_column():
    assert Table(["a", "b", "c"], [[label("x"), figure(1), Cell("")]]).figures == [False, True, False]
    assert (heading("auroc"), heading("size_mm")) == ("AUROC", "size mm")


def test_keys_of_records_become_columns_in_order_of_appearance():
    table = of_records([{"b": 1, "a": "x"}, "no record", {"c": None, "a": "y"}], first=("a",))
    assert table.columns == ["a", "b", "c"]
    assert [[cell.text for cell in row] for row in table.rows] == [["x", "1", ""], ["y", "", "not defined"]]
    assert of_records([]) is None and of_records(["no record"]) is None


def test_counts_have_a_total_and_a_row_for_unknown_values():
    rows, columns = pd.Series(["b", "a", None, ""]), pd.Series(["unknown", "abnormal", "healthy", "healthy"])
    table = of_counts(rows, columns, corner="site")
    assert table.columns == ["site", "healthy", "abnormal", "unknown", "total"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["a", "0", "1", "0", "1"],
        ["b", "0", "0", "1", "1"],
        ["not known", "2", "0", "0", "2"],
    ]
    assert of_counts(rows[:0], columns[:0], corner="site") is None
