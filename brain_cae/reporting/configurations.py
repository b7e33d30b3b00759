"""Metrics of several runs of one configuration: subjects are averaged over the seeds before any metric is computed.

The mean of one metric per seed would count a subject as often as it was tested, and the spread over three seeds is not
an interval over subjects. The score of a subject is therefore its mean over the runs that evaluated it, that is, where
it was in neither ``train`` nor ``validation``; the bootstrap resamples subjects.

Raw scores are averaged. They are multiples of the variation of healthy brains at the same location, so their unit is
the same in every run (``intensity`` has no unit, and is the same in every run). Dividing them by the spread of the
calibration scores of each run would add the error of that spread. ``score.shift`` tells how well the runs agree.
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
from brain_cae.files.tables import read_csv

BASELINES = ("healthy_subspace", "healthy_mean", "intensity")
RESAMPLES = 2000
SUBJECTS = {"subject": str, "label": str, "role": str, "protocol": str}

Metric = Callable[[pd.DataFrame, int], Estimate]
"""Computes an estimate from a subject table and a number of bootstrap resamples."""


@dataclass(frozen=True)
class Configuration:
    """The finished runs of a sweep that differ only in the seed.

    Attributes:
        choices: Choice of each key, as typed.
        jobs: One mapping per run, with ``run``, ``folder``, ``choices``, ``status``, ``metrics``.
        tables: Subject table of each run, in the same order.
    """

    choices: dict[str, str]
    jobs: list[dict[str, Any]]
    tables: list[pd.DataFrame]

    @property
    def min_per_class(self) -> int:
        """Minimum subjects per class for metrics that compare the classes; higher if a protocol is held out."""
        return estimates.MIN_PER_CLASS_HELD_OUT if "split.protocol" in self.choices else 1

    @property
    def verdicts(self) -> str:
        """Verdicts of the audit, joined; empty if no job has one."""
        return self._join_verdicts(lambda audit: audit)

    @property
    def classifier_verdicts(self) -> str:
        """Verdicts on the transfer classifier, joined; empty if no job has one."""
        return self._join_verdicts(lambda audit: audit.get("classifier") or {})

    def _join_verdicts(self, select: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
        verdicts = {str(select(job["metrics"].get("audit") or {}).get("verdict") or "") for job in self.jobs}
        return " and ".join(sorted(verdicts - {""}))


def gather(jobs: list[dict[str, Any]], keys: list[str]) -> list[Configuration]:
    """Group the finished jobs of a sweep by configuration, in the order of their first runs.

    Args:
        jobs: See :class:`Configuration`.
        keys: Keys that distinguish configurations.
    """
    by_choices: dict[tuple[str, ...], Configuration] = {}
    for job in jobs:
        table = read_subjects(job["folder"]) if job["status"] == "finished" else None
        if table is not None:
            choices = {key: job["choices"].get(key, "") for key in keys}
            configuration = by_choices.setdefault(tuple(choices.values()), Configuration(choices, [], []))
            configuration.jobs.append(job)
            configuration.tables.append(table)
    return list(by_choices.values())


def varied(configurations: list[Configuration]) -> list[str]:
    """Return the keys whose choice differs between configurations."""
    keys = configurations[0].choices if configurations else {}
    return [key for key in keys if len({configuration.choices[key] for configuration in configurations}) > 1]


def average_configurations(configurations: list[Configuration]) -> pd.DataFrame:
    """Return the metrics of each configuration of a sweep, one row each.

    Returns:
        Columns: the keys, ``runs`` (their names), ``seeds`` (number of runs), ``verdicts``, ``score.shift`` (largest
        difference between two runs in the mean score of the subjects that both evaluated, in standard deviations of
        the healthy subjects), and for each metric ``<name>``, ``.low``, ``.high`` (over subjects), ``.n``,
        ``.lowest`` and ``.highest`` (over the single runs).
    """
    rows = []
    for configuration in configurations:
        row: dict[str, Any] = dict(configuration.choices)
        row["runs"] = " ".join(str(job["run"]) for job in configuration.jobs)
        row["seeds"] = len(configuration.jobs)
        row["verdicts"] = configuration.verdicts
        row["score.shift"] = score_shift(configuration.tables)
        rows.append(row | _metrics(configuration.tables, configuration.min_per_class))
    return pd.DataFrame(rows)


def read_subjects(folder: Path) -> pd.DataFrame | None:
    """Read the subject table of a run: ``subjects.csv``, else ``predictions.csv``; None if neither can be read."""
    for name in ("subjects.csv", "predictions.csv"):
        try:
            table = read_csv(folder / name, dtype=SUBJECTS)
        except (OSError, ValueError):
            continue
        if {"subject", "label"} <= set(table.columns):
            return table.rename(columns={"score": "score.residual", "classifier_probability": "probability"})
    return None


def average(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Average every numeric column over the runs that have it; the index is the subject, the label is kept."""
    grouped = pd.concat(tables, ignore_index=True).groupby("subject")
    return grouped.mean(numeric_only=True).assign(label=grouped["label"].first())


