"""Cross-fitting: each healthy brain calibrates once, with the detector of the fold that left it out."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brain_cae.configuration import EvaluateConfig
from brain_cae.detector.bundle import pack
from brain_cae.detector.storage import load
from brain_cae.errors import ConfigurationError
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.workflows import evaluation, training
from brain_cae.workflows.crossfit import refuse_harmonised

from ..conftest import compose_config
from ..errors.stages import after

CROSSFIT = ("calibration=crossfit", "calibration.folds=2", "evaluation.maps=false", "evaluation.views=0")


@pytest.mark.parametrize("harmonise", ["histogram", "spacing"])
def test_images_are_not_harmonised_anew_in_each_fold(harmonise: str) -> None:
    with pytest.raises(ConfigurationError, match="harmonisation of images") as raised:
        refuse_harmonised(compose_config("calibration=crossfit", f"harmonise={harmonise}"))
    assert raised.value.where == "calibration=crossfit"
    refuse_harmonised(compose_config("calibration=crossfit", "harmonise=combat"))
    refuse_harmonised(compose_config(f"harmonise={harmonise}"))


def test_folds_are_fitted_in_one_process() -> None:
    with pytest.raises(ConfigurationError, match="in one process"):
        compose_config("calibration=crossfit", "trainer.devices=2")


@pytest.mark.extras
def test_a_killed_run_is_resumed_and_its_bundle_and_evaluation_score_alike(
    tiny_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = [*tiny_overrides, *CROSSFIT]
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "whole"
    steps = []
    step = HealthyAutoencoder.training_step
    with monkeypatch.context() as patch:
        patch.setattr(HealthyAutoencoder, "training_step", lambda *rest: steps.append(0) or step(*rest))
        training.run(compose_config(*choices), whole)
    metrics = json.loads((whole / "metrics.json").read_text())
    predictions = pd.read_csv(whole / "predictions.csv", dtype={"subject": str}).set_index("subject")
    folds = [pd.read_csv(whole / f"folds/{number}/splits.csv", dtype=str) for number in (0, 1)]
    brains = sum((roles["role"] == "validation").sum() for roles in folds)
    assert metrics["scoring"]["calibration"] == "crossfit" and metrics["scoring"]["n_calibration"] == brains
    assert brains == metrics["subjects"]["train"] + metrics["subjects"]["validation"]
    assert "cross-conformal" in metrics["detection"]["expected_false_alarms"]["method"]
    np.testing.assert_allclose(predictions["p_value"] * (brains + 1) % 1, 0, atol=1e-9)
    assert predictions["flagged"].equals(predictions["p_value"] <= 0.2)  # guarantee=average
    assert "cross-conformal" in (whole / "report.html").read_text()

    # Killed in the last epoch of the second fold: the first is taken over, the second continues.
    stopped = tmp_path / "stopped"
    (stopped / ".hydra").mkdir(parents=True)
    (stopped / ".hydra" / "config.yaml").write_text(yaml.safe_dump(asdict(compose_config(*choices))))
    with after(HealthyAutoencoder, "training_step", calls=len(steps)), pytest.raises(KeyboardInterrupt):
        training.run(compose_config(*choices), stopped)
    assert (stopped / "folds/0/model/config.yaml").is_file() and not (stopped / "folds/1/model").exists()
    assert (stopped / "folds/1/checkpoints/last.ckpt").is_file()
    first = (stopped / "folds/0/model/calibration.npz").read_bytes()
    continued = []
    with monkeypatch.context() as patch:
        patch.setattr(HealthyAutoencoder, "training_step", lambda *rest: continued.append(0) or step(*rest))
        training.run(compose_config(*choices, f"resume={stopped}"), tmp_path / "resumed")
    assert 0 < len(continued) <= len(steps) / 4 + 1
    assert (tmp_path / "resumed/folds/0/model/calibration.npz").read_bytes() == first
    again = pd.read_csv(tmp_path / "resumed/predictions.csv", dtype={"subject": str}).set_index("subject")
    np.testing.assert_allclose(again["score"], predictions["score"], rtol=1e-4)

    cache = next(item for item in tiny_overrides if item.startswith("cache=")).removeprefix("cache=")
    evaluation.run(EvaluateConfig(run=str(whole), cache=cache, workers=1), tmp_path / "evaluated")
    scored = pd.read_csv(tmp_path / "evaluated/predictions.csv", dtype={"subject": str}).set_index("subject")
    columns = ["score", "p_value", "rate_bound"]
    np.testing.assert_allclose(scored[columns], predictions[columns], rtol=1e-4)
    pack(load(whole), whole, tmp_path / "model.zip")
    loaded = evaluation.load_detector(EvaluateConfig(run="model.zip", cache=cache, workers=1), Path("model.zip"))
    assert loaded.fingerprint() == load(whole).fingerprint() and len(loaded.folds) == 1
