"""Comparison of reshape strategies over a sweep: distortion, cost, and what the reshape group reveals of the label."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_cae.reporting import formatting
from brain_cae.reporting.configurations import Configuration, varied
from brain_cae.reporting.figures import Theme, blank, chart, error_bars, readable
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Cell, Table, figure, label

DISTORTIONS = {
    "reshape.scale_ratio": "scale ratio (voxels)",
    "reshape.anisotropy_mm": "anisotropy of the network voxel",
    "reshape.size_spread_mm": "spread of voxel size between subjects",
    "reconstruction.l1": "reconstruction error, native space",
}
"""Measures of distortion, by their name in ``configurations.csv``."""

COSTS = {"voxels": "voxels per volume", "seconds_per_epoch": "seconds per epoch", "memory_mb": "memory, MB"}
OUTCOME = "detection.auroc"
MARKERS = "osD^vP"


def reshape_blocks(configurations: list[Configuration], averaged: pd.DataFrame) -> list[Block]:
    """Return the figure and tables of a sweep over ``reshape``; an empty list for any other sweep.

    Args:
        configurations: Configurations of the sweep.
        averaged: Their metrics, one row each, in the same order.
    """
    keys = varied(configurations)
    if "reshape" not in keys:
        return []
    drawn = chart(
        partial(_draw, averaged, [key for key in keys if key != "reshape"]),
        "AUROC of the residual score against each measure of distortion",
    )
    charts = [] if drawn is None else [Block("charts", [drawn])]
    return [*charts, Block("table", _measures(configurations, averaged)), Block("table", _groups(configurations))]


def _measures(configurations: list[Configuration], averaged: pd.DataFrame) -> Table:
    keys = varied(configurations)
    shown = [name for name in (*DISTORTIONS, "reshape.round_trip_l1") if name in averaged]
    headings = {**DISTORTIONS, "reshape.round_trip_l1": "interpolation error, native space"}
    rows = []
    for configuration, row in zip(configurations, averaged.to_dict("records"), strict=True):
        estimates = [figure(_estimate(row, name)) for name in shown]
        costs = [_mean(configuration, name) for name in COSTS]
        rows.append(
            [*(label(configuration.choices[key]) for key in keys), *estimates, *costs, _group_auroc(configuration)]
        )
    return Table(
        [*keys, *(headings[name] for name in shown), *COSTS.values(), "AUROC of the reshape group alone"],
        rows,
        caption="Distortion and cost",
        note="Costs are means over the runs. The last column is the AUROC of the reshape group as the only predictor "
        "of the label, lowest to highest over the runs. The group depends on the dimensions of the scan, and so "
        "reveals something of the scanner.",
    )


def _groups(configurations: list[Configuration]) -> Table:
    keys = varied(configurations)
    rows = []
    for configuration in configurations:
        for job in configuration.jobs:
            groups = (job["metrics"].get("reshape") or {}).get("groups") or []
            text = ", ".join(f"{group.get('members')} \N{RIGHTWARDS ARROW} {_size(group)}" for group in groups)
            choices = [label(configuration.choices[key]) for key in keys]
            rows.append([label(job["run"]), *choices, Cell(str(len(groups)), True), label(text)])
    note = "Number of training brains in each group, and the dimensions (R, A, S) to which they are reshaped."
    return Table(["run", *keys, "groups", "members and dimensions"], rows, caption="Reshape groups", note=note)


def _size(group: dict[str, Any]) -> str:
    return formatting.TIMES.join(str(size) for size in group.get("target") or [])


def _mean(configuration: Configuration, name: str) -> Cell:
    sections = [job["metrics"].get("reshape") or {} for job in configuration.jobs]
    values = [section.get(name) for section in sections]
    values = [value["value"] if isinstance(value, dict) else value for value in values]
    known = [value for value in map(finite, values) if value is not None]
    return Cell(formatting.number(float(np.mean(known))) if known else "\N{EN DASH}", True)


def _group_auroc(configuration: Configuration) -> Cell:
    tests = [test for job in configuration.jobs for test in (job["metrics"].get("audit") or {}).get("tests") or []]
    values = [finite(test.get("value")) for test in tests if test.get("name") == "reshape_group"]
    known = [value for value in values if value is not None]
    if not known:
        return Cell("\N{EN DASH}", True)
    ends = dict.fromkeys(formatting.number(end, digits=2) for end in (min(known), max(known)))
    return Cell(" to ".join(ends), True)


def _estimate(row: dict[Any, Any], name: str) -> dict[str, Any]:
    return {"value": row.get(name), "low": row.get(f"{name}.low"), "high": row.get(f"{name}.high")}


def _draw(averaged: pd.DataFrame, others: list[str], theme: Theme) -> Figure | None:
    """Draw one panel per measure, with a colour per strategy and a marker per choice of the other keys."""
    shown = [name for name in DISTORTIONS if name in averaged]
    if OUTCOME not in averaged or not shown:
        return None
    drawn, axes = blank(10.2, 3.6, len(shown))
    rows = averaged.to_dict("records")
    strategies = list(dict.fromkeys(str(row["reshape"]) for row in rows))
    other_choices = list(dict.fromkeys(_other_choices(row, others) for row in rows))
    colours = (theme.unknown, theme.healthy, theme.abnormal, theme.classifier, theme.healthy_mean, theme.intensity)
    for axis, name in zip(axes, shown, strict=True):
        for row in rows:
            colour = colours[strategies.index(str(row["reshape"])) % len(colours)]
            _point(
                axis,
                _estimate(row, name),
                _estimate(row, OUTCOME),
                colour,
                MARKERS[other_choices.index(_other_choices(row, others)) % 6],
            )
        axis.set_xlabel(DISTORTIONS[name])
    for axis in axes[1:]:
        axis.sharey(axes[0])
        axis.tick_params(labelleft=False)
    axes[0].set_ylabel("AUROC, residual score")
    for place, strategy in enumerate(strategies):
        axes[-1].plot([], [], "o", color=colours[place % len(colours)], label=readable(strategy))
    for place, choice in enumerate(other_choices if others else []):
        axes[-1].plot([], [], MARKERS[place % 6], color=theme.muted, label=readable(choice))
    drawn.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=8)
    return drawn


def _other_choices(row: dict[Any, Any], others: list[str]) -> str:
    return ", ".join(str(row[key]) for key in others)


def _point(axis: Axes, x: dict[str, Any], y: dict[str, Any], colour: str, marker: str) -> None:
    if finite(x["value"]) is None or finite(y["value"]) is None:
        return
    axis.errorbar([x["value"]], [y["value"]], xerr=error_bars(x), yerr=error_bars(y), fmt=marker, color=colour,
                  markersize=5.5, elinewidth=0.9, alpha=0.9)  # fmt: skip