def score_shift(tables: list[pd.DataFrame]) -> float | None:
    """Return the largest mean score difference between two runs, in standard deviations of healthy subjects.

    None for a single run, or if a run has no residual score.
    """
    if len(tables) < 2 or any("score.residual" not in table for table in tables):
        return None
    spread = float(np.mean([table.loc[table["label"] == "healthy", "score.residual"].std() for table in tables]))
    columns = [table.set_index("subject")["score.residual"] for table in tables]
    shifts = [abs(float((a - b).mean())) for number, a in enumerate(columns) for b in columns[:number]]
    largest = float(np.max(shifts)) / spread if spread > 0 else float("nan")
    return largest if np.isfinite(largest) else None


def _metrics(tables: list[pd.DataFrame], min_per_class: int) -> dict[str, Any]:
    averaged, single_runs = average(tables), [average([table]) for table in tables]
    row: dict[str, Any] = {}
    for name, metric in _metrics_of(averaged.columns, min_per_class).items():
        result = metric(averaged, RESAMPLES)
        if not result.defined:
            continue
        row |= {name: result.value, f"{name}.low": result.low, f"{name}.high": result.high, f"{name}.n": result.n}
        if len(tables) > 1:
            values = [metric(table, 10).value for table in single_runs]
            defined = [value for value in values if value is not None]
            row |= {f"{name}.lowest": min(defined, default=None), f"{name}.highest": max(defined, default=None)}
    return row


def _metrics_of(columns: pd.Index, min_per_class: int) -> dict[str, Metric]:
    """Return the metrics that these columns allow, by their name in ``metrics.json``."""
    auroc = partial(estimates.auroc, min_per_class=min_per_class)
    metrics: dict[str, Metric] = {
        "detection.auroc": _scored(auroc, "score.residual"),
        "detection.average_precision": _scored(
            partial(estimates.average_precision, min_per_class=min_per_class), "score.residual"
        ),
        "detection.absolute.auroc": _scored(auroc, "score.absolute"),
    }
    for name in BASELINES:
        metrics[f"baseline.{name}.auroc"] = _scored(auroc, f"score.{name}")
        metrics[f"detection.difference.{name}"] = _difference("score.residual", f"score.{name}", "auroc", min_per_class)
    for column in columns:
        if column == "probability":
            metrics["transfer.auroc"] = _scored(auroc, column)
        elif column.startswith("probability."):
            metrics[f"transfer.{column.partition('.')[2]}.auroc"] = _scored(auroc, column)
    for measure in ("average_precision", "dice"):
        residual = f"residual.{measure}"
        metrics[f"localisation.{measure}"] = _mean(residual, "abnormal")
        for name in BASELINES:
            metrics[f"baseline.{name}.localisation.{measure}"] = _mean(f"{name}.{measure}", "abnormal")
            metrics[f"localisation.difference.{name}.{measure}"] = _difference(residual, f"{name}.{measure}", "mean")
    for measure in ("l1", "ssim"):
        metrics[f"reconstruction.{measure}"] = _mean(f"reconstruction.{measure}", "healthy")
    for column in columns:
        if column.startswith("reshape."):
            metrics[column] = _mean(column)
    return metrics


def _scored(metric: Callable[..., Estimate], column: str) -> Metric:
    def compute(table: pd.DataFrame, resamples: int) -> Estimate:
        rows = _complete(table, column)
        return metric(rows["label"], rows[column], resamples=resamples)

    return compute


def _difference(first: str, second: str, metric: str, min_per_class: int = 1) -> Metric:
    def compute(table: pd.DataFrame, resamples: int) -> Estimate:
        rows = _complete(table, first, second)
        return estimates.paired_difference(
            rows["label"], rows[first], rows[second], metric=metric, resamples=resamples, min_per_class=min_per_class
        )

    return compute


def _mean(column: str, label: str | None = None) -> Metric:
    """Return the mean over the subjects of one label, or over all subjects."""

    def compute(table: pd.DataFrame, resamples: int) -> Estimate:
        rows = _complete(table, column)
        return estimates.mean(rows.loc[(rows["label"] == label) | (label is None), column], resamples=resamples)

    return compute


def _complete(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the labelled subjects with a value in all these columns; no rows if a column is missing."""
    rows = table[table["label"] != "unknown"].reindex(columns=["label", *columns])
    return rows.dropna()
