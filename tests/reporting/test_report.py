"""Report: values equal the metrics, text from files is escaped, missing parts cause no failure."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re

import numpy as np
import pandas as pd
import pytest

from brain_cae.reporting import formatting, niivue
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.report import write_report
from brain_cae.reporting.sections import ANCHORS

EVIL = "<script>alert(1)</script>"


def page_of(content: ReportContent, folder) -> str:
    return write_report(folder / "report.html", content).read_text(encoding="utf-8")


def visible(page: str) -> str:
    """Return the page without its images and scripts, so that assertions apply to its text."""
    page = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r'"data:image/png;base64,[^"]*"', '""', page)


@pytest.fixture
def without_charts(monkeypatch):
    """Leave out the charts for tests of the text: drawing takes most of the time."""
    monkeypatch.setattr("brain_cae.reporting.charts.all_charts", lambda content: {})


@pytest.fixture(scope="module")
def whole(make_content, tmp_path_factory):
    content = make_content()
    return content, page_of(content, tmp_path_factory.mktemp("report"))


def test_figures_equal_the_metrics(whole):
    content, page = whole
    metrics = content.metrics
    estimates = [
        metrics["detection"]["auroc"],
        metrics["detection"]["specificity"],
        metrics["detection"]["absolute"],
        metrics["baseline"]["healthy_mean"]["auroc"],
        metrics["localisation"]["dice"],
        metrics["localisation"]["dice_oracle_pooled"],
        metrics["transfer"]["balanced_accuracy"],
        metrics["transfer"]["comparison"][3]["auroc"],
    ]
    for item in estimates:
        printed = f">{formatting.estimate(item)}<"
        assert printed in page
        assert f"{item['value']:.2f}" in printed
    gain = formatting.estimate(metrics["detection"]["difference"]["intensity"], signed=True)
    assert gain.startswith("+")
    assert gain in page


def test_false_alarms_are_one_minus_specificity(whole):
    content, page = whole
    specificity = content.metrics["detection"]["specificity"]
    card = page[page.index("False alarms on healthy brains") :][:600]
    assert f"{1 - specificity['value']:.2f}</div>" in card
    assert f"[{1 - specificity['high']:.2f}, {1 - specificity['low']:.2f}] (n=44)" in card
    assert "alpha = 0.10" in card


def test_the_page_starts_with_the_verdict(whole):
    _, page = whole
    headings = re.findall(r"<h[12]>([^<]*)", page)
    assert headings[0] == "T1 and FLAIR, clustered reshape"
    assert headings[1] == "Verdict of the audit: clear"
    assert headings[2:5] == ["Metrics", "ROC and scores", "Calibration"]
    anchors = re.findall(r'<section id="([a-z]*)"', page)
    assert tuple(anchors) == ANCHORS
    assert re.findall(r'<a href="#([a-z]*)"', page) == anchors, "the contents list them in order"
    assert page.rstrip().endswith("</html>")
    assert "Research software, not a medical device" in page


def test_the_page_is_self_contained_and_small(whole):
    _, page = whole
    assert not re.search(r'(?:src|href|srcset)="(?!data:|#)', page)
    assert "http" not in visible(page).replace("http-equiv", "")
    assert len(page) < 8_000_000
    assert page.count('<svg class="chart"') >= 5 and page.count("data:image/png;base64,") == 3


def test_a_browser_runs_only_the_scripts_of_the_page(whole):
    _, page = whole
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    texts = [*re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL), niivue.bundle()]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts}
    assert texts and "default-src 'none'" in policy and "unsafe-eval" not in policy
    assert set(re.search(r"script-src ([^;]*)", policy)[1].split()) == hashes


@pytest.mark.parametrize(
    ("verdict", "tone"), [("confounded", "red"), ("at risk", "amber"), ("clear", "green"), ("cannot tell", "grey")]
)
def test_a_verdict_has_its_colour(verdict, tone, make_content, tmp_path, without_charts):
    page = page_of(make_content(verdict=verdict, views=0, curves={}), tmp_path)
    assert f'<div class="banner {tone}"' in page
    assert f"Verdict of the audit: {verdict}" in page
    assert ("no evidence of detection" in page) == (verdict == "confounded")


def test_text_from_files_is_escaped(make_content, make_view, tmp_path):
    content = make_content()
    predictions = content.predictions.assign(protocol=f"{EVIL} $\\frac{{ $x")
    index = content.index.assign(manufacturer=[EVIL if row % 3 else "GE" for row in range(len(content.index))])
    imported = content.import_report.assign(reason=EVIL, modality=EVIL)
    metrics = {**content.metrics, "environment": {"git": EVIL}}
    metrics["audit"] = {
        "verdict": "clear",
        "reasons": [EVIL],
        "tests": [{"name": EVIL, "value": 0.5, "sentence": EVIL}],
    }
    metrics["detection"] = {**metrics["detection"], "by_protocol": [{"protocol": EVIL, EVIL: EVIL}]}
    evil = dataclasses.replace(make_view(EVIL), caption=EVIL, modality=EVIL)
    content = dataclasses.replace(
        content, settings={"seed": EVIL, "reshape": {"name": EVIL}}, pages={EVIL: "patients/x.html"}
    )
    content = dataclasses.replace(
        content, title=EVIL, metrics=metrics, predictions=predictions, index=index, import_report=imported,
        views=[evil], configuration=f"name: {EVIL}", cautions=[EVIL], curves={EVIL: content.curves["intensity"]},
    )  # fmt: skip
    page = page_of(content, tmp_path)
    assert "<script>alert" not in page
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert page.count(escaped) >= 12
    for place in (
        f"<h1>{escaped}",
        f'href="patients/x.html">{escaped}',
        f'<pre tabindex="0">name: {escaped}',
        f"<li>{escaped}",
    ):
        assert place in page


def test_an_evaluation_without_labels_gives_the_reasons(make_content, tmp_path):
    content = make_content(views=0)
    predictions = content.predictions.query("role != 'validation'").assign(
        label="unknown", classifier_probability=np.nan
    )
    metrics = {"schema_version": 1, "scoring": content.metrics["scoring"], "detection": None, "localisation": None,
               "baseline": None, "transfer": None, "audit": None, "reshape": None}  # fmt: skip
    page = page_of(dataclasses.replace(content, metrics=metrics, predictions=predictions, curves={}), tmp_path)
    assert "78 subjects scored without labels" in page
    assert "the scored subjects have no labels" in page
    assert "not defined" not in page and "no audit is possible" in page
    flagged = int(predictions["flagged"].sum())
    assert f"{flagged} of 78 flagged at alpha 0.1" in page and f"<h2>{flagged} of 78 brains flagged</h2>" in page


@pytest.mark.parametrize("missing", ["audit", "detection", "localisation", "baseline", "transfer", "reshape", "scoring",
                                     "environment", "subjects"])  # fmt: skip
def test_any_part_may_be_missing(missing, make_content, tmp_path, without_charts):
    content = make_content(views=0, curves={})
    metrics = {key: part for key, part in content.metrics.items() if key != missing}
    assert "Research software" in page_of(dataclasses.replace(content, metrics=metrics), tmp_path)


def test_an_undefined_estimate_gives_its_reason(make_content, tmp_path, without_charts):
    content = make_content(views=0, curves={})
    empty = {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "n_positive": 0,
        "method": "undefined: no lesion anywhere",
    }
    metrics = {**content.metrics, "localisation": {**content.metrics["localisation"], "dice": empty}}
    page = page_of(dataclasses.replace(content, metrics=metrics), tmp_path)
    assert "Not defined: no lesion anywhere." in page
    assert "None" not in visible(page)
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", visible(page))


def test_the_old_report_survives_a_failure(make_content, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    broken = dataclasses.replace(make_content(views=0), curves={"bad": ([1, 0], [1.0])})
    with pytest.raises(ValueError):
        write_report(path, broken)
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_tuning_shows_the_searches_for_the_selected_classifier(whole, make_content, tmp_path):
    content = make_content()
    part = content.metrics["transfer"]
    part["tuning"] = [
        {"study": f"{part['classifier']}, {part['features']}, fold 0", "trials": 12, "pruned": 3, "auroc": 0.71,
         "parameters": '{"C": 6.581332043, "kernel": "rbf"}'},
        {"study": "random_forest, encoder, fold 0", "trials": 12, "pruned": 0, "auroc": None, "parameters": None},
    ]  # fmt: skip
    study = part["tuning"][0]["study"]
    trials = pd.DataFrame({"study": study, "trial": [0, 1], "state": "complete", "auroc": [0.6, 0.71]})
    page = page_of(dataclasses.replace(content, trials=trials), tmp_path)
    assert f"Tuning of {part['classifier']}, {part['features']}" in page
    assert "C = 6.58, kernel = rbf" in page and "random_forest, encoder, fold 0" not in page
    assert 'aria-label="Best inner AUROC of the tuning after each trial"' in page
    assert "Tuning of" not in whole[1]
