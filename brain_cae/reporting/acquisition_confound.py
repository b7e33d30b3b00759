"""How a scanner becomes a diagnosis: what a model seems to reach, and what is left where the scanner says nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_cae import estimates
from brain_cae.estimates import Estimate
from brain_cae.reporting.configurations import RESAMPLES, Configuration, average, read_subjects, varied
from brain_cae.reporting.figures import Theme, blank, chart, reach, readable
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Table, figure, label

KEY = "dataset.confounding"
SCORES = {"residual": "residual score", "transfer": "transfer classifier"}
SIDES = {"apparent": ("-", "o"), "true": ((0, (4, 2)), "s")}
"""Line and mark of what is found within the cohort and outside it."""


def confound_blocks(gathered: list[Configuration]) -> list[Block]:
    """Apparent and true AUROC against the confounding of the phantom.

    The apparent AUROC is cross-fitted in the run's own cohort, the true one is that of ``external``; over several
    seeds every subject is averaged first. Nothing where a sweep does not vary the confounding, or where no job has
    scored an external cohort.
    """
    keys = varied(gathered)
    if KEY not in keys:
        return []
    rows = [_row(found, [key for key in keys if key != KEY]) for found in gathered]
    if not any(row[f"true.{name}"].defined for row in rows for name in SCORES):
        return []
    drawn = chart(partial(_draw, rows), "Apparent and true AUROC against the confounding of protocol and label")
    return [Block("charts", [drawn]), Block("table", _table(rows, gathered, keys))]


def _row(found: Configuration, others: list[str]) -> dict[str, Any]:
    own = average(found.tables)
    external = [table for job in found.jobs if (table := read_subjects(job["folder"] / "external")) is not None]
    other = average(external) if external else None
    row: dict[str, Any] = {
        "confounding": float(found.choices[KEY]),
        "panel": ", ".join(f"{key}={found.choices[key]}" for key in others),
        "verdict": found.verdicts,
        "classifier": found.classifier_verdicts,
    }
    # Of new subjects only the run's own arm of features is predicted.
    arm = (found.jobs[0]["metrics"].get("transfer") or {}).get("features")
    columns = {"residual": "score.residual", "transfer": f"probability.{arm}"}
    for name, column in columns.items():
        row[f"apparent.{name}"], row[f"true.{name}"] = _auroc(own, column), _auroc(other, column)
    return row


def _auroc(table: pd.DataFrame | None, column: str) -> Estimate:
    if table is None or column not in table:
        return estimates.undefined("no external cohort was scored" if table is None else f"no {column}")
    known = table[table["label"] != "unknown"]
    return estimates.auroc(known["label"], known[column], resamples=RESAMPLES)


def _table(rows: list[dict[str, Any]], gathered: list[Configuration], keys: list[str]) -> Table:
    pairs = [(side, name) for name in SCORES for side in SIDES]
    cells = []
    for found, row in zip(gathered, rows, strict=True):
        figures = [figure(row[f"{side}.{name}"].to_dict()) for side, name in pairs]
        cells.append(
            [*(label(found.choices[key]) for key in keys), *figures, label(row["verdict"]), label(row["classifier"])]
        )
    headings = [f"{SCORES[name]}, {side}" for side, name in pairs]
    return Table(
        [*keys, *headings, "verdict", "verdict on the classifier"], cells, caption="AUROC in the cohort and outside it"
    )


def _draw(rows: list[dict[str, Any]], theme: Theme) -> Figure:
    """A panel for each choice of the other keys."""
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
        for side, (dash, mark) in SIDES.items():
            known = [(row["confounding"] + shift, row[f"{side}.{name}"].to_dict()) for row in rows]
            known = [(place, found) for place, found in known if found["value"] is not None]
            if not known:
                continue
            places, found = zip(*known, strict=True)
            axis.errorbar(places, [e["value"] for e in found], yerr=reach(*found), color=colours[name], linestyle=dash,
                          marker=mark, markersize=4.5, linewidth=1.6, elinewidth=0.8,
                          label=f"{heading}, {side}")  # fmt: skip
    for row in rows:
        axis.annotate(readable(row["verdict"]), (row["confounding"], 0.31), rotation=90, fontsize=8, ha="center",
                      va="bottom", color=theme.muted)  # fmt: skip
    axis.axhline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
    axis.set(xlim=(-0.06, 1.06), ylim=(0.3, 1.02), xlabel="confounding: how strongly protocol follows label")
