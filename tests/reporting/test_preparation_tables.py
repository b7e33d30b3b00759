"""Tables of movements and of skull strippers."""

import numpy as np
import pandas as pd

from brain_cae.reporting import preparation_tables
from brain_cae.reporting.content import ReportContent

DASH = "\N{EN DASH}"


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def content_of(**tables: pd.DataFrame) -> ReportContent:
    return ReportContent(title="", metrics={}, **tables)


def report_of(shifts: dict[str, list[float]]) -> pd.DataFrame:
    """One row for each registered scan; the rotation is half of the shift, the overlap falls with it."""
    rows = [
        {
            "subject": f"<{number}>", "modality": modality, "status": "imported", "shift_mm": shift,
            "rotation_deg": shift / 2, "overlap_before": 0.97 - shift / 100, "overlap": 0.97 - shift / 1000,
        }
        for modality, values in shifts.items() for number, shift in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_movements_are_summarised_by_modality_and_only_over_moved_scans():
    report = report_of({"t2": [0, 0], "t1": [0, 2, 30, 4], "flair": [np.nan] * 4})
    table, furthest = preparation_tables.movement_tables(content_of(import_report=report))
    assert texts(table) == [
        ["t1", "3 of 4", "4.0 (30.0)", "2.0 (15.0)", "0.67", "0.94"],
        ["t2", "0 of 2", DASH, DASH, "0.97", "0.97"],
    ]
    assert [row[:3] for row in texts(furthest)] == [["<2>", "t1", "30.0"], ["<3>", "t1", "4.0"], ["<1>", "t1", "2.0"]]
    assert furthest.note == ""


def test_only_the_furthest_scans_are_listed():
    report = report_of({"t1": list(range(1, 10))})
    _, furthest = preparation_tables.movement_tables(content_of(import_report=report))
    assert [row[2] for row in texts(furthest)] == ["9.0", "8.0", "7.0", "6.0", "5.0"]
    assert "import_report.csv" in furthest.note


def test_without_measurements_there_are_no_tables(make_content):
    assert preparation_tables.movement_tables(make_content(views=0)) == [None, None]
    still = report_of({"t1": [0, 0]})
    table, furthest = preparation_tables.movement_tables(content_of(import_report=still))
    assert texts(table)[0][1] == "0 of 2" and furthest is None
    assert preparation_tables.stripper_table(make_content(views=0)) is None
    assert preparation_tables.stripper_table(content_of()) is None


def test_subjects_are_counted_by_what_stripped_their_skull():
    index = pd.DataFrame(
        [
            {"subject": "a", "label": "healthy", "skull": "stripped", "stripped_by": ""},
            {"subject": "a", "label": "healthy", "skull": "stripped", "stripped_by": "deepbet"},
            {"subject": "b", "label": "healthy", "skull": "stripped", "stripped_by": "deepbet"},
            {"subject": "c", "label": "abnormal", "skull": "stripped", "stripped_by": "delivered"},
            {"subject": "d", "label": "abnormal", "skull": "on", "stripped_by": ""},
            {"subject": "e", "label": "abnormal", "skull": "unknown", "stripped_by": np.nan},
        ]
    )
    table = preparation_tables.stripper_table(content_of(index=index))
    assert table.columns == ["stripped by", "healthy", "abnormal", "total"]
    assert texts(table) == [
        ["came stripped", "0", "1", "1"], ["deepbet", "2", "0", "2"], ["not known", "0", "1", "1"],
        ["nothing: whole head", "0", "1", "1"],
    ]  # fmt: skip
