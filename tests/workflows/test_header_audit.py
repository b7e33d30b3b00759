"""The audit of headers and labels, before training."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from brain_cae.audit import audit_headers
from brain_cae.configuration import conf_folder, validate_evaluate
from brain_cae.errors import ConfigurationError
from brain_cae.scans.protocol import UNKNOWN
from brain_cae.workflows import header_audit

ROOT = Path(__file__).parents[2]


def evaluate_config(*overrides: str):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return validate_evaluate(compose("evaluate", overrides=["workers=1", *overrides]))


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Forty subjects as NIfTI on two grids, which follow the label (`tied`) or do not (`free`)."""
    root = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    for kind in ("tied", "free"):
        labels = ["healthy"] * 20 + ["abnormal"] * 20
        for number, label in enumerate(labels):
            subject = root / kind / f"s{number:02d}"
            subject.mkdir(parents=True)
            thick = label == "healthy" if kind == "tied" else number % 2 == 0
            affine = np.diag([8, 8, 5.0 if thick else 1.0, 1])
            nibabel.Nifti1Image(rng.normal(100, 9, (14, 14, 4)).astype(np.float32), affine).to_filename(
                subject / "flair.nii.gz"
            )
        table = pd.DataFrame({"subject": [f"s{number:02d}" for number in range(40)], "label": labels})
        table.to_csv(root / kind / "labels.csv", index=False)
    return root


def test_the_command_reports_that_protocol_equals_label_without_loading_torch(scans, tmp_path):
    code = (
        "import sys; given = ['workers=1', 'dataset=folder', f'dataset.root={sys.argv[1]}'];"
        "sys.argv = ['evaluate.py', 'audit_only=true', *given];"
        "from brain_cae.cli.commands import evaluate_command; evaluate_command();"
        "print([name for name in ('torch', 'monai', 'pytorch_lightning') if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(scans / "tied")],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip().endswith("[]")
    output = next(tmp_path.glob("outputs/*/*"))
    assert {"report.html", "metrics.json", "index.csv", "status.json"} <= {path.name for path in output.iterdir()}
    audit = json.loads((output / "metrics.json").read_text())["audit"]
    assert (audit["verdict"], audit["kind"]) == ("confounded", "headers")
    header = next(test for test in audit["tests"] if test["name"] == "header_comparison")
    assert header["details"][0]["parameter"] == "spacing_slice_mm" and header["details"][0]["effect"] == -1.0
    page = (output / "report.html").read_text()
    assert '<div class="banner red"' in page and "For any model trained on this cohort" in page
    assert "spacing of slices, mm" in page and "nothing was trained or scored" in page


def test_a_grid_that_does_not_follow_the_label_is_no_confounder(scans, tmp_path):
    config = evaluate_config("audit_only=true", "dataset=folder", f"dataset.root={scans / 'free'}")
    result = header_audit.run(config, tmp_path / "out")
    assert result.verdict in ("clear", "cannot tell")
    named = {test.name: test for test in result.tests}
    assert named["overlap"].value == pytest.approx(1.0)
    assert named["label_semantics"].verdict == "cannot tell"


def test_strata_and_label_meaning_are_configurable(scans, tmp_path):
    config = evaluate_config(
        "audit_only=true", "dataset=folder", f"dataset.root={scans / 'tied'}", "audit=standard",
        "audit.strata=orientation", "audit.healthy_means=volunteers",
    )  # fmt: skip
    named = {test.name: test for test in header_audit.run(config, tmp_path / "out").tests}
    assert [row["protocol"] for row in named["overlap"].details] == ["axial"]
    assert named["label_semantics"].verdict == "no concern"


def test_incompatible_options_are_rejected(tmp_path):
    with pytest.raises(ConfigurationError, match="needs a data set"):
        header_audit.run(evaluate_config("audit_only=true"), tmp_path / "out")
    with pytest.raises(ConfigurationError, match="fixed by the run"):
        evaluate_config("audit.margin=0.7")


def test_one_grid_and_empty_headers_cannot_tell(scans):
    index = pd.DataFrame(
        {"subject": [f"{number:02d}" for number in range(20)], "session": "", "modality": "flair", "source": "clinic",
         "site": "", "label": ["healthy", "abnormal"] * 10, "orientation": "axial", "manufacturer": "", "model": "",
         "sequence": "unknown", "dimensionality": "unknown", "stripped_by": ""}
    )  # fmt: skip
    numbers = ("repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg", "field_strength_t")
    grid = ("rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm")
    index = index.assign(**dict.fromkeys(numbers, np.nan), **dict.fromkeys(grid, 1.0))
    subjects, acquisition = header_audit._subjects(index, "protocol")
    assert set(subjects["protocol"]) == {UNKNOWN}
    result = audit_headers(subjects, acquisition=acquisition)
    assert result.verdict == "cannot tell" and "not known" in result.reasons[0]
