"""Paired differences between configurations of a sweep: each choice minus the reference choice."""

from __future__ import annotations

from typing import Any

import pandas as pd

from brain_cae import estimates
from brain_cae.estimates import Estimate
from brain_cae.reporting.configurations import RESAMPLES, Configuration, average, varied
from brain_cae.reporting.tables import Cell, Table, figure, label
from brain_cae.vocabulary import CLASSES

REFERENCE = {"reshape": "fixed", "reshape.crop": "none", "modality": "t1_flair"}
"""Reference choice of a key, with which the other choices are compared."""

METRICS = {
    "detection.auroc": ("AUROC, residual score", "score.residual", "auroc"),
    "transfer.both.auroc": ("AUROC, transfer, both", "probability.both", "auroc"),
    "localisation.average_precision": ("localisation AP", "residual.average_precision", "abnormal"),
    "localisation.dice": ("Dice", "residual.dice", "abnormal"),
    "reconstruction.l1": ("reconstruction error, native space", "reconstruction.l1", "healthy"),
    "reshape.round_trip_l1": ("interpolation error, native space", "reshape.round_trip_l1", "all"),
}
"""Name in ``configurations.csv`` to heading, column of ``subjects.csv``, and ``auroc`` or the subjects of the mean."""


def differences(configurations: list[Configuration]) -> pd.DataFrame:
    """Return the differences of each configuration from the reference that is otherwise the same, paired by subject.

    Both are averaged over their runs first. Only subjects that runs of both evaluated are used.

    Returns:
        Columns: the keys of the configuration, ``key`` (the one that differs), ``plain`` (its reference choice),
        ``figure`` (name of the metric), ``value``, ``low``, ``high``, ``n``. Empty if the sweep varies no key of
        ``REFERENCE``.
    """
    averaged = [(configuration, average(configuration.tables)) for configuration in configurations]
    rows: list[dict[str, Any]] = []
    for key, reference in REFERENCE.items():
        if key not in varied(configurations):
            continue
        references = {
            other_choices(configuration, key): table
            for configuration, table in averaged
            if configuration.choices.get(key) == reference
        }
        for configuration, table in averaged:
            reference_table = references.get(other_choices(configuration, key))
            if reference_table is None or configuration.choices[key] == reference:
                continue
            for name, (_, column, kind) in METRICS.items():
                difference = paired(table, reference_table, column, kind, configuration.min_per_class)
                if difference is not None and difference.defined:
                    row = {"key": key, "plain": reference, "figure": name, "value": difference.value}
                    rows.append({**configuration.choices, **row, "low": difference.low, "high": difference.high,
                                 "n": difference.n})  # fmt: skip
    return pd.DataFrame(rows)


def differences_table(rows: pd.DataFrame) -> list[Table]:
    """Return one table per key with a reference choice, one column per metric; an empty list if there are no rows."""
    if rows.empty:
        return []
    keys = list(rows.columns[: list(rows.columns).index("key")])
    tables = []
    for (key, reference), part in rows.groupby(["key", "plain"], sort=False):
        shown = [name for name in METRICS if name in set(part["figure"])]
        differing = [name for name in keys if part[name].nunique() > 1 or name == key]
        body = []
        for choices, group in part.groupby(keys, sort=False):
            chosen = dict(zip(keys, choices, strict=True))
            estimates = {row["figure"]: row for row in group.to_dict("records")}
            cells = [figure(estimates[name], signed=True) if name in estimates else Cell("", True) for name in shown]
            body.append([*(label(chosen[name]) for name in differing), *cells])
        headings = [*differing, *(METRICS[name][0] for name in shown)]
        tables.append(Table(headings, body, caption=f"Difference from {key}={reference}"))
    return tables


def other_choices(configuration: Configuration, key: str) -> tuple[tuple[str, str], ...]:
    """Return the choices of a configuration for all keys but one."""
    return tuple((name, choice) for name, choice in configuration.choices.items() if name != key)


def paired(table: pd.DataFrame, reference: pd.DataFrame, column: str, kind: str, min_per_class: int) -> Estimate | None:
    """Return the paired difference of one column between two configurations; None if a column is missing.

    Only subjects with the same label in both are used.

    Args:
        table: Values of one configuration, averaged by subject.
        reference: Values of the reference configuration, averaged by subject.
        column: Column of both tables.
        kind: ``auroc``, or the subjects over which the mean is taken: ``healthy``, ``abnormal`` or ``all``.
        min_per_class: Minimum subjects in each class.
    """
    if column not in table or column not in reference:
        return None
    values = {"choice": table[column], "reference": reference[column]}
    both = pd.DataFrame({"label": table["label"], "other": reference["label"], **values}).dropna()
    # Under another label, a name means another person, or another question.
    both = both[(both["label"] != "unknown") & (both["label"] == both["other"])]
    metric = "auroc" if kind == "auroc" else "mean"
    if kind in CLASSES:
        both = both[both["label"] == kind]
    return estimates.paired_difference(
        both["label"],
        both["choice"],
        both["reference"],
        metric=metric,
        resamples=RESAMPLES,
        min_per_class=min_per_class,
    )
