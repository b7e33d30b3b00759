"""Runs stopped at any moment, by SIGKILL or Ctrl-C, leave no partial files; the next run ends as if uninterrupted."""

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from brain_cae.cli.resume import with_stored_choices
from brain_cae.configuration import Config
from brain_cae.phantom import write_cohort
from brain_cae.workflows import training

from .cases import cases
from .conftest import SETTINGS
from .program import Program, count, train, visible

WRITE = """
import sys
from pathlib import Path
from brain_cae.phantom import PhantomSettings, write_cohort
if __name__ == "__main__":
    settings = PhantomSettings(subjects=int(sys.argv[2]), abnormal_fraction=float(sys.argv[3]))
    write_cohort(settings, Path(sys.argv[1]), workers=int(sys.argv[4]), progress=False)
"""


@pytest.mark.parametrize("case", cases(10, always=1))
def test_a_killed_simulation_is_resumed(case: int, small_cohort: Path, tmp_path: Path) -> None:
    moment = random.Random(f"cohort {case}")
    workers = 1 + case % 2
    target = tmp_path / "root" / SETTINGS.key()
    script = tmp_path / "write.py"
    script.write_text(WRITE)
    series = moment.randrange(4 * SETTINGS.subjects)  # series folders started, complete or not
    arguments = [str(tmp_path / "root"), str(SETTINGS.subjects), str(SETTINGS.abnormal_fraction), str(workers)]
    with Program(str(script), *arguments, cwd=tmp_path) as program:
        program.stop(
            lambda: count(target, "train/*/*") > series,
            delay=moment.uniform(0, 0.3),
            number=signal.SIGKILL,
        )
    complete, left = visible(small_cohort), visible(target)
    assert {name: complete.get(name) for name in left} == left
    for subject in (target / "train").iterdir():
        files = {name for name in complete if name.startswith(f"train/{subject.name}/")}
        assert files <= set(left), f"{subject.name} is incomplete"
    write_cohort(SETTINGS, tmp_path / "root", progress=False)
    assert visible(target) == complete


@dataclass
class Stopped:
    """A stopped run: its folder, its cache, its exit code and its output."""

    run: Path
    cache: Path
    code: int
    text: str

    def check_interrupted(self) -> None:
        assert self.code == 130, self.text
        assert "Traceback" not in self.text
        last = [line for line in self.text.splitlines() if line.strip()][-1]
        assert last.startswith("Interrupted.")
        status = json.loads((self.run / "status.json").read_text())
        assert (status["status"], status["error"]) == ("failed", "interrupted")


IMPORT = (
    f"dataset.subjects={SETTINGS.subjects}",
    "split.validation_minimum=0",
    "scoring.alpha=0.9",
    "modality=t1_t2_flair",
    "trainer.progress=false",
    "stop_after=import",
)


