"""Comparison of classifiers and feature sets over a sweep, with a heat map over modalities."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from brain_cae.reporting import formatting
from brain_cae.reporting.configurations import BASELINES, Configuration, average, varied
from brain_cae.reporting.differences import REFERENCE, other_choices, paired
from brain_cae.reporting.figures import Theme, chart, readable
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Table, figure, label

KEY = "modality"
SCORES = {"residual": "detection.auroc"} | {name: f"baseline.{name}.auroc" for name in BASELINES}
"""Volume scores compared with the classifiers; they use no labels. Values are the names of their AUROC."""

ENDS = ("", ".low", ".high", ".n", ".lowest", ".highest")


def comparison(configurations: list[Configuration], averaged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per configuration and predictor: a classifier with a feature set, or a volume score.

    If the sweep varies the modality, each row also has the paired difference of its AUROC from that of the reference
    modality, for the same classifier and features.

    Args:
        configurations: Configurations of the sweep.
        averaged: Their metrics, one row each, in the same order; see
            :func:`brain_cae.reporting.configurations.average_configurations`.

    Returns:
        Columns: the keys of the configuration, ``features``, ``classifier`` (``none`` for a score), ``auroc``,
        ``.low``, ``.high``, ``.n``, ``.lowest``, ``.highest`` (over the single runs), ``verdicts``, and ``difference``,
        ``.low``, ``.high``. Empty if no run has predictions to compare.
    """
    tables = [average(configuration.tables) for configuration in configurations]
    references = {
        other_choices(configuration, KEY): table
        for configuration, table in zip(configurations, tables, strict=True)
        if KEY in varied(configurations) and configuration.choices[KEY] == REFERENCE[KEY]
    }
    rows = []
    for configuration, table, metrics in zip(configurations, tables, averaged.to_dict("records"), strict=True):
        reference = references.get(other_choices(configuration, KEY))
        for features, classifier, column, name in _predictors(configuration, table):
            row: dict[str, Any] = {**configuration.choices, "features": features, "classifier": classifier}
            row |= {f"auroc{end}": metrics.get(f"{name}{end}") for end in ENDS} | {"verdicts": configuration.verdicts}
            if reference is not None and configuration.choices[KEY] != REFERENCE[KEY]:
                difference = paired(table, reference, column, "auroc", configuration.min_per_class)
                if difference is not None:
                    row |= {
                        "difference": difference.value,
                        "difference.low": difference.low,
                        "difference.high": difference.high,
                    }
            rows.append(row)
    return pd.DataFrame(rows)


def comparison_blocks(compared: pd.DataFrame, configurations: list[Configuration]) -> list[Block]:
    """Return a heat map of modality by classifier for each feature set, and its values as tables.

    The list is empty if the sweep does not vary the modality.
    """
    keys = varied(configurations)
    if KEY not in keys or compared.empty:
        return []
    remaining = [key for key in keys if key != KEY]
    blocks = []
    for panel, rows in _panels(compared, remaining):
        drawn = chart(partial(_draw, rows), f"AUROC by modality and classifier{', ' if panel else ''}{panel}")
        blocks += [] if drawn is None else [Block("charts", [drawn])]
        blocks += [Block("table", _table(rows, panel, "auroc"))]
        if "difference" in rows and rows["difference"].notna().any():
            blocks += [Block("table", _table(rows, panel, "difference"))]
    return blocks


