"""A resumed run uses the choices with which it was started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from brain_cae.cli.resume import with_stored_choices
from brain_cae.errors import ConfigurationError
from brain_cae.stages.checkpoint import last_checkpoint

from ..conftest import INTERRUPTED


def test_resuming_needs_only_the_run_folder(interrupted, make_config):
    arguments = with_stored_choices([f"resume={interrupted}"])
    assert arguments == [*INTERRUPTED, f"resume={interrupted}"]
    assert last_checkpoint(make_config(*arguments)) == interrupted / "checkpoints" / "last.ckpt"


def test_typed_arguments_replace_stored_ones(interrupted):
    typed = [f"resume={interrupted}", "++seed=5", "workers=3"]
    assert with_stored_choices(typed) == ["modality=flair", "trainer=cpu", "trainer.max_epochs=7", *typed]


def test_a_path_in_quotes_is_a_path(interrupted):
    plain = with_stored_choices([f"resume={interrupted}"])
    assert with_stored_choices([f'resume="{interrupted}"'])[:-1] == plain[:-1] == INTERRUPTED


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


@pytest.mark.parametrize(
    "stored",
    [
        "+hydra.callbacks.x._target_=os.getcwd",
        "hydra.run.dir=/elsewhere",
        "hydra/launcher=joblib",
        " ++hydra.searchpath=[file:///elsewhere]",
        "extensions=[subprocess]",
        "executor.setup=[reboot]",
        "++executor.additional_parameters.wrap=reboot",
        "++executor={setup:[reboot]}",
        "--config-dir=/elsewhere",
        "-m",
    ],
)
def test_stored_choices_cannot_run_code_unless_they_are_typed_too(interrupted, stored):
    (interrupted / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(["seed=3", stored]))
    with pytest.raises(ConfigurationError, match="could run code") as caught:
        with_stored_choices([f"resume={interrupted}"])
    assert stored in str(caught.value)
    key = stored.lstrip("+").partition("=")[0]
    if key[0] not in "- ":
        assert with_stored_choices([f"resume={interrupted}", f"{key}=mine"])[-1] == f"{key}=mine"


@pytest.mark.parametrize("item", ["executor=submitit_slurm", "executor.mem_gb=8", "dataset@external=folder", "~logger"])
def test_other_stored_choices_are_taken(interrupted, item):
    (interrupted / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([item]))
    assert with_stored_choices([f"resume={interrupted}"])[0] == item


@pytest.mark.parametrize("text", ["a: 1", "- [1]", "- !!python/object/apply:os.getcwd []", "[" * 5000, "- &a b\n- *a"])
def test_damaged_stored_choices_are_an_error(interrupted, text):
    (interrupted / ".hydra" / "overrides.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        with_stored_choices([f"resume={interrupted}"])