@pytest.fixture(scope="session")
def complete_import(
    small_root: Path, make_config: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with run and cache of an uninterrupted import."""
    folder = tmp_path_factory.mktemp("complete")
    place = (f"dataset.root={small_root}", f"cache={folder / 'cache'}")
    training.run(make_config(*IMPORT, *place, "workers=1"), folder / "run")
    return folder


def tables(run: Path, cache: Path) -> list[str]:
    return [(run / name).read_text().replace(str(cache), "<cache>") for name in ("index.csv", "import_report.csv")]


@pytest.mark.parametrize("case", cases(30, always=1))
def test_a_stopped_import_is_resumed(
    case: int, small_root: Path, complete_import: Path, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    moment = random.Random(f"import {case}")
    number = signal.SIGINT if case % 3 == 0 else signal.SIGKILL
    cache, run = tmp_path / "cache", tmp_path / "run"
    overrides = [*IMPORT, f"dataset.root={small_root}", f"cache={cache}"]
    entries = moment.randrange(3 * SETTINGS.subjects - 2)  # of 12 series; the last ones may finish before the signal
    with train(*overrides, f"workers={1 + case // 3 % 2}", f"hydra.run.dir={run}", cwd=tmp_path) as program:
        code = program.stop(
            lambda: count(cache / "imported", "[!.]*.json") >= entries and (run / "status.json").exists(),
            delay=moment.uniform(0, 0.03),
            number=number,
        )
        stopped = Stopped(run, cache, code, program.text)
    complete, left = visible(complete_import / "cache"), visible(cache)
    assert {name: complete.get(name) for name in left} == left
    for path in (cache / "imported").glob("[!.]*.nii"):
        np.asarray(nibabel.load(path).dataobj)
    training.run(make_config(*overrides, "workers=1"), tmp_path / "again")
    assert tables(tmp_path / "again", cache) == tables(complete_import / "run", complete_import / "cache")
    assert visible(cache) == complete
    if number == signal.SIGINT:
        stopped.check_interrupted()


@pytest.mark.soak
def test_no_process_outlives_a_killed_import(small_root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    overrides = [*IMPORT, f"dataset.root={small_root}", f"cache={cache}", "workers=2"]
    with train(*overrides, f"hydra.run.dir={tmp_path / 'run'}", cwd=tmp_path) as program:
        program.stop(lambda: count(cache / "imported", "[!.]*.json") > 0, delay=0, number=signal.SIGKILL)
        end = time.monotonic() + 10
        while program.others() and time.monotonic() < end:
            time.sleep(0.1)
        assert program.others() == []


LEARN = (
    "trainer.batch_size=2",
    "logger=csv",
    "evaluation.maps=false",
    "evaluation.permutations=1",
    "evaluation.resamples=50",
    "evaluation.views=0",
)
FEW = ("overfit_subjects=4", "trainer.max_epochs=4")
ALL = ("trainer.max_epochs=6",)
NOISE = ("trainer.max_epochs=6", "model.corruption=0.3")
MOMENTS: list[tuple[str, tuple[str, ...], float]] = [
    # The number is the share of epochs before the kill: 0 is before the first epoch has ended, 1 after the last.
    ("in an epoch", FEW, 0.5),
    ("after the last epoch", FEW, 1.0),
    ("before the first epoch has ended", FEW, 0.0),
    ("in an early epoch", ALL, 0.2),
    ("in a late epoch", ALL, 0.8),
    ("with noise in the input", NOISE, 0.5),
    ("in a late epoch, with noise in the input", NOISE, 0.8),
]


@dataclass
class Result:
    """Everything that a run has fitted and measured."""

    weights: dict[str, torch.Tensor]
    calibration: dict[str, np.ndarray]
    metrics: dict[str, Any]
    predictions: str
    epochs: int


def result(run: Path) -> Result:
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    network = torch.load(run / "model" / "network.ckpt", weights_only=True)
    weights = {f"last.{name}": v for name, v in last["state_dict"].items()}
    metrics = json.loads((run / "metrics.json").read_text())
    calibration = dict(np.load(run / "model" / "calibration.npz", allow_pickle=False))
    facts = json.loads(str(calibration["facts"]))
    for cost in facts["cost"]:  # time and memory differ from run to run
        del metrics["reshape"][cost]
    # So does the file of the classifier, in which skops writes addresses in memory.
    facts["files"].pop("classifier.skops", None)
    calibration["facts"] = np.asarray(json.dumps(facts | {"cost": None}))
    return Result(
        weights=weights | {f"model.{name}": v for name, v in network.items()},
        calibration=calibration,
        metrics={name: v for name, v in metrics.items() if name not in ("seconds", "peak_memory_mb")},
        predictions=(run / "predictions.csv").read_text(),
        epochs=int(last["epoch"]) + 1,
    )


@pytest.fixture(scope="session")
def uninterrupted(
    make_config: Callable[..., Config], tiny_overrides: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[tuple[str, ...]], Result]:
    """Return the result of the uninterrupted run of a variant, which is trained once."""
    known: dict[tuple[str, ...], Result] = {}

    def outcome(variant: tuple[str, ...]) -> Result:
        if variant not in known:
            folder = tmp_path_factory.mktemp("uninterrupted") / "run"
            training.run(make_config(*tiny_overrides, *LEARN, *variant), folder)
            known[variant] = result(folder)
        return known[variant]

    return outcome


def stop_training(folder: Path, overrides: list[str], *, epochs: int, delay: float, number: signal.Signals) -> Stopped:
    """Start a training and stop it ``delay`` s after the checkpoint of epoch number ``epochs`` was written."""
    run = folder / "run"
    last = run / "checkpoints" / "last.ckpt"

    def ready() -> bool:
        if not epochs or not last.exists():
            return not epochs and (run / "status.json").exists()
        return int(torch.load(last, weights_only=True)["epoch"]) + 1 >= epochs

    with train(*overrides, f"hydra.run.dir={run}", cwd=folder) as program:
        code = program.stop(ready, delay=delay, number=number)
        return Stopped(run, Path(), code, program.text)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(number, marks=[] if number < 1 else [pytest.mark.soak], id=f"{number} {MOMENTS[number][0]}")
        for number in range(len(MOMENTS))
    ],
)
def test_a_resumed_training_ends_with_the_same_weights_and_metrics(
    case: int,
    uninterrupted: Callable[[tuple[str, ...]], Result],
    make_config: Callable[..., Config],
    tiny_overrides: list[str],
    tmp_path: Path,
) -> None:
    _, variant, share = MOMENTS[case]
    expected = uninterrupted(variant)
    moment = random.Random(f"training {case}")
    epochs = round(share * expected.epochs)
    overrides = [*tiny_overrides, *LEARN, *variant]
    delay = moment.uniform(0, 0.2)
    stopped = stop_training(tmp_path, overrides, epochs=epochs, delay=delay, number=signal.SIGKILL)
    assert json.loads((stopped.run / "status.json").read_text())["status"] == "running"
    for path in (tmp_path / "run").glob("checkpoints/*.ckpt"):
        torch.load(path, weights_only=True)
    stored = with_stored_choices([f"resume={stopped.run}"])
    training.run(make_config(*stored), tmp_path / "resumed")
    resumed = result(tmp_path / "resumed")
    assert resumed.weights.keys() == expected.weights.keys()
    assert [name for name, weights in expected.weights.items() if not torch.equal(weights, resumed.weights[name])] == []
    assert resumed.calibration.keys() == expected.calibration.keys()
    assert [n for n, array in expected.calibration.items() if not np.array_equal(array, resumed.calibration[n])] == []
    assert resumed.metrics == expected.metrics
    assert resumed.predictions == expected.predictions
    assert resumed.epochs == expected.epochs


@pytest.mark.parametrize("case", cases(3, always=0))
def test_ctrl_c_stops_a_training_with_a_one_line_message(case: int, tiny_overrides: list[str], tmp_path: Path) -> None:
    moment = random.Random(f"ctrl-c {case}")
    overrides = [*tiny_overrides, *LEARN, "overfit_subjects=4", "trainer.max_epochs=300"]
    number = signal.SIGINT
    stop_training(
        tmp_path, overrides, epochs=moment.randint(1, 3), delay=moment.uniform(0, 0.2), number=number
    ).check_interrupted()
