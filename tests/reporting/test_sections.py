"""Every section is in its place, with its tables or the reason why it has none."""

import dataclasses

import pandas as pd
import pytest

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.figures import Chart
from brain_cae.reporting.pictures import gallery
from brain_cae.reporting.report import write_report
from brain_cae.reporting.sections import ANCHORS, parts


def sections_of(content: ReportContent, charts: dict | None = None) -> dict:
    sections = parts(content, charts or {}, gallery(content))
    assert tuple(part.anchor for part in sections) == tuple(
        name for name in ANCHORS if name not in ("verdict", "methods")
    )
    return {part.anchor: part for part in sections}


def test_a_section_without_content_gives_the_reason():
    sections = sections_of(ReportContent(title="", metrics={}))
    assert all(part.blocks == [] and part.left_out for part in sections.values())
    assert sections["import"].left_out == "there is no import report"
    assert sections["metrics"].left_out == "no subject was scored"


def test_a_chart_is_placed_in_its_section(make_content):
    chart = Chart("what it shows", uri="data:a")
    sections = sections_of(make_content(views=0), dict.fromkeys(("roc", "alarms", "loss", "protocols"), chart))
    where = {name for name, part in sections.items() if any(block.kind == "charts" for block in part.blocks)}
    assert where == {"roc", "calibration", "training", "acquisition"}


def test_signs_are_described_in_words(make_content):
    content = make_content(views=0)
    assert "(t1 darker, flair brighter)" in sections_of(content)["metrics"].intro
    scoring = {"sign": {"t1": 0, "flair": "both"}}
    other = sections_of(dataclasses.replace(content, metrics={**content.metrics, "scoring": scoring}))
    assert "(t1 two-sided, flair both)" in other["metrics"].intro


def test_without_a_fitted_classifier_a_sentence_says_why(make_content):
    content = make_content(views=0)
    transfer = {"auroc": {"value": None, "method": "undefined: no subject has a probability"}, "notes": ["Too few."]}
    unfitted = dataclasses.replace(content, metrics={**content.metrics, "transfer": transfer})
    blocks = sections_of(unfitted)["metrics"].blocks
    assert [block.kind for block in blocks[-2:]] == ["heading", "text"]
    assert blocks[-1].value.endswith("Its figures are not defined: no subject has a probability. Too few.")


def test_the_audit_shows_each_test_and_the_duplicates():
    tests = [
        {"name": "leakage", "value": 1.0, "verdict": "at_risk", "details": [{"other": "b", "subject": "a"}]},
        {"name": "metadata_only", "value": 0.9, "p": 0.0004, "verdict": "confounded", "sentence": "It does."},
    ]
    content = ReportContent(title="", metrics={"audit": {"verdict": "confounded", "tests": tests}})
    table, leaks = (block.value for block in sections_of(content)["acquisition"].blocks)
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows[0][:5] == ["leakage", "1.00", "\N{EN DASH}", "\N{EN DASH}", "at risk"]
    assert rows[1][2:] == ["< 0.001", "\N{EN DASH}", "confounded", "It does."]
    assert leaks.columns == ["subject", "other"]


@pytest.mark.parametrize("groups", [{"0": {"members": 3}, "1": {"members": 5}}, {"0": 3, "1": 5}])
def test_reshape_groups_are_listed_in_either_stored_form(groups):
    metrics = {"reshape": {"scale_ratio": 1.14, "groups": groups}}
    blocks = sections_of(ReportContent(title="", metrics=metrics))["training"].blocks
    measures, table = (block.value for block in blocks if block.kind == "table")
    assert [row[1].text for row in measures.rows] == ["1.14"]
    assert [[cell.text for cell in row] for row in table.rows] == [["0", "3"], ["1", "5"]]


def test_the_import_shows_losses_movements_and_strippers_escaped(make_content, tmp_path):
    scan = {"subject": "<b>1", "modality": "t1", "status": "imported", "shift_mm": 12.34, "rotation_deg": 3.0,
            "overlap_before": 0.8, "overlap": 0.96}  # fmt: skip
    lost = {"subject": "2", "modality": "t1", "status": "refused", "reason": "not aligned"}
    index = pd.DataFrame([{"subject": "<b>1", "label": "healthy", "skull": "stripped", "stripped_by": "deepbet"}])
    content = make_content(views=0, import_report=pd.DataFrame([scan, lost]), index=index)
    tables = [block.value for block in sections_of(content)["import"].blocks]
    assert [table.rows[0][0].text for table in tables] == ["not aligned", "t1", "<b>1", "deepbet"]
    page = write_report(tmp_path / "report.html", content).read_text(encoding="utf-8")
    assert "&lt;b&gt;1</td>" in page and "<b>1" not in page and "12.3" in page


def test_clusters_of_brains_that_are_not_flagged_are_folded_away():
    cluster = dict.fromkeys(("x_mm", "y_mm", "z_mm", "mni_x_mm", "mni_y_mm", "mni_z_mm", "volume_ml", "peak_z"), 1.0)
    rows = pd.DataFrame([cluster | {"subject": name, "p_value": 0.5, "hemisphere": "left", "tissue": "white"}
                         for name in ("a", "a", "b")])  # fmt: skip
    predictions = pd.DataFrame(
        {"subject": ["a", "b"], "label": "unknown", "flagged": [False, False], "score": [1.0, 2.0]}
    )
    content = ReportContent(title="", metrics={}, predictions=predictions, other_lesions=rows)
    part = sections_of(content)["lesions"]
    (folded,) = part.blocks
    assert (folded.kind, folded.heading) == ("folded", "Clusters of 2 brains that are not flagged")
    assert part.intro == "No brain is flagged: there is no cluster to report."


def test_a_report_of_patients_leaves_out_what_needs_labels(make_content):
    content = make_content(views=0)
    predictions = content.predictions.query("role != 'validation'").assign(label="unknown")
    sections = sections_of(dataclasses.replace(content, predictions=predictions))
    assert sections["acquisition"].blocks == [] and "needs labels" in sections["acquisition"].left_out
    assert sections["roc"].heading == "Scores"
