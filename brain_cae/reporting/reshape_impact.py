"""Reshape strategies side by side: what they do to a brain, what that costs, and what their groups give away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_cae.reporting import formatting
from brain_cae.reporting.configurations import Configuration
from brain_cae.reporting.figures import DARK, LIGHT, Chart, Theme, blank, data_uri, readable, style
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Cell, Table, label

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
    if len({found.choices.get("reshape") for found in gathered}) < 2:
        return []
    blocks = [Block("table", _measures(gathered, averaged))]
    if (chart := _chart(averaged)) is not None:
        blocks.insert(0, Block("charts", [chart]))
    return [*blocks, Block("table", _groups(gathered))]


def _names(gathered: list[Configuration]) -> list[str]:
    keys = list(gathered[0].choices)
    return [key for key in keys if len({found.choices[key] for found in gathered}) > 1]


def _measures(gathered: list[Configuration], averaged: pd.DataFrame) -> Table:
    keys = _names(gathered)
    shown = [name for name in (*DISTORTIONS, "reshape.round_trip_l1") if name in averaged]
    headings = {**DISTORTIONS, "reshape.round_trip_l1": "interpolation error, own space"}
    rows = []
    for found, row in zip(gathered, averaged.to_dict("records"), strict=True):
        estimates = [_estimate(row, name) for name in shown]
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
    keys = _names(gathered)
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


def _estimate(row: dict[Any, Any], name: str) -> Cell:
    value = {"value": row[name], "low": row.get(f"{name}.low"), "high": row.get(f"{name}.high")}
    return Cell(formatting.estimate(value), True)


def _chart(averaged: pd.DataFrame) -> Chart | None:
    shown = [name for name in DISTORTIONS if name in averaged]
    if AIM not in averaged or not shown:
        return None
    uris = []
    for theme in (LIGHT, DARK):
        with style(theme):
            uris.append(data_uri(_draw(averaged, shown, theme)))
    return Chart(uris[0], uris[1], "AUROC of the residual score against each measure of distortion", width=1020)


def _draw(averaged: pd.DataFrame, shown: list[str], theme: Theme) -> Figure:
    figure, axes = blank(10.2, 3.6, len(shown))
    strategies = list(dict.fromkeys(averaged["reshape"].astype(str)))
    colours = (theme.unknown, theme.healthy, theme.abnormal, theme.classifier, theme.healthy_mean, theme.intensity)
    modalities = list(dict.fromkeys(averaged.get("modality", pd.Series("", averaged.index)).astype(str)))
    for axis, name in zip(axes, shown, strict=True):
        for row in averaged.to_dict("records"):
            place = strategies.index(str(row["reshape"])) % len(colours)
            mark = MARKS[modalities.index(str(row.get("modality", ""))) % len(MARKS)]
            _point(axis, row, name, colours[place], mark)
        axis.set_xlabel(DISTORTIONS[name])
    for axis in axes[1:]:
        axis.sharey(axes[0])
        axis.tick_params(labelleft=False)
    axes[0].set_ylabel("AUROC, residual score")
    for place, strategy in enumerate(strategies):
        axes[-1].plot([], [], "o", color=colours[place % len(colours)], label=readable(strategy))
    for place, modality in enumerate(modalities if len(modalities) > 1 else []):
        axes[-1].plot([], [], MARKS[place % len(MARKS)], color=theme.muted, label=readable(modality))
    figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=8)
    return figure


def _point(axis: Axes, row: dict[Any, Any], name: str, colour: str, mark: str) -> None:
    x, y = finite(row.get(name)), finite(row.get(AIM))
    if x is None or y is None:
        return
    reach = [[abs(middle - (finite(row.get(f"{key}.{end}")) or middle)) for end in ("low", "high")]
             for key, middle in ((name, x), (AIM, y))]  # fmt: skip
    axis.errorbar([x], [y], xerr=np.transpose([reach[0]]), yerr=np.transpose([reach[1]]), fmt=mark, color=colour,
                  markersize=5.5, elinewidth=0.9, alpha=0.9)  # fmt: skip
