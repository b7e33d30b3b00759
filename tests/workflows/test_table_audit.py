"""The audit of a table with scores of another model."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.workflows import table_audit
from brain_cae.workflows.table_audit import audit_table

from .test_header_audit import ROOT, evaluate_config


def table_of(*, tied: bool, n: int = 80) -> pd.DataFrame:
    """Scores that follow the label, from two scanners that follow it too (``tied``) or do not."""
    rng = np.random.default_rng(0)
    ill = np.arange(n) % 2 == 1
    second = ill if tied else np.arange(n) % 4 >= 2
    return pd.DataFrame(
        {
            "who": [f"<b>s{number}</b>" for number in range(n)],
            "diagnosis": np.where(ill, "glioma", "control"),
            "probability": ill + rng.normal(0, 0.5, n),
            "vendor": np.where(second, "<script>alert(1)</script>", "A"),
            "tr": np.where(second, 5000, 9000),
        }
    )


COLUMNS = {"subject": "who", "label": "diagnosis", "abnormal": "glioma", "score": "probability"}


@pytest.mark.parametrize(("tied", "verdict"), [(True, "confounded"), (False, "clear")])
def test_the_verdict_follows_the_truth_of_the_table(tied, verdict, tmp_path) -> None:
    audited = audit_table(table_of(tied=tied), **COLUMNS)
    assert audited.verdict == verdict and audited.reasons and audited.tests
    assert audited.auroc.value > 0.8
    page = audited.report(tmp_path / "report.html").read_text()
    assert verdict in page and "<script>alert" not in page and "&lt;script&gt;" in page and "<b>s1" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "nothing is loaded from elsewhere"


def test_a_score_with_the_wrong_sign_is_said_first() -> None:
    table = table_of(tied=False)
    audited = audit_table(table.assign(probability=-table["probability"]), **COLUMNS)
    assert "sign changed" in audited.cautions[0]


def test_the_command_audits_a_file_without_a_run_and_without_torch(tmp_path) -> None:
    table_of(tied=True).to_csv(tmp_path / "mine.csv", index=False)
    code = (
        "import sys; sys.argv = ['evaluate.py', 'audit_only=true', 'audit.table=mine.csv', 'audit.label=diagnosis',"
        "'audit.abnormal=glioma', 'audit.score=probability', 'audit.subject=who', 'audit.acquisition=[vendor,tr]',"
        "'hydra.run.dir=out'];"
        "from brain_cae.cli.commands import evaluate_command; evaluate_command();"
        "print([name for name in ('torch', 'monai', 'pytorch_lightning') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip().endswith("[]"), done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["audit"]["verdict"] == "confounded" and metrics["score"]["auroc"]["n"] == 80
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_columns_are_configuration(tmp_path) -> None:
    config = evaluate_config("audit.table=mine.csv", "audit.abnormal=1", "audit.margin=0.7", "audit.strata=vendor")
    assert config.audit_only and (config.audit.abnormal, config.audit.margin) == ("1", 0.7)
    table_of(tied=True).rename(columns={"diagnosis": "label", "probability": "score"}).replace(
        {"glioma": 1, "control": 0}
    ).to_csv(tmp_path / "mine.csv", index=False)
    config.audit.table = str(tmp_path / "mine.csv")
    assert table_audit.run(config, tmp_path / "out").scored.strata == "vendor"
    with pytest.raises(ConfigurationError, match="`audit` is fixed by the run"):
        evaluate_config("audit.margin=0.7")
