"""A report needs only a title."""

import pandas as pd

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.report import write_report


def test_a_title_alone_gives_a_report(tmp_path):
    page = write_report(tmp_path / "report.html", ReportContent(title="Empty", metrics={})).read_text(encoding="utf-8")
    assert "0 subjects scored" in page
    assert page.count("Left out:") == 10


def test_reports_do_not_share_their_default_values():
    first, second = (ReportContent(title=name, metrics={}) for name in "ab")
    first.predictions.loc[0, "subject"] = "00001"
    first.cautions.append("careful")
    assert isinstance(second.predictions, pd.DataFrame) and second.predictions.empty and second.cautions == []
