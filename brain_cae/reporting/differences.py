"""Two configurations of a sweep on the same subjects: what a choice gains over the plain one."""

from __future__ import annotations

from typing import Any

import pandas as pd

from brain_cae import estimates
from brain_cae.estimates import Estimate
from brain_cae.reporting.configurations import RESAMPLES, Configuration, average, varied
from brain_cae.reporting.tables import Cell, Table, figure, label

PLAIN = {"reshape": "fixed", "modality": "t1_flair"}
"""The choice of a key that the others are compared with."""

FIGURES = {
    "detection.auroc": ("AUROC, residual score", "score.residual", "auroc"),
    "transfer.both.auroc": ("AUROC, transfer, both", "probability.both", "auroc"),
    "localisation.average_precision": ("localisation AP", "residual.average_precision", "abnormal"),
    "localisation.dice": ("Dice", "residual.dice", "abnormal"),
    "reconstruction.l1": ("reconstruction error, own space", "reconstruction.l1", "healthy"),
    "reshape.round_trip_l1": ("interpolation error, own space", "reshape.round_trip_l1", "all"),
}
"""By the name in ``configurations.csv``: heading, column of ``subjects.csv``, and ``auroc`` or whose mean it is."""


def differences(gathered: list[Configuration]) -> pd.DataFrame:
    """Each configuration minus the one that makes the plain choice and is otherwise the same, paired by subject.

    Both are averaged over their runs first; a subject counts that runs of both have evaluated.

    Returns:
        Columns: the configuration's keys, ``key`` (the one that differs), ``plain`` (its plain choice), ``figure``,
        ``value``, ``low``, ``high``, ``n``; empty where a sweep varies no key of ``PLAIN``.
    """
    averaged = [(found, average(found.tables)) for found in gathered]
    rows: list[dict[str, Any]] = []
    for key, plain in PLAIN.items():
        if key not in varied(gathered):
            continue
        bases = {others(found, key): table for found, table in averaged if found.choices.get(key) == plain}
        for found, table in averaged:
            base = bases.get(others(found, key))
            if base is None or found.choices[key] == plain:
                continue
            for name, (_, column, kind) in FIGURES.items():
                difference = paired(table, base, column, kind, found.min_per_class)
                if difference is not None and difference.defined:
                    row = {"key": key, "plain": plain, "figure": name, "value": difference.value}
                    rows.append({**found.choices, **row, "low": difference.low, "high": difference.high,
                                 "n": difference.n})  # fmt: skip
    return pd.DataFrame(rows)


def differences_table(found: pd.DataFrame) -> list[Table]:
    """One table for each key that has a plain choice, a column for each figure; nothing where there is none."""
    if found.empty:
        return []
    keys = list(found.columns[: list(found.columns).index("key")])
    tables = []
    for (key, plain), part in found.groupby(["key", "plain"], sort=False):
        shown = [name for name in FIGURES if name in set(part["figure"])]
        differing = [name for name in keys if part[name].nunique() > 1 or name == key]
        rows = []
        for choices, own in part.groupby(keys, sort=False):
            chosen = dict(zip(keys, choices, strict=True))
            figures = {row["figure"]: row for row in own.to_dict("records")}
            cells = [figure(figures[name], signed=True) if name in figures else Cell("", True) for name in shown]
            rows.append([*(label(chosen[name]) for name in differing), *cells])
        headings = [*differing, *(FIGURES[name][0] for name in shown)]
        tables.append(Table(headings, rows, caption=f"Minus {key}={plain}"))
    return tables


def others(found: Configuration, key: str) -> tuple[tuple[str, str], ...]:
    """What a configuration has chosen beside one key."""
    return tuple((name, choice) for name, choice in found.choices.items() if name != key)


def paired(table: pd.DataFrame, base: pd.DataFrame, column: str, kind: str, min_per_class: int) -> Estimate | None:
    """One column of two configurations on the subjects that both have; None where one of them lacks it.

    Args:
        table: Of one configuration, averaged by subject.
        base: Of the plain one.
        column: Of both.
        kind: ``auroc``, or whose mean it is: ``healthy``, ``abnormal`` or ``all``.
        min_per_class: Members that each class must have.
    """
    if column not in table or column not in base:
        return None
    both = pd.DataFrame({"label": table["label"], "ours": table[column], "plain": base[column]}).dropna()
    both = both[both["label"] != "unknown"]
    metric = "auroc" if kind == "auroc" else "mean"
    if kind in ("healthy", "abnormal"):
        both = both[both["label"] == kind]
    return estimates.paired_difference(
        both["label"], both["ours"], both["plain"], metric=metric, resamples=RESAMPLES, min_per_class=min_per_class
    )
