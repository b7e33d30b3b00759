"""Apparent against true AUROC as the protocol becomes confounded with the label."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_cae import estimates
from brain_cae.estimates import Estimate
from brain_cae.reporting.configurations import RESAMPLES, Configuration, average, read_subjects, varied
from brain_cae.reporting.figures import Theme, blank, chart, error_bars, readable
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Table, figure, label

KEY = "dataset.confounding"
SCORES = {"residual": "residual score", "transfer": "transfer classifier"}
SIDES = {"apparent": ("-", "o"), "true": ((0, (4, 2)), "s")}
"""Line style and marker of each: apparent (within the cohort) and true (external cohort)."""


def confound_blocks(configurations: list[Configuration]) -> list[Block]:
    """Return the figure and table of apparent and true AUROC against the confounding of the phantom.

    The apparent AUROC is cross-fitted within the cohort of the run; the true AUROC is that of the cohort in
    ``external``. With several seeds, every subject is averaged over the runs first. The list is empty if the sweep
    does not vary the confounding, or if no job has scored an external cohort.
    """
    keys = varied(configurations)
    if KEY not in keys:
        return []
    rows = [_row(configuration, [key for key in keys if key != KEY]) for configuration in configurations]
    if not any(row[f"true.{name}"].defined for row in rows for name in SCORES):
        return []
    drawn = chart(partial(_draw, rows), "Apparent and true AUROC against the confounding of protocol and label")
    return [Block("charts", [drawn]), Block("table", _table(rows, configurations, keys))]


def _row(configuration: Configuration, others: list[str]) -> dict[str, Any]:
    internal = average(configuration.tables)
    tables = [table for job in configuration.jobs if (table := read_subjects(job["folder"] / "external")) is not None]
    external = average(tables) if tables else None
    row: dict[str, Any] = {
        "confounding": float(configuration.choices[KEY]),
        "panel": ", ".join(f"{key}={configuration.choices[key]}" for key in others),
        "verdict": configuration.verdicts,
        "classifier": configuration.classifier_verdicts,
    }
    # An external cohort is predicted with the feature set of the run only.
    features = (configuration.jobs[0]["metrics"].get("transfer") or {}).get("features")
    columns = {"residual": "score.residual", "transfer": f"probability.{features}"}
    for name, column in columns.items():
        row[f"apparent.{name}"], row[f"true.{name}"] = _auroc(internal, column), _auroc(external, column)
    return row


def _auroc(table: pd.DataFrame | None, column: str) -> Estimate:
    if table is None or column not in table:
        return estimates.undefined("no external cohort was scored" if table is None else f"no {column}")
    known = table[table["label"] != "unknown"]
    return estimates.auroc(known["label"], known[column], resamples=RESAMPLES)


def _table(rows: list[dict[str, Any]], configurations: list[Configuration], keys: list[str]) -> Table:
    pairs = [(side, name) for name in SCORES for side in SIDES]
    cells = []
    for configuration, row in zip(configurations, rows, strict=True):
        figures = [figure(row[f"{side}.{name}"].to_dict()) for side, name in pairs]
        cells.append(
            [
                *(label(configuration.choices[key]) for key in keys),
                *figures,
                label(row["verdict"]),
                label(row["classifier"]),
            ]
        )
    headings = [f"{SCORES[name]}, {side}" for side, name in pairs]
    return Table(
        [*keys, *headings, "verdict", "verdict on the classifier"],
        cells,
        caption="AUROC within the cohort and in the external cohort",
    )


def _draw(rows: list[dict[str, Any]], theme: Theme) -> Figure:
    """Draw one panel for each choice of the other keys."""
    panels = list(dict.fromkeys(row["panel"] for row in rows))
    drawn, axes = blank(10.2, 4.4, len(panels))
    for axis, panel in zip(axes, panels, strict=True):
        _panel(axis, sorted((row for row in rows if row["panel"] == panel), key=lambda row: row["confounding"]), theme)
        axis.set_title(readable(panel) if panel else "")
    axes[0].set_ylabel("AUROC (95 % over subjects)")
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawn


def _panel(axis: Axes, rows: list[dict[str, Any]], theme: Theme) -> None:
    colours = {"residual": theme.residual, "transfer": theme.classifier}
    for shift, (name, heading) in zip((-0.006, 0.006), SCORES.items(), strict=True):
        for side, (dash, marker) in SIDES.items():
            points = [(row["confounding"] + shift, row[f"{side}.{name}"].to_dict()) for row in rows]
            points = [(x, estimate) for x, estimate in points if estimate["value"] is not None]
            if not points:
                continue
            positions, values = zip(*points, strict=True)
            axis.errorbar(positions, [value["value"] for value in values], yerr=error_bars(*values),
                          color=colours[name], linestyle=dash, marker=marker, markersize=4.5, linewidth=1.6,
                          elinewidth=0.8, label=f"{heading}, {side}")  # fmt: skip
    for row in rows:
        axis.annotate(readable(row["verdict"]), (row["confounding"], 0.31), rotation=90, fontsize=8, ha="center",
                      va="bottom", color=theme.muted)  # fmt: skip
    axis.axhline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
    axis.set(xlim=(-0.06, 1.06), ylim=(0.3, 1.02), xlabel="confounding: how strongly protocol follows label")
