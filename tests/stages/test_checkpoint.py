"""Resuming an interrupted run: what is refused, and the messages."""

import json

import pytest
import torch

from brain_cae.errors import ConfigurationError, RunError
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.workflows import training

from ..conftest import INTERRUPTED


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ("model.learning_rate=0.01", "model.learning_rate=0.01"),
        ("trainer.max_epochs=9", "trainer.max_epochs=9"),
        ("split.train=0.3", "split.train=0.3"),
        ("overfit_subjects=2", "overfit_subjects=2"),
        ("model.network.latent_channels=5", "model.network.latent_channels=5"),
    ],
)
def test_a_changed_value_is_an_error_that_names_its_key(interrupted, make_config, changed, key):
    with pytest.raises(ConfigurationError, match="differs from the run to resume") as caught:
        last_checkpoint(make_config(*INTERRUPTED, changed, f"resume={interrupted}"))
    assert f"Found: {key}\n" in str(caught.value)
    assert f"python train.py resume={interrupted}" in str(caught.value)


def test_keys_that_do_not_affect_the_result_can_be_changed(interrupted, make_config):
    changed = ["trainer.progress=false", "trainer.workers=1", "workers=1", "evaluation.maps=false"]
    assert last_checkpoint(make_config(*INTERRUPTED, *changed, f"resume={interrupted}")) is not None


def test_a_run_is_resumed_with_the_tool_that_replaces_auto(interrupted, make_config):
    for tool in ("deepbet", "none"):
        config = make_config(*INTERRUPTED, f"preprocess.skull_strip={tool}", f"resume={interrupted}")
        assert last_checkpoint(config) is not None


def test_without_a_checkpoint_training_starts_again(interrupted, make_config):
    (interrupted / "checkpoints" / "last.ckpt").unlink()
    assert last_checkpoint(make_config(*INTERRUPTED, f"resume={interrupted}")) is None


def test_a_folder_that_is_not_a_run_is_an_error_before_the_import(make_config, tiny_overrides, tmp_path):
    with pytest.raises(RunError, match="no run to resume") as caught:
        training.run(make_config(*tiny_overrides, f"resume={tmp_path}"), tmp_path / "run")
    assert str(tmp_path / ".hydra") in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_cannot_be_resumed(interrupted, make_config):
    (interrupted / "status.json").write_text(json.dumps({"status": "finished"}))
    config = make_config(*INTERRUPTED, f"resume={interrupted}")
    assert last_checkpoint(config) is not None  # stop_after=import
    (interrupted / "metrics.json").write_text("{}")
    with pytest.raises(RunError, match="is finished") as caught:
        last_checkpoint(config)
    assert f"python evaluate.py run={interrupted}" in str(caught.value)


@pytest.mark.parametrize("content", ["truncated", "text", "another"])
def test_a_damaged_checkpoint_is_an_error_with_its_path(interrupted, make_config, content):
    path = interrupted / "checkpoints" / "last.ckpt"
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:200])
    elif content == "text":
        path.write_text("not a checkpoint")
    else:
        torch.save({"weights": torch.ones(2)}, path)
    with pytest.raises(RunError, match="cannot be read") as caught:
        last_checkpoint(make_config(*INTERRUPTED, f"resume={interrupted}"))
    assert str(path) in str(caught.value)
