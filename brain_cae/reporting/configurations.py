"""Several runs of one configuration: every subject averaged over the seeds first, then the figures.

A figure for each seed and the mean of those would count a subject as often as it was tested, and the spread over three
seeds is no interval over subjects. So a subject's score is its mean over the runs that evaluated it, which are those
where it stood outside ``train`` and ``validation``, and the bootstrap draws subjects.

Raw scores are averaged: they are multiples of what healthy brains vary at the same place, and so have the same unit in
every run (``intensity`` has none, and is the same in every run). Expressed in the spread of each run's calibration
scores they would move by the error of that spread. ``score.shift`` says how well the runs agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_cae import estimates
from brain_cae.estimates import Estimate

BASELINES = ("healthy_mean", "intensity")
RESAMPLES = 2000
SUBJECTS = {"subject": str, "label": str, "role": str, "protocol": str}

Figure = Callable[[pd.DataFrame, int], Estimate]


@dataclass(frozen=True)
class Configuration:
    """The finished runs of a sweep that differ in nothing but the seed.

    Attributes:
        choices: By key, as typed.
        jobs: Each with ``run``, ``folder``, ``choices``, ``status``, ``metrics``.
        tables: What each of them found for each subject.
    """

    choices: dict[str, str]
    jobs: list[dict[str, Any]]
    tables: list[pd.DataFrame]

    @property
    def min_per_class(self) -> int:
        """Members that each class must have for figures between the classes: more where a protocol is held out."""
        return estimates.MIN_PER_CLASS_HELD_OUT if "split.protocol" in self.choices else 1

    @property
    def verdicts(self) -> str:
        """Verdicts of the audit; empty where no job has one."""
        return self._verdicts(lambda audit: audit)

    @property
    def classifier_verdicts(self) -> str:
        """The same on the transfer classifier."""
        return self._verdicts(lambda audit: audit.get("classifier") or {})

    def _verdicts(self, of: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
        found = {str(of(job["metrics"].get("audit") or {}).get("verdict") or "") for job in self.jobs}
        return " and ".join(sorted(found - {""}))


def gather(jobs: list[dict[str, Any]], keys: list[str]) -> list[Configuration]:
    """The configurations of a sweep, in the order of their first runs.

    Args:
        jobs: See :class:`Configuration`.
        keys: The keys that tell configurations apart.
    """
    found: dict[tuple[str, ...], Configuration] = {}
    for job in jobs:
        table = read_subjects(job["folder"]) if job["status"] == "finished" else None
        if table is not None:
            choices = {key: job["choices"].get(key, "") for key in keys}
            own = found.setdefault(tuple(choices.values()), Configuration(choices, [], []))
            own.jobs.append(job)
            own.tables.append(table)
    return list(found.values())


def varied(gathered: list[Configuration]) -> list[str]:
    """The keys whose choice is not the same everywhere."""
    keys = gathered[0].choices if gathered else {}
    return [key for key in keys if len({found.choices[key] for found in gathered}) > 1]


def configurations(gathered: list[Configuration]) -> pd.DataFrame:
    """One row for each configuration of a sweep.

    Returns:
        Columns: the keys, ``runs`` (their names), ``seeds`` (how many), ``verdicts``, ``score.shift`` (largest
        difference between two runs in the mean score of the subjects that both evaluated, in standard deviations of
        the healthy ones), and for each figure ``<name>``, ``.low``, ``.high`` (over subjects), ``.n``,
        ``.lowest`` and ``.highest`` (of the single runs).
    """
    rows = []
    for found in gathered:
        row: dict[str, Any] = dict(found.choices)
        row["runs"] = " ".join(str(job["run"]) for job in found.jobs)
        row["seeds"] = len(found.jobs)
        row["verdicts"] = found.verdicts
        row["score.shift"] = score_shift(found.tables)
        rows.append(row | _figures(found.tables, found.min_per_class))
    return pd.DataFrame(rows)


def read_subjects(folder: Path) -> pd.DataFrame | None:
    """What a run found for each subject: ``subjects.csv``, or what ``predictions.csv`` holds of it."""
    for name in ("subjects.csv", "predictions.csv"):
        try:
            table = pd.read_csv(folder / name, dtype=SUBJECTS)
        except (OSError, ValueError):
            continue
        if {"subject", "label"} <= set(table.columns):
            return table.rename(columns={"score": "score.residual", "classifier_probability": "probability"})
    return None


def average(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Mean of every number over the runs that have it (index: subject), with the label."""
    grouped = pd.concat(tables, ignore_index=True).groupby("subject")
    return grouped.mean(numeric_only=True).assign(label=grouped["label"].first())


