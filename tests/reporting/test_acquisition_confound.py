"""Apparent and true AUROC of a sweep over confounding."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from brain_cae.reporting.summary import write_summary


def subjects(signal: float, column: str, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    label = np.array(["healthy"] * 50 + ["abnormal"] * 30)
    noise = generator.standard_normal((2, 80)) + signal * (label == "abnormal")
    table = pd.DataFrame({"subject": [f"s{i}" for i in range(80)], "label": label, "role": "test", "protocol": "a"})
    table["score.residual"] = noise[0]
    table[column] = 1 / (1 + np.exp(-noise[1]))
    return table


@pytest.fixture
def sweep(tmp_path):
    for number, (confounding, verdict) in enumerate([("0.0", "clear"), ("1.0", "confounded")]):
        path = tmp_path / str(number)
        (path / ".hydra").mkdir(parents=True)
        (path / "external").mkdir()
        choices = f"- dataset.confounding={confounding}\n- dataset.lesions=false\n"
        (path / ".hydra" / "overrides.yaml").write_text(choices)
        (path / "status.json").write_text(json.dumps({"status": "finished"}))
        audit = {"verdict": verdict, "classifier": {"verdict": "at risk"}}
        metrics = {"audit": audit, "transfer": {"features": "encoder"}}
        (path / "metrics.json").write_text(json.dumps(metrics))
        subjects(4 * float(confounding), "probability.encoder", number).to_csv(path / "subjects.csv", index=False)
        # An external cohort is predicted with the feature set of the run only.
        subjects(0.0, "probability.encoder", 9).to_csv(path / "external" / "subjects.csv", index=False)
    return tmp_path


def test_apparent_and_true_auroc_are_shown_side_by_side(sweep):
    write_summary(sweep)
    page = (sweep / "summary.html").read_text()
    part = page.split("Apparent and true performance")[1].split("</section>")[0]
    assert 'aria-label="Apparent and true AUROC against the confounding of protocol and label"' in part
    rows = part.split("<tbody>")[1].split("<tr>")[1:]
    aurocs = [[float(value) for value in re.findall(r">([\d.]+) \[", row)] for row in rows]
    assert len(rows) == 2
    assert "confounded" in rows[1] and "clear" in rows[0]
    assert all("at risk" in row for row in rows) and "verdict on the classifier" in part
    residual, residual_true, classifier, classifier_true = aurocs[1]
    assert min(residual, classifier) > 0.95  # although the cohort has no lesion
    assert max(residual_true, classifier_true) < 0.7


def test_a_job_without_an_external_cohort_has_no_true_auroc(sweep):
    first, second = sorted(sweep.glob("*/external/subjects.csv"))
    first.unlink()
    write_summary(sweep)
    part = (sweep / "summary.html").read_text().split("Apparent and true performance")[1].split("</section>")[0]
    assert "no external cohort was scored" in part
    second.unlink()
    write_summary(sweep)
    assert "Apparent and true performance" not in (sweep / "summary.html").read_text()
