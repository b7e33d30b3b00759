"""A page that compares any runs: main figures, paired differences over shared subjects, ROC, configurations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from brain_cae.configuration.identity import flattened
from brain_cae.errors import RunError
from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT
from brain_cae.files.atomic import write_text
from brain_cae.files.documents import read_json, read_yaml
from brain_cae.reporting import charts
from brain_cae.reporting.configurations import read_subjects
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.differences import METRICS, paired
from brain_cae.reporting.doubts import serious_of_runs
from brain_cae.reporting.evidence import at
from brain_cae.reporting.figures import chart
from brain_cae.reporting.headline import banner
from brain_cae.reporting.page import render
from brain_cae.reporting.tables import Cell, Table, figure, label
from brain_cae.vocabulary import CLASSES

FIGURES = {
    "AUROC, residual score": ("detection", "auroc"),
    "AUROC, healthy_subspace": ("baseline", "healthy_subspace", "auroc"),
    "AUROC, transfer": ("transfer", "auroc"),
    "false alarms": ("detection", "false_alarms"),
    "localisation AP": ("localisation", "average_precision"),
    "Dice": ("localisation", "dice"),
    "reconstruction error": ("reconstruction", "l1"),
}


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        name: Letter by which the page names it.
        folder: Its folder.
        metrics: The content of ``metrics.json``.
        subjects: Values of each evaluated subject (index: subject).
        choices: Value of each key of its configuration.
    """

    name: str
    folder: Path
    metrics: dict[str, Any]
    subjects: pd.DataFrame
    choices: dict[str, Any]

    @property
    def min_per_class(self) -> int:
        """Minimum subjects per class for figures that compare the classes."""
        held_out = self.choices.get("split.name") == "leave_protocol_out"
        return MIN_PER_CLASS_HELD_OUT if held_out else 1


def write_comparison(folders: Sequence[Path], path: Path) -> Path:
    """Write the page that compares runs; the first one is the reference of the differences.

    Args:
        folders: At least two folders of finished runs of ``train.py`` or ``evaluate.py``.
        path: The page to write.

    Returns:
        The path.

    Raises:
        RunError: There are fewer than two runs, or one has no results.
    """
    if len(folders) < 2:
        raise RunError("There is nothing to compare.", expected="two or more folders of runs", found=str(len(folders)))
    runs = [_read(folder, chr(ord("A") + number % 26)) for number, folder in enumerate(folders)]
    shared = _shared(runs)
    page = render(
        "run_comparison.html.j2",
        runs=_runs_table(runs, path.parent),
        differences=_differences_table(runs),
        roc=_roc(runs, shared),
        shared=len(shared),
        choices=_choices_table(runs),
        serious=serious_of_runs({run.name: run.metrics for run in runs}),
        cautions=_cautions(runs, shared),
    )
    return write_text(path, page)


def _read(folder: Path, name: str) -> Run:
    try:
        metrics = read_json(folder / "metrics.json")
    except (OSError, ValueError):
        metrics = None
    subjects = read_subjects(folder)
    if not isinstance(metrics, dict) or subjects is None:
        raise RunError(
            "This run has no results.",
            expected="metrics.json and subjects.csv, as `train.py` and `evaluate.py` write them",
            found="a run that is still going or failed, or another folder" if folder.is_dir() else "no such folder",
            where=str(folder),
        )
    return Run(
        name, folder, metrics, subjects.drop_duplicates("subject").set_index("subject"), _choices(folder, metrics)
    )


