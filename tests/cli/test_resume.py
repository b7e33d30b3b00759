"""A resumed run uses the choices with which it was started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brain_cae.cli.resume import with_stored_choices
from brain_cae.stages.checkpoint import last_checkpoint

from ..conftest import INTERRUPTED


def test_resuming_needs_only_the_run_folder(interrupted, make_config):
    arguments = with_stored_choices([f"resume={interrupted}"])
    assert arguments == [*INTERRUPTED, f"resume={interrupted}"]
    assert last_checkpoint(make_config(*arguments)) == interrupted / "checkpoints" / "last.ckpt"


def test_typed_arguments_replace_stored_ones(interrupted):
    typed = [f"resume={interrupted}", "++seed=5", "workers=3"]
    assert with_stored_choices(typed) == ["modality=flair", "trainer=cpu", "trainer.max_epochs=7", *typed]


def test_one_job_of_an_experiment_is_resumed_alone(interrupted):
    path = interrupted / ".hydra" / "overrides.yaml"
    path.write_text("- experiment=reshape_impact\n- reshape=fixed\n- resume=/an/older/run\n")
    expected = ["experiment=reshape_impact", "reshape=fixed", "hydra.mode=RUN", f"resume={interrupted}"]
    assert with_stored_choices([f"resume={interrupted}"]) == expected


@pytest.mark.parametrize("typed", [["seed=1"], ["resume=/no/such/run"], ["-m", "resume=@"]])
def test_other_commands_are_not_changed(interrupted, typed):
    typed = [item.replace("@", str(interrupted)) for item in typed]
    assert with_stored_choices(typed) == typed


def test_a_changed_learning_rate_stops_the_command(interrupted, tmp_path):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "train.py"), f"resume={interrupted}", "model.learning_rate=0.01"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "`model.learning_rate` differs from the run to resume." in done.stderr
    assert "Expected: model.learning_rate=0.002" in done.stderr
    assert "Traceback" not in done.stderr
    assert "modality=flair" in next(tmp_path.glob("outputs/*/*/.hydra/overrides.yaml")).read_text()
