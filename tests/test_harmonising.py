"""Each remedy in a whole run on a tiny phantom, and in the evaluation of what it has left."""

import json

import pandas as pd
import pytest

from brain_cae import evaluation, training

from .conftest import compose_config
from .test_evaluation import evaluate_config


@pytest.fixture(scope="module", params=["combat", "residualise"])
def run(request, tiny_overrides, tmp_path_factory):
    """A whole run with one of the remedies."""
    output = tmp_path_factory.mktemp(request.param) / "run"
    training.run(compose_config(*tiny_overrides, f"harmonise={request.param}"), output)
    return output


def test_a_stored_model_scores_as_the_run_did(run, tiny_overrides, tmp_path):
    cache = next(item for item in tiny_overrides if item.startswith("cache="))
    evaluation.run(evaluate_config(f"run={run}", cache), tmp_path / "again")
    first, second = (pd.read_csv(folder / "predictions.csv") for folder in (run, tmp_path / "again"))
    pd.testing.assert_frame_equal(first, second)
    assert json.loads((run / "metrics.json").read_text())["transfer"]["auroc"]["value"] is not None