def _choices(folder: Path, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with which the model was trained; an evaluation has it in the folder of its model."""
    model_run = at(metrics, "environment", "model_run")
    for home in (folder, *([Path(model_run)] if model_run else [])):
        try:
            return dict(flattened(read_yaml(home / "model" / "config.yaml")))
        except (OSError, ValueError, AttributeError):
            continue
    return {}


def _shared(runs: list[Run]) -> pd.Index:
    """Return the labelled subjects that every run evaluated under the same label."""
    labels = _labels(runs).dropna()
    same = labels.nunique(axis=1) == 1
    return labels.index[same & labels.iloc[:, 0].isin(CLASSES)]


def _labels(runs: list[Run]) -> pd.DataFrame:
    """Return the label of each subject (rows) in each run (columns); missing where the run did not evaluate it."""
    return pd.concat([run.subjects["label"].rename(run.name) for run in runs], axis=1)


def _cautions(runs: list[Run], shared: pd.Index) -> list[str]:
    cautions = [
        f"Run {run.name} is {verdict}: {banner(ReportContent('', run.metrics)).meaning}"
        for run in runs
        if (verdict := str(at(run.metrics, "audit", "verdict") or "")) in ("confounded", "at risk")
    ]
    if len({str(at(run.metrics, "environment", "data_hash")) for run in runs}) > 1:
        cautions.append("The runs used different scans. Subjects are matched by name; check that names mean the same.")
    labels = _labels(runs)
    if contradicted := int((labels.where(labels.isin(CLASSES)).nunique(axis=1) > 1).sum()):
        subjects = "1 subject has" if contradicted == 1 else f"{contradicted} subjects have"
        cautions.append(
            f"{subjects} different labels in the runs and cannot be compared: their names probably mean other people."
        )
    if not len(shared):
        cautions.append("No labelled subject was evaluated by all runs, so there is no common ROC curve.")
    return cautions


def _runs_table(runs: list[Run], here: Path) -> Table:
    rows = []
    for run in runs:
        report = Path(os.path.relpath((run.folder / "report.html").absolute(), here.absolute())).as_posix()
        link = quote(report) if (run.folder / "report.html").is_file() else ""
        figures = [figure(at(run.metrics, *place)) for place in FIGURES.values()]
        verdict = label(at(run.metrics, "audit", "verdict"))
        rows.append([Cell(run.name), Cell(str(run.folder), href=link), verdict, *figures])
    return Table(["run", "folder", "verdict", *FIGURES], rows)


def _differences_table(runs: list[Run]) -> Table | None:
    """Return each run minus the first, over the subjects that both evaluated."""
    reference, others = runs[0], runs[1:]
    rows = []
    for run in others:
        least = max(run.min_per_class, reference.min_per_class)
        found = [paired(run.subjects, reference.subjects, column, kind, least) for _, column, kind in METRICS.values()]
        cells = [figure(None if value is None else value.to_dict(), signed=True) for value in found]
        rows.append([Cell(f"{run.name} \N{MINUS SIGN} {reference.name}"), *cells])
    headings = ["runs", *(heading for heading, _, _ in METRICS.values())]
    kept = [place for place in range(1, len(headings)) if any(row[place].tone != "missing" for row in rows)]
    if not kept:
        return None
    return Table([headings[place] for place in (0, *kept)], [[row[place] for place in (0, *kept)] for row in rows])


def _roc(runs: list[Run], shared: pd.Index) -> Any:
    curves = {
        f"{run.name}: {run.folder.name}": (
            run.subjects.loc[shared, "label"],
            run.subjects.loc[shared, "score.residual"],
        )
        for run in runs
        if "score.residual" in run.subjects
    }
    content = ReportContent("", {}, curves=curves)
    names = ", ".join(run.name for run in runs)
    return chart(
        lambda theme: charts.roc(content, theme), f"ROC curves of runs {names} on the subjects that all evaluated"
    )


def _choices_table(runs: list[Run]) -> Table:
    keys = list(dict.fromkeys(key for run in runs for key in run.choices))
    differing = [key for key in keys if len({str(run.choices.get(key, "")) for run in runs}) > 1]
    rows = [[Cell(key), *(label(str(run.choices.get(key, ""))) for run in runs)] for key in differing]
    return Table(["key", *(run.name for run in runs)], rows)