def score_shift(tables: list[pd.DataFrame]) -> float | None:
    """How far apart the runs' scores lie on the same subjects, in standard deviations of the healthy; None for one."""
    if len(tables) < 2 or any("score.residual" not in table for table in tables):
        return None
    spread = float(np.mean([table.loc[table["label"] == "healthy", "score.residual"].std() for table in tables]))
    columns = [table.set_index("subject")["score.residual"] for table in tables]
    shifts = [abs(float((one - two).mean())) for number, one in enumerate(columns) for two in columns[:number]]
    largest = float(np.max(shifts)) / spread if spread > 0 else float("nan")
    return largest if np.isfinite(largest) else None


def _figures(tables: list[pd.DataFrame], min_per_class: int) -> dict[str, Any]:
    averaged, alone = average(tables), [average([table]) for table in tables]
    row: dict[str, Any] = {}
    for name, figure in _named(averaged.columns, min_per_class).items():
        found = figure(averaged, RESAMPLES)
        if not found.defined:
            continue
        row |= {name: found.value, f"{name}.low": found.low, f"{name}.high": found.high, f"{name}.n": found.n}
        if len(tables) > 1:
            single = [figure(table, 10).value for table in alone]
            known = [value for value in single if value is not None]
            row |= {f"{name}.lowest": min(known, default=None), f"{name}.highest": max(known, default=None)}
    return row


def _named(columns: pd.Index, min_per_class: int) -> dict[str, Figure]:
    """The figures that can be made of these columns, by the names that they have in ``metrics.json``."""
    auroc = partial(estimates.auroc, min_per_class=min_per_class)
    figures: dict[str, Figure] = {
        "detection.auroc": _scored(auroc, "score.residual"),
        "detection.average_precision": _scored(
            partial(estimates.average_precision, min_per_class=min_per_class), "score.residual"
        ),
        "detection.absolute.auroc": _scored(auroc, "score.absolute"),
    }
    for name in BASELINES:
        figures[f"baseline.{name}.auroc"] = _scored(auroc, f"score.{name}")
        figures[f"detection.difference.{name}"] = _difference("score.residual", f"score.{name}", "auroc", min_per_class)
    for column in columns:
        if column == "probability":
            figures["transfer.auroc"] = _scored(auroc, column)
        elif column.startswith("probability."):
            figures[f"transfer.{column.partition('.')[2]}.auroc"] = _scored(auroc, column)
    for measure in ("average_precision", "dice"):
        ours = f"residual.{measure}"
        figures[f"localisation.{measure}"] = _mean(ours, "abnormal")
        for name in BASELINES:
            figures[f"baseline.{name}.localisation.{measure}"] = _mean(f"{name}.{measure}", "abnormal")
            figures[f"localisation.difference.{name}.{measure}"] = _difference(ours, f"{name}.{measure}", "mean")
    for measure in ("l1", "ssim"):
        figures[f"reconstruction.{measure}"] = _mean(f"reconstruction.{measure}", "healthy")
    for column in columns:
        if column.startswith("reshape."):
            figures[column] = _mean(column)
    return figures


def _scored(metric: Callable[..., Estimate], column: str) -> Figure:
    def figure(table: pd.DataFrame, resamples: int) -> Estimate:
        rows = _known(table, column)
        return metric(rows["label"], rows[column], resamples=resamples)

    return figure


def _difference(ours: str, other: str, metric: str, min_per_class: int = 1) -> Figure:
    def figure(table: pd.DataFrame, resamples: int) -> Estimate:
        rows = _known(table, ours, other)
        return estimates.paired_difference(
            rows["label"], rows[ours], rows[other], metric=metric, resamples=resamples, min_per_class=min_per_class
        )

    return figure


def _mean(column: str, label: str | None = None) -> Figure:
    """Over the subjects of one label, or over all."""

    def figure(table: pd.DataFrame, resamples: int) -> Estimate:
        rows = _known(table, column)
        return estimates.mean(rows.loc[(rows["label"] == label) | (label is None), column], resamples=resamples)

    return figure


def _known(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Labelled subjects that have these numbers; none where a column is missing."""
    rows = table[table["label"] != "unknown"].reindex(columns=["label", *columns])
    return rows.dropna()
