"""Whole sweeps of tiny jobs: interrupted and resumed, and in several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
QUICK = ("trainer.max_epochs=1", "evaluation.maps=false", "evaluation.permutations=2", "evaluation.views=0")


def sweep(folder: Path, *overrides: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "-m", f"hydra.sweep.dir={folder}", *overrides, *QUICK],
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
    )


def results(folder: Path) -> dict[str, tuple[float, ...]]:
    """Return the score of every subject of every job."""
    return {path.parent.name: tuple(pd.read_csv(path)["score"]) for path in sorted(folder.glob("*/predictions.csv"))}


@pytest.mark.extras
def test_an_interrupted_sweep_is_resumed(tiny_overrides: list[str], tiny_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    jobs = [*tiny_overrides, "stop_after=import"]
    assert sweep(folder, *jobs, "seed=0,1").returncode == 0
    # As after a kill: the status of job 1 is "running", and its folder has files.
    (folder / "1" / "status.json").write_text(json.dumps({"status": "running"}))
    (folder / "1" / "checkpoints").mkdir()
    first = (folder / "0" / "status.json").stat().st_mtime_ns
    done = sweep(folder, *jobs, "seed=0,1,2")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (folder / "0" / "status.json").stat().st_mtime_ns == first
    assert (folder / "1" / "earlier_1" / "checkpoints").is_dir()
    table = pd.read_csv(folder / "summary.csv")
    assert table["status"].tolist() == ["finished"] * 3
    changed = sweep(folder, *jobs, "seed=0,1,2", "modality=t1")
    assert changed.returncode == 1
    assert "This folder contains a sweep with other choices." in changed.stderr
    assert "modality=t1" in changed.stderr and "Traceback" not in changed.stderr


@pytest.mark.soak
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_give_the_same_result(
    launcher: str, tiny_overrides: list[str], tiny_run: Path, tmp_path: Path
) -> None:
    jobs = [*(item for item in tiny_overrides if not item.startswith("cache=")), "reshape=fixed,isotropic", "seed=0,1"]
    caches = [f"cache={tmp_path / name}" for name in ("one", "many")]
    one = sweep(tmp_path / "basic", *jobs, caches[0])
    many = sweep(tmp_path / launcher, *jobs, caches[1], f"hydra/launcher={launcher}", "trainer.workers=1")
    assert one.returncode == many.returncode == 0, many.stderr[-2000:]
    assert len(results(tmp_path / "basic")) == 4
    assert results(tmp_path / launcher) == results(tmp_path / "basic")
    prepared = [list((tmp_path / name / "prepared").glob("*/volume.npy")) for name in ("one", "many")]
    assert len(prepared[0]) == len(prepared[1]) == 36
