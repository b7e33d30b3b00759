"""An external data set that the finished model scores."""

import json

import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.workflows import training

from ..conftest import compose_config


@pytest.mark.extras
def test_a_run_scores_an_external_data_set_with_its_model(tiny_overrides, tmp_path):
    extra = ["dataset@external=phantom", "external.subjects=8", "external.seed=5", "evaluation.maps=false"]
    training.run(compose_config(*tiny_overrides, *extra, "trainer.max_epochs=1"), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    external = json.loads((tmp_path / "run" / "external" / "metrics.json").read_text())
    assert metrics["external"]["dataset"] == "phantom"
    assert metrics["external"]["subjects"] == external["subjects"]["test"] == 8
    assert metrics["external"]["detection"]["auroc"] == external["detection"]["auroc"]
    assert metrics["external"]["transfer"]["auroc"]["n"] == 8
    assert external["environment"]["model_run"] == str(tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "external" / "predictions.csv", dtype={"subject": str})
    assert table["classifier_probability"].notna().all()
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "finished"


def test_the_external_data_set_is_checked_like_the_first():
    with pytest.raises(ConfigurationError, match=r"external\.confounding"):
        compose_config("dataset@external=phantom", "external.confounding=2")
    with pytest.raises(ConfigurationError, match=r"external\.root"):
        compose_config("dataset@external=folder")
