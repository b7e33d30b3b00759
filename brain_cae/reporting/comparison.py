"""Classifiers and arms of features side by side in a sweep, and over modalities as a heat map."""

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
from brain_cae.reporting.differences import PLAIN, others, paired
from brain_cae.reporting.figures import Theme, chart, readable
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Table, figure, label

KEY = "modality"
SCORES = {"residual": "detection.auroc"} | {name: f"baseline.{name}.auroc" for name in BASELINES}
"""Volume scores that stand beside the classifiers, which learn from no label: by name, that of their AUROC."""

ENDS = ("", ".low", ".high", ".n", ".lowest", ".highest")


def comparison(gathered: list[Configuration], averaged: pd.DataFrame) -> pd.DataFrame:
    """One row for each configuration and each classifier with each arm of features, or each volume score.

    Where the sweep varies the modality, each row also has the paired difference of its AUROC to that of the plain
    modality, for the same classifier and features.

    Args:
        gathered: The sweep's configurations.
        averaged: Their figures, one row each, in the same order, see
            :func:`brain_cae.reporting.configurations.configurations`.

    Returns:
        Columns: the configuration's keys, ``features``, ``classifier`` (``none`` for a score), ``auroc``, ``.low``,
        ``.high``, ``.n``, ``.lowest``, ``.highest`` (of the single runs), ``verdicts``, and ``difference``, ``.low``,
        ``.high``. Empty where no run has compared anything.
    """
    tables = [average(found.tables) for found in gathered]
    plain = {
        others(found, KEY): table
        for found, table in zip(gathered, tables, strict=True)
        if KEY in varied(gathered) and found.choices[KEY] == PLAIN[KEY]
    }
    rows = []
    for found, table, figures in zip(gathered, tables, averaged.to_dict("records"), strict=True):
        base = plain.get(others(found, KEY))
        for features, classifier, column, name in _predictors(found, table):
            row: dict[str, Any] = {**found.choices, "features": features, "classifier": classifier}
            row |= {f"auroc{end}": figures.get(f"{name}{end}") for end in ENDS} | {"verdicts": found.verdicts}
            if base is not None and found.choices[KEY] != PLAIN[KEY]:
                difference = paired(table, base, column, "auroc", found.min_per_class)
                if difference is not None:
                    row |= {
                        "difference": difference.value,
                        "difference.low": difference.low,
                        "difference.high": difference.high,
                    }
            rows.append(row)
    return pd.DataFrame(rows)


def comparison_blocks(compared: pd.DataFrame, gathered: list[Configuration]) -> list[Block]:
    """A heat map of modality by classifier for each arm of features, and the figures as tables; nothing of a sweep
    that varies no modality."""
    keys = varied(gathered)
    if KEY not in keys or compared.empty:
        return []
    rest = [key for key in keys if key != KEY]
    blocks = []
    for panel, rows in _panels(compared, rest):
        drawn = chart(partial(_draw, rows), f"AUROC by modality and classifier{', ' if panel else ''}{panel}")
        blocks += [] if drawn is None else [Block("charts", [drawn])]
        blocks += [Block("table", _table(rows, panel, "auroc"))]
        if "difference" in rows and rows["difference"].notna().any():
            blocks += [Block("table", _table(rows, panel, "difference"))]
    return blocks


def _predictors(found: Configuration, table: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Features, classifier, column of ``subjects.csv`` and name in ``configurations.csv`` of all that predicts."""
    own = str((found.jobs[0]["metrics"].get("transfer") or {}).get("classifier") or "transfer classifier")
    for column in table.columns:
        if column.startswith("probability."):
            arm = column.removeprefix("probability.")
            features, _, classifier = arm.partition(".")
            yield features, classifier or own, column, f"transfer.{arm}.auroc"
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
    """Modalities by what predicts; ``name`` is ``auroc`` or ``difference``."""
    predictors = list(dict.fromkeys(zip(rows["features"], rows["classifier"], strict=True)))
    cells = []
    for modality, part in rows.groupby(KEY, sort=False):
        if name == "difference" and modality == PLAIN[KEY]:
            continue
        own = {(row["features"], row["classifier"]): row for row in part.to_dict("records")}
        figures = [figure(_estimate(own.get(key, {}), name), signed=name == "difference") for key in predictors]
        cells.append([label(modality), *figures])
    names = [(features, "" if classifier == "none" else f"{classifier}, ") for features, classifier in predictors]
    headings = [f"{classifier}{features}" for features, classifier in names]
    caption = "AUROC" if name == "auroc" else f"AUROC minus that of {KEY}={PLAIN[KEY]}, paired"
    return Table([KEY, *headings], cells, caption=f"{caption}; {panel}" if panel else caption)


def _estimate(row: dict[Any, Any], name: str) -> dict[str, Any]:
    known = {key: row.get(f"{name}{end}") for key, end in (("value", ""), ("low", ".low"), ("high", ".high"))}
    return {key: None if value is None or pd.isna(value) else value for key, value in known.items()}


def _draw(rows: pd.DataFrame, theme: Theme) -> Figure | None:
    """A panel for each arm of features, and one of the scores that learn from no label; intervals in small print."""
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
        place = down.index(row[KEY]), across.index(row["across"])
        found = _estimate(row, "auroc")
        if found["value"] is None:
            continue
        values[place] = found["value"]
        ends = [formatting.number(found[end], digits=2) for end in ("low", "high") if found[end] is not None]
        axis.annotate(formatting.number(found["value"], digits=2), place[::-1], (0, 1), textcoords="offset points",
                      ha="center", va="bottom", color=theme.ink, fontsize=8.5)  # fmt: skip
        axis.annotate("\N{EN DASH}".join(ends), place[::-1], (0, -1), textcoords="offset points", ha="center",
                      va="top", color=theme.ink, alpha=0.8, fontsize=6.5)  # fmt: skip
    # The page's own colour is chance, whatever the highest figure is.
    axis.imshow(values, cmap=scale, norm=Normalize(-0.1, 1.1), aspect="auto", alpha=0.75)
    axis.set_xticks(range(len(across)), [readable(name, longest=16) for name in across], rotation=35, ha="right")
    axis.set_yticks(range(len(down)), [readable(name) for name in down])
    axis.tick_params(length=0)
    axis.grid(False)
