"""Going on with an interrupted run: what is taken over, what is refused, and what is said."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml

from brain_cae.errors import ConfigurationError, RunError
from brain_cae.resuming import with_stored_choices
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.workflows import training

CHOICES = ["modality=flair", "seed=3", "trainer=cpu", "trainer.max_epochs=7"]


@pytest.fixture
def interrupted(make_config, tmp_path):
    """A run that was killed in its second epoch."""
    run = tmp_path / "interrupted"
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(CHOICES))
    (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(asdict(make_config(*CHOICES))))
    (run / "status.json").write_text('{"status": "running"}')
    (run / "checkpoints").mkdir()
    torch.save({"state_dict": {}, "optimizer_states": [], "loops": {}}, run / "checkpoints" / "last.ckpt")
    return run


def test_the_run_alone_is_enough(interrupted, make_config):
    arguments = with_stored_choices([f"resume={interrupted}"])
    assert arguments == [*CHOICES, f"resume={interrupted}"]
    assert last_checkpoint(make_config(*arguments)) == interrupted / "checkpoints" / "last.ckpt"


def test_what_is_typed_again_counts(interrupted):
    typed = [f"resume={interrupted}", "++seed=5", "workers=3"]
    assert with_stored_choices(typed) == ["modality=flair", "trainer=cpu", "trainer.max_epochs=7", *typed]


def test_one_job_of_a_study_goes_on_alone(interrupted):
    path = interrupted / ".hydra" / "overrides.yaml"
    path.write_text("- experiment=reshape_impact\n- reshape=fixed\n- resume=/an/older/run\n")
    expected = ["experiment=reshape_impact", "reshape=fixed", "hydra.mode=RUN", f"resume={interrupted}"]
    assert with_stored_choices([f"resume={interrupted}"]) == expected


@pytest.mark.parametrize("typed", [["seed=1"], ["resume=/no/such/run"], ["-m", "resume=@"]])
def test_other_commands_stay_as_typed(interrupted, typed):
    typed = [item.replace("@", str(interrupted)) for item in typed]
    assert with_stored_choices(typed) == typed


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
def test_a_changed_value_is_refused_by_name(interrupted, make_config, changed, key):
    with pytest.raises(ConfigurationError, match="differs from the run") as caught:
        last_checkpoint(make_config(*CHOICES, changed, f"resume={interrupted}"))
    assert f"Found: {key}\n" in str(caught.value)
    assert f"python train.py resume={interrupted}" in str(caught.value)


def test_what_changes_nothing_of_the_result_may_be_changed(interrupted, make_config):
    free = ["trainer.progress=false", "trainer.workers=1", "workers=1", "evaluation.maps=false"]
    assert last_checkpoint(make_config(*CHOICES, *free, f"resume={interrupted}")) is not None


def test_without_a_checkpoint_learning_begins_again(interrupted, make_config):
    (interrupted / "checkpoints" / "last.ckpt").unlink()
    assert last_checkpoint(make_config(*CHOICES, f"resume={interrupted}")) is None


def test_a_folder_that_is_no_run_is_named_before_the_import(make_config, tiny_overrides, tmp_path):
    with pytest.raises(RunError, match="nothing to go on from") as caught:
        training.run(make_config(*tiny_overrides, f"resume={tmp_path}"), tmp_path / "run")
    assert str(tmp_path / ".hydra") in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_finished(interrupted, make_config):
    (interrupted / "status.json").write_text(json.dumps({"status": "finished"}))
    config = make_config(*CHOICES, f"resume={interrupted}")
    assert last_checkpoint(config) is not None  # stopped after the import, as it was asked to
    (interrupted / "metrics.json").write_text("{}")
    with pytest.raises(RunError, match="is finished") as caught:
        last_checkpoint(config)
    assert f"python evaluate.py run={interrupted}" in str(caught.value)


@pytest.mark.parametrize("content", ["truncated", "text", "another"])
def test_a_damaged_checkpoint_is_named(interrupted, make_config, content):
    path = interrupted / "checkpoints" / "last.ckpt"
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:200])
    elif content == "text":
        path.write_text("not ours")
    else:
        torch.save({"weights": torch.ones(2)}, path)
    with pytest.raises(RunError, match="cannot be read") as caught:
        last_checkpoint(make_config(*CHOICES, f"resume={interrupted}"))
    assert str(path) in str(caught.value)


def test_a_changed_learning_rate_stops_the_command(interrupted, tmp_path):
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(root / "train.py"), f"resume={interrupted}", "model.learning_rate=0.01"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "`model.learning_rate` differs from the run that is to go on." in done.stderr
    assert "Expected: model.learning_rate=0.002" in done.stderr
    assert "Traceback" not in done.stderr
    assert "modality=flair" in next(tmp_path.glob("outputs/*/*/.hydra/overrides.yaml")).read_text()
