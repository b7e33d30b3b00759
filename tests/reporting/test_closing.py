"""The rows of the closing table."""

import json
from pathlib import Path

import pytest

from brain_cae.reporting.closing import closing_rows, one_line


@pytest.fixture
def run(make_content, tmp_path):
    """Return a function that writes the metrics of a run."""

    def write(**replaced) -> Path:
        metrics = {**make_content().metrics, "seconds": {"train": 300.4, "audit": 3.0}, **replaced}
        (tmp_path / "metrics.json").write_text(json.dumps(metrics))
        return tmp_path

    return write


def name_of_best(folder: Path) -> str:
    baselines = json.loads((folder / "metrics.json").read_text())["baseline"]
    return max(baselines, key=lambda name: baselines[name]["auroc"]["value"])


def test_rows_have_verdict_figures_with_intervals_and_places(run):
    folder = run()
    for name in ("report.html", "import_report.csv", "predictions.csv"):
        (folder / name).touch()
    (folder / "tensorboard" / "seed=1").mkdir(parents=True)
    (folder / "tensorboard" / "seed=1" / "events.out.1").touch()
    rows = dict(closing_rows(folder))
    assert next(iter(rows)) == "verdict" and rows["verdict"].startswith("clear. ")
    assert rows["AUROC, residual score"].startswith("0.") and "[" in rows["AUROC, residual score"]
    (gain,) = (name for name in rows if name.startswith("gain over "))
    assert name_of_best(folder) == gain.removeprefix("gain over ") and rows[gain][0] in "+\N{MINUS SIGN}"
    assert rows["report"] == str(folder / "report.html") and "import report" not in rows and "model" not in rows
    assert rows["training curves"] == f"tensorboard --logdir {folder}"
    assert rows["duration"] == "5 min 3 s"


def test_a_verdict_sends_to_the_cautions_that_stand_over_it(run):
    folder = run(cautions=["This is a trial."])
    assert dict(closing_rows(folder))["verdict"].endswith(" But read the cautions above before any figure.")
    assert one_line(folder).startswith("clear, AUROC 0.") and one_line(folder).endswith("), but see its cautions")


def test_figures_that_are_no_evidence_say_so(run, make_content):
    rows = dict(closing_rows(run(audit=make_content(verdict="confounded").metrics["audit"])))
    assert rows["AUROC, residual score"].endswith("no evidence of detection: see the verdict")
    assert "no evidence" not in rows["localisation, Dice"]


def test_the_score_of_an_audited_table_has_its_auroc_with_interval_and_standing(tmp_path):
    auroc = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 40}
    audit = {"verdict": "confounded", "kind": "table", "figures": [{"keys": ["detection"], "standing": "no evidence"}]}
    (tmp_path / "metrics.json").write_text(json.dumps({"score": {"auroc": auroc}, "audit": audit}))
    row = dict(closing_rows(tmp_path))["AUROC of the score"]
    assert row == "0.80 [0.70, 0.90] (n=40): no evidence of detection: see the verdict"


def test_a_figure_that_stands_has_no_caution_of_its_section(run):
    figures = [
        {"keys": ["detection", "baseline"], "standing": "no evidence"},
        {"keys": ["detection.specificity", "detection.false_alarms"], "standing": "stands"},
    ]
    rate = {"value": 0.1, "low": 0.05, "high": 0.2, "n": 44}
    metrics = run().joinpath("metrics.json")
    detection = json.loads(metrics.read_text())["detection"] | {"false_alarms": rate, "sensitivity": rate}
    audit = {"verdict": "confounded", "reasons": [], "figures": figures}
    rows = dict(closing_rows(run(audit=audit, detection=detection)))
    assert rows["false alarms"] == "0.10 [0.05, 0.20] (n=44)"
    assert rows["sensitivity"].endswith("no evidence of detection: see the verdict")


def test_patients_without_labels_have_a_decision_and_no_verdict(run):
    folder = run(audit={"verdict": "cannot tell", "reasons": [], "figures": []})
    lines = ["subject,label,role,score,flagged,out_of_calibration"]
    lines += ["a,unknown,test,5.2,True,False", "b,unknown,test,0.1,False,False"]
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n")
    rows = dict(closing_rows(folder))
    assert rows["decision"] == "1 of 2 brains flagged." and "verdict" not in rows


def test_a_run_that_stopped_after_the_import_has_its_report_only(tmp_path):
    (tmp_path / "import_report.csv").touch()
    assert closing_rows(tmp_path) == [("import report", str(tmp_path / "import_report.csv"))]
    assert one_line(tmp_path) == ""
