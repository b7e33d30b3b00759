"""A second data set that the finished model is scored on."""

import json

import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.workflows import training

from ..conftest import compose_config


def test_a_run_scores_other_brains_with_its_own_model(tiny_overrides, tmp_path):
    other = ["dataset@external=phantom", "external.subjects=8", "external.seed=5", "evaluation.maps=false"]
    training.run(compose_config(*tiny_overrides, *other, "trainer.max_epochs=1"), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    own = json.loads((tmp_path / "run" / "external" / "metrics.json").read_text())
    assert metrics["external"]["dataset"] == "phantom"
    assert metrics["external"]["subjects"] == own["subjects"]["test"] == 8
    assert metrics["external"]["detection"]["auroc"] == own["detection"]["auroc"]
    assert metrics["external"]["transfer"]["auroc"]["n"] == 8
    assert own["environment"]["model_run"] == str(tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "external" / "predictions.csv", dtype={"subject": str})
    assert table["classifier_probability"].notna().all()
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "finished"


def test_what_holds_for_a_data_set_holds_for_the_external_one():
    with pytest.raises(ConfigurationError, match=r"external\.confounding"):
        compose_config("dataset@external=phantom", "external.confounding=2")
    with pytest.raises(ConfigurationError, match=r"external\.root"):
        compose_config("dataset@external=folder")