def _predictors(configuration: Configuration, table: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Yield features, classifier, column of ``subjects.csv`` and name in ``configurations.csv`` of every predictor."""
    selected = str((configuration.jobs[0]["metrics"].get("transfer") or {}).get("classifier") or "transfer classifier")
    for column in table.columns:
        if column.startswith("probability."):
            suffix = column.removeprefix("probability.")
            features, _, classifier = suffix.partition(".")
            yield features, classifier or selected, column, f"transfer.{suffix}.auroc"
    for score, name in SCORES.items():
        if f"score.{score}" in table:
            yield f"{score} score", "none", f"score.{score}", name


def _panels(compared: pd.DataFrame, keys: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    if not keys:
        yield "", compared
        return
    for choices, rows in compared.groupby(keys, sort=False):
        yield ", ".join(f"{key}={choice}" for key, choice in zip(keys, choices, strict=True)), rows


def _table(rows: pd.DataFrame, panel: str, name: str) -> Table:
    """Return a table of modality by predictor; ``name`` is ``auroc`` or ``difference``."""
    predictors = list(dict.fromkeys(zip(rows["features"], rows["classifier"], strict=True)))
    cells = []
    for modality, part in rows.groupby(KEY, sort=False):
        if name == "difference" and modality == REFERENCE[KEY]:
            continue
        rows_by_predictor = {(row["features"], row["classifier"]): row for row in part.to_dict("records")}
        estimates = [_estimate(rows_by_predictor.get(key, {}), name) for key in predictors]
        cells.append([label(modality), *(figure(value, signed=name == "difference") for value in estimates)])
    names = [(features, "" if classifier == "none" else f"{classifier}, ") for features, classifier in predictors]
    headings = [f"{classifier}{features}" for features, classifier in names]
    caption = "AUROC" if name == "auroc" else f"AUROC minus that of {KEY}={REFERENCE[KEY]}, paired"
    return Table([KEY, *headings], cells, caption=f"{caption}; {panel}" if panel else caption)


def _estimate(row: dict[Any, Any], name: str) -> dict[str, Any]:
    values = {key: row.get(f"{name}{end}") for key, end in (("value", ""), ("low", ".low"), ("high", ".high"))}
    return {key: None if value is None or pd.isna(value) else value for key, value in values.items()}


def _draw(rows: pd.DataFrame, theme: Theme) -> Figure | None:
    """Draw one panel per feature set and one for the scores that use no labels; intervals are in small print."""
    rows = rows.assign(panel=rows["features"].where(rows["classifier"] != "none", "no classifier"))
    rows = rows.assign(
        across=rows["classifier"].where(rows["classifier"] != "none", rows["features"].str.removesuffix(" score"))
    )
    panels = list(dict.fromkeys(rows["panel"]))
    modalities = list(dict.fromkeys(rows[KEY]))
    across = {name: list(dict.fromkeys(rows.loc[rows["panel"] == name, "across"])) for name in panels}
    widths = [len(across[name]) for name in panels]
    drawn = Figure(figsize=(1.4 + 1.05 * sum(widths), 1.5 + 0.46 * len(modalities)), dpi=150, layout="constrained")
    axes = np.ravel(drawn.subplots(1, len(panels), width_ratios=widths, sharey=True))
    scale = LinearSegmentedColormap.from_list("auroc", [theme.abnormal, theme.paper, theme.healthy])
    for axis, panel in zip(axes, panels, strict=True):
        part = rows[rows["panel"] == panel]
        _heat(axis, part, modalities, across[panel], scale, theme)
        axis.set_title(panel)
    return drawn


def _heat(
    axis: Axes, rows: pd.DataFrame, down: list[str], across: list[str], scale: LinearSegmentedColormap, theme: Theme
) -> None:
    values = np.full((len(down), len(across)), np.nan)
    for row in rows.to_dict("records"):
        position = down.index(row[KEY]), across.index(row["across"])
        auroc = _estimate(row, "auroc")
        if auroc["value"] is None:
            continue
        values[position] = auroc["value"]
        ends = [formatting.number(auroc[end], digits=2) for end in ("low", "high") if auroc[end] is not None]
        axis.annotate(formatting.number(auroc["value"], digits=2), position[::-1], (0, 1), textcoords="offset points",
                      ha="center", va="bottom", color=theme.ink, fontsize=8.5)  # fmt: skip
        axis.annotate("\N{EN DASH}".join(ends), position[::-1], (0, -1), textcoords="offset points", ha="center",
                      va="top", color=theme.ink, alpha=0.8, fontsize=6.5)  # fmt: skip
    # Chance level (0.5) has the colour of the page, whatever the range of the values.
    axis.imshow(values, cmap=scale, norm=Normalize(-0.1, 1.1), aspect="auto", alpha=0.75)
    axis.set_xticks(range(len(across)), [readable(name, longest=16) for name in across], rotation=35, ha="right")
    axis.set_yticks(range(len(down)), [readable(name) for name in down])
    axis.tick_params(length=0)
    axis.grid(False)
