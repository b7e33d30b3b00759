"""A run stopped in any stage by Ctrl-C or a full disk gives one message and the right status, and can be resumed."""

import json

import numpy as np
import pandas as pd
import pytest

from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.scans import store

from .stages import after, at, ctrl_c, fill_the_disk

STAGES = ("prepare", "train", "calibrate", "score", "transfer", "audit", "report")


def status(run):
    content = json.loads((run / "status.json").read_text())
    return content["status"], content.get("error")


def test_an_interrupted_import_is_resumed(run, says, tmp_path, cohort, folder_dataset):
    cohort(healthy=3)
    with after(store, "import_location", calls=4):
        done = run("train", "stop_after=import", "hydra.run.dir=run", *folder_dataset)
    assert done.code == 130
    assert status(tmp_path / "run") == ("failed", "interrupted")
    assert len(list((tmp_path / "cache" / "imported").glob("*.nii"))) == 3
    done = run("train", "resume=run", "hydra.run.dir=again")
    assert done.code == 0
    report = pd.read_csv(tmp_path / "again" / "import_report.csv")
    assert set(report["status"]) == {"imported"} and len(report) == 6


def test_an_interrupted_evaluation_says_how_to_continue(run, says, tiny_run, tiny_overrides):
    cache = next(item for item in tiny_overrides if item.startswith("cache="))
    with at("import", ctrl_c):
        done = run("evaluate", f"run={tiny_run}", cache, "workers=1", "hydra.run.dir=scored")
    assert done.code == 130
    says("interrupt", "Ctrl-C in any stage of `evaluate.py`", done.error)


def go_through(run, says, tmp_path, overrides, disturbances):
    """Stop a run and resume it, once for each disturbance; return the predictions after the last, undisturbed run."""
    arguments = [*overrides, "workers=1"]
    for number, (stage, action) in enumerate(disturbances):
        folder = tmp_path / f"run_{number}"
        with after(HealthyAutoencoder, "training_step", calls=4) if action is None else at(stage, action):
            done = run("train", *arguments, f"hydra.run.dir={folder}")
        if action is fill_the_disk:
            assert done.code == 1
            says("storage", f"a full disk during {stage}", done.error.replace(folder.name, "run"))
            assert status(folder) == ("failed", "There is no room to write a file.")
        else:
            assert done.code == 130
            says("interrupt", "Ctrl-C in any stage of `train.py`", done.error.replace(folder.name, "run"))
            assert status(folder) == ("failed", "interrupted")
        arguments = [f"resume={folder}"]
    assert run("train", *arguments, f"hydra.run.dir={tmp_path / 'end'}").code == 0
    return pd.read_csv(tmp_path / "end" / "predictions.csv", dtype={"subject": str})


def check_same(predictions, tiny_run):
    whole = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str})
    assert np.array_equal(predictions["score"], whole["score"])
    assert np.allclose(predictions["classifier_probability"], whole["classifier_probability"])


@pytest.mark.extras
def test_a_run_that_is_stopped_several_times_gives_the_same_result(run, says, tmp_path, tiny_overrides, tiny_run):
    disturbances = [("train", fill_the_disk), ("train", None), ("report", fill_the_disk), ("score", ctrl_c)]
    check_same(go_through(run, says, tmp_path, tiny_overrides, disturbances), tiny_run)


@pytest.mark.soak
def test_ctrl_c_in_every_stage(run, says, tmp_path, tiny_overrides, tiny_run):
    check_same(go_through(run, says, tmp_path, tiny_overrides, [(stage, ctrl_c) for stage in STAGES]), tiny_run)


@pytest.mark.soak
def test_a_full_disk_in_every_stage(run, says, tmp_path, tiny_overrides, tiny_run):
    check_same(
        go_through(run, lambda *_: None, tmp_path, tiny_overrides, [(stage, fill_the_disk) for stage in STAGES[1:4]]),
        tiny_run,
    )
