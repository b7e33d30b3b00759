"""The benchmark of detection repeats no finished run, and its table compares the same subjects."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from .conftest import load_benchmark

HEALTHY, ABNORMAL = 20, 30
SUBJECTS = [f"{number:05d}" for number in range(HEALTHY + ABNORMAL)]
LABELS = np.array([0] * HEALTHY + [1] * ABNORMAL)


@pytest.fixture(scope="module")
def detection():
    """The benchmark as a module."""
    return load_benchmark("detection")


def finish(detection, folder: Path, *, seed: int, effect: float, precision: float, alarms: int) -> None:
    """Write the files of a finished run that the benchmark reads."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed).normal(size=len(LABELS))
    score = 100 * seed + noise + effect * LABELS  # scores of two networks cannot be compared
    healthy = LABELS == 0
    subjects = pd.DataFrame(
        {
            "subject": SUBJECTS,
            "label": np.where(healthy, "healthy", "abnormal"),
            "score.residual": score,
            "p_value.residual": np.where(np.arange(len(LABELS)) < alarms, 0.1, 0.5),
            "residual.average_precision": np.where(healthy, np.nan, precision),
            "residual.dice": np.where(healthy, np.nan, precision / 2),
        }
    )
    for column in [name for name in subjects if "residual" in name]:  # a baseline that sees less
        subjects[column.replace("residual", "healthy_mean")] = subjects[column] + (
            LABELS * -1.0 if "score" in column else 0
        )
    subjects.to_csv(folder / "subjects.csv", index=False)
    auroc = detection.estimates.auroc(LABELS, score, resamples=2).value
    metrics = {
        "scoring": {"alpha": 0.1},
        "detection": {"auroc": {"value": auroc}},
        "localisation": {"average_precision": {"value": precision}},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "status.json").write_text('{"status": "finished"}')


@pytest.fixture
def calls(detection, monkeypatch) -> list[list[str]]:
    """Commands of the runs that were started; the run of ``rigid`` in cohort 2 fails the first time."""
    started: list[list[str]] = []

    def run(command, **_):
        started.append(command)
        keys = dict(item.split("=", 1) for item in command[2:])
        folder = Path(keys["hydra.run.dir"])
        seed, rigid = int(keys["dataset.seed"]), keys["preprocess.align"] == "rigid"
        assert not folder.exists()
        if rigid and seed == 2 and sum("dataset.seed=2" in c and "preprocess.align=rigid" in c for c in started) == 1:
            folder.mkdir(parents=True)
            (folder / "status.json").write_text('{"status": "failed"}')
            return SimpleNamespace(returncode=1)
        effect, precision, alarms = (2.0, 0.9, 1) if rigid else (0.5, 0.4, 5)
        finish(detection, folder, seed=seed, effect=effect, precision=precision, alarms=alarms)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(detection.subprocess, "run", run)
    return started


def test_finished_runs_are_compared_and_not_repeated(detection, calls, tmp_path: Path, capsys) -> None:
    def call(*more: str) -> tuple[list[str], dict]:
        part = ["--variants", "affine", "rigid", "--seeds", "1", "2", "--subjects", "50", "--out", str(tmp_path)]
        detection.main([*part, *more])
        lines = capsys.readouterr().out.splitlines()
        return lines, json.loads(lines[-1])

    assert call("--minutes", "0")[1] == {"name": "detection of preparation", "ratios": {}, "figures": {}, "missing": 4}
    assert call()[1]["missing"] == 1
    assert len(calls) == 4
    assert {"dataset.subjects=50", "dataset.misalignment_mm=15", "dataset.head_shell=true"} <= set(calls[0])

    lines, result = call()
    assert (len(calls), result["missing"]) == (5, 0)
    rigid, affine = result["figures"]["rigid"], result["figures"]["affine"]
    assert result["ratios"] == {"rigid_vs_affine": round(rigid["auroc"] / affine["auroc"], 3)}
    assert (rigid["average_precision"], rigid["false_alarms"]) == pytest.approx((0.9, 2 / 40))
    row = next(line for line in lines if line.startswith("| rigid - affine | 100 |"))
    area, precision, dice, alarms = (cell.strip() for cell in row.split("|")[3:7])
    # The mean over cohorts of the single AUROCs, although scores differ by 100 between them.
    assert float(area.split()[0]) == pytest.approx(rigid["auroc"] - affine["auroc"], abs=6e-4)
    assert precision == "+0.500 [+0.500, +0.500]"
    assert dice == "+0.250 [+0.250, +0.250]"
    assert alarms.startswith("-0.200 [-0.3")

    assert call()[1] == result
    assert len(calls) == 5


def test_only_subjects_that_both_variants_judged_are_paired(detection, tmp_path: Path) -> None:
    tables = []
    for name, effect in (("a", 2.0), ("b", 0.5)):
        finish(detection, tmp_path / name, seed=1, effect=effect, precision=0.5, alarms=0)
        tables.append(detection.read(tmp_path / name, 1).table)
    shared = detection.differences(tables[0], tables[1].iloc[4:])
    labels, first, second = LABELS[4:], tables[0]["score"].iloc[4:], tables[1]["score"].iloc[4:]
    expected = detection.estimates.paired_difference(labels, first, second)
    assert shared["auroc"] == expected  # with one cohort, the AUROC within cohorts is the AUROC
    assert (shared["false_alarm"].n, shared["average_precision"].n) == (16, 30)


def test_heads_differ_in_alignment_and_stripping_only(detection) -> None:
    variants = {name: set(choices) for name, choices in detection.PREPARATION.items()}
    heads = [choices for choices in variants.values() if set(detection.HEADS) <= choices]
    keys = [{choice.split("=")[0] for choice in choices} for choices in heads]
    assert all(key == keys[0] for key in keys) and len({frozenset(choices) for choices in heads}) == 4
    for name in ("box", "n4"):
        assert len(variants[name] - variants["ceiling"]) == 1 and variants["ceiling"] < variants[name]
    for study, variants in detection.STUDIES.items():
        assert {name for pair in detection.DIFFERENCES[study] for name in pair} == set(variants)


def test_scores_of_one_run_are_compared(detection, calls, tmp_path: Path, capsys) -> None:
    for seed in (1, 2):
        folder = tmp_path / "scores" / "50" / "default" / str(seed)
        finish(detection, folder, seed=seed, effect=2.0, precision=0.9, alarms=1)
    scores = ["--variants", "residual", "healthy_mean", "--seeds", "1", "2", "--subjects", "50"]
    detection.main(["--study", "scores", *scores, "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(lines[-1])
    assert not calls and result["missing"] == 0
    assert result["figures"]["residual"]["auroc"] > result["figures"]["healthy_mean"]["auroc"] + 0.05
    assert any(line.startswith("| residual - healthy_mean | 100 | +0.") for line in lines)
