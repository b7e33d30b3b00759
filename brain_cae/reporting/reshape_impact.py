"""Reshape strategies side by side: what they do to a brain, what that costs, and what their groups give away."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_cae.reporting import formatting
from brain_cae.reporting.configurations import Configuration, varied
from brain_cae.reporting.figures import Theme, blank, chart, reach, readable
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Cell, Table, figure, label

DISTORTIONS = {
    "reshape.scale_ratio": "scale ratio, voxels",
    "reshape.anisotropy_mm": "anisotropy of the network's voxel",
    "reshape.size_spread_mm": "spread of its size between subjects",
    "reconstruction.l1": "reconstruction error, own space",
}
"""The measures of a strategy by their names in ``configurations.csv``."""

COSTS = {"voxels": "voxels per volume", "seconds_per_epoch": "seconds per epoch", "memory_mb": "memory, MB"}
AIM = "detection.auroc"
MARKS = "osD^vP"


def reshape_blocks(gathered: list[Configuration], averaged: pd.DataFrame) -> list[Block]:
    """Figure and tables of a sweep over ``reshape``; nothing of any other.

    Args:
        gathered: The sweep's configurations.
        averaged: Their figures, one row each, in the same order.
    """
    keys = varied(gathered)
    if "reshape" not in keys:
        return []
    drawn = chart(
        partial(_draw, averaged, [key for key in keys if key != "reshape"]),
        "AUROC of the residual score against each measure of distortion",
    )
    charts = [] if drawn is None else [Block("charts", [drawn])]
    return [*charts, Block("table", _measures(gathered, averaged)), Block("table", _groups(gathered))]


def _measures(gathered: list[Configuration], averaged: pd.DataFrame) -> Table:
    keys = varied(gathered)
    shown = [name for name in (*DISTORTIONS, "reshape.round_trip_l1") if name in averaged]
    headings = {**DISTORTIONS, "reshape.round_trip_l1": "interpolation error, own space"}
    rows = []
    for found, row in zip(gathered, averaged.to_dict("records"), strict=True):
        estimates = [figure(_estimate(row, name)) for name in shown]
        costs = [_mean(found, name) for name in COSTS]
        rows.append([*(label(found.choices[key]) for key in keys), *estimates, *costs, _given_away(found)])
    return Table(
        [*keys, *(headings[name] for name in shown), *COSTS.values(), "AUROC of the group alone"],
        rows,
        caption="Distortion and cost",
        note="Costs are means over the runs. The last column is what the number of the reshape group tells of the "
        "label, from the lowest to the highest of the runs: whoever knows the group knows something of the scanner.",
    )


def _groups(gathered: list[Configuration]) -> Table:
    keys = varied(gathered)
    rows = []
    for found in gathered:
        for job in found.jobs:
            groups = (job["metrics"].get("reshape") or {}).get("groups") or []
            text = ", ".join(f"{group.get('members')} \N{RIGHTWARDS ARROW} {_size(group)}" for group in groups)
            choices = [label(found.choices[key]) for key in keys]
            rows.append([label(job["run"]), *choices, Cell(str(len(groups)), True), label(text)])
    note = "Training brains of each group, and the dimensions (R, A, S) that they are brought to."
    return Table(["run", *keys, "groups", "members and dimensions"], rows, caption="Groups found", note=note)


def _size(group: dict[str, Any]) -> str:
    return formatting.TIMES.join(str(size) for size in group.get("target") or [])


def _mean(found: Configuration, name: str) -> Cell:
    sections = [job["metrics"].get("reshape") or {} for job in found.jobs]
    values = [section.get(name) for section in sections]
    values = [value["value"] if isinstance(value, dict) else value for value in values]
    known = [value for value in map(finite, values) if value is not None]
    return Cell(formatting.number(float(np.mean(known))) if known else "\N{EN DASH}", True)


def _given_away(found: Configuration) -> Cell:
    tests = [test for job in found.jobs for test in (job["metrics"].get("audit") or {}).get("tests") or []]
    values = [finite(test.get("value")) for test in tests if test.get("name") == "reshape_group"]
    known = [value for value in values if value is not None]
    if not known:
        return Cell("\N{EN DASH}", True)
    ends = dict.fromkeys(formatting.number(end, digits=2) for end in (min(known), max(known)))
    return Cell(" to ".join(ends), True)


def _estimate(row: dict[Any, Any], name: str) -> dict[str, Any]:
    return {"value": row.get(name), "low": row.get(f"{name}.low"), "high": row.get(f"{name}.high")}


def _draw(averaged: pd.DataFrame, others: list[str], theme: Theme) -> Figure | None:
    """One panel for each measure; a colour for each strategy, a mark for each choice of the other keys."""
    shown = [name for name in DISTORTIONS if name in averaged]
    if AIM not in averaged or not shown:
        return None
    drawn, axes = blank(10.2, 3.6, len(shown))
    rows = averaged.to_dict("records")
    strategies = list(dict.fromkeys(str(row["reshape"]) for row in rows))
    kinds = list(dict.fromkeys(_kind(row, others) for row in rows))
    colours = (theme.unknown, theme.healthy, theme.abnormal, theme.classifier, theme.healthy_mean, theme.intensity)
    for axis, name in zip(axes, shown, strict=True):
        for row in rows:
            colour = colours[strategies.index(str(row["reshape"])) % len(colours)]
            _point(axis, _estimate(row, name), _estimate(row, AIM), colour, MARKS[kinds.index(_kind(row, others)) % 6])
        axis.set_xlabel(DISTORTIONS[name])
    for axis in axes[1:]:
        axis.sharey(axes[0])
        axis.tick_params(labelleft=False)
    axes[0].set_ylabel("AUROC, residual score")
    for place, strategy in enumerate(strategies):
        axes[-1].plot([], [], "o", color=colours[place % len(colours)], label=readable(strategy))
    for place, kind in enumerate(kinds if others else []):
        axes[-1].plot([], [], MARKS[place % 6], color=theme.muted, label=readable(kind))
    drawn.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=8)
    return drawn


def _kind(row: dict[Any, Any], others: list[str]) -> str:
    return ", ".join(str(row[key]) for key in others)


def _point(axis: Axes, x: dict[str, Any], y: dict[str, Any], colour: str, mark: str) -> None:
    if finite(x["value"]) is None or finite(y["value"]) is None:
        return
    axis.errorbar([x["value"]], [y["value"]], xerr=reach(x), yerr=reach(y), fmt=mark, color=colour, markersize=5.5,
                  elinewidth=0.9, alpha=0.9)  # fmt: skip
