"""Tables of the training."""

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.training_tables import reshape_tables


def test_measures_that_are_not_defined_are_left_out():
    reshape = {"strategy": "modal", "scale_ratio": 1.14, "memory_mb": None, "groups": [{"name": "a", "members": 3}]}
    measures, groups = reshape_tables(ReportContent(title="", metrics={"reshape": reshape}))
    assert [row[0].text for row in measures.rows] == ["strategy", "scale ratio"]
    assert groups.columns[0] == "members" and len(groups.rows) == 1
    assert reshape_tables(ReportContent(title="", metrics={})) == []
