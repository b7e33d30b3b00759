"""A report needs no more than a title."""

import pandas as pd

from brain_cae.reporting import ReportContent, write_report


def test_nothing_but_a_title(tmp_path):
    page = write_report(tmp_path / "report.html", ReportContent(title="Empty", metrics={})).read_text(encoding="utf-8")
    assert "0 subjects scored" in page
    assert page.count("Left out:") == 10


def test_no_two_reports_share_a_table_that_was_not_given():
    first, second = (ReportContent(title=name, metrics={}) for name in "ab")
    first.predictions.loc[0, "subject"] = "00001"
    first.warnings.append("careful")
    assert isinstance(second.predictions, pd.DataFrame) and second.predictions.empty and second.warnings == []
