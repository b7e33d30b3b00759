"""How a scanner becomes a diagnosis: what a model seems to reach, and what is left where the scanner says nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brain_cae import estimates
from brain_cae.estimates import Estimate
from brain_cae.reporting.configurations import RESAMPLES, Configuration, average, read_subjects
from brain_cae.reporting.figures import DARK, LIGHT, Chart, Theme, blank, data_uri, readable, style
from brain_cae.reporting.sections import Block
from brain_cae.reporting.tables import Table, figure, label

KEY, LESIONS = "dataset.confounding", "dataset.lesions"
CURVES = {
    "residual": ("residual score", "score.residual"),
    "transfer": ("transfer classifier", "probability.both"),
}
"""By the colour that the theme has for them: heading, and column of ``subjects.csv``."""


def confound_blocks(gathered: list[Configuration]) -> list[Block]:
    """Apparent and true AUROC against the confounding of the phantom.

    Nothing where a sweep does not vary it, or where no job has scored an external cohort.

    The apparent AUROC is cross-fitted in the run's own cohort, the true one is that of ``external``, whose protocol is
    independent of the label; over several seeds every subject is averaged first.
    """
    if len({found.choices.get(KEY) for found in gathered}) < 2:
        return []
    rows = [_row(found) for found in gathered]
    if not any(row[f"true.{name}"].defined for row in rows for name in CURVES):
        return []
    return [Block("charts", [_chart(rows)]), Block("table", _table(rows, gathered))]


def _row(found: Configuration) -> dict[str, Any]:
    own = average(found.tables)
    external = [table for job in found.jobs if (table := read_subjects(job["folder"] / "external")) is not None]
    other = average(external) if external else None
    row: dict[str, Any] = {"confounding": float(found.choices[KEY]), "lesions": found.choices.get(LESIONS, "true")}
    for name, (_, column) in CURVES.items():
        row[f"apparent.{name}"] = _auroc(own, column)
        row[f"true.{name}"] = _auroc(other, "probability" if column.startswith("probability") else column)
    verdicts = {str((job["metrics"].get("audit") or {}).get("verdict") or "") for job in found.jobs}
    return row | {"verdict": " and ".join(sorted(verdicts - {""}))}


def _auroc(table: pd.DataFrame | None, column: str) -> Estimate:
    if table is not None and column == "probability" and column not in table:
        # Of new subjects only the run's own arm of features is predicted.
        column = next((str(name) for name in table if str(name).startswith("probability.")), column)
    if table is None or column not in table:
        return estimates.undefined("no external cohort was scored" if table is None else f"no {column}")
    known = table[(table["label"] != "unknown") & table[column].notna()]
    return estimates.auroc(known["label"], known[column], resamples=RESAMPLES)


def _table(rows: list[dict[str, Any]], gathered: list[Configuration]) -> Table:
    keys = [key for key in gathered[0].choices if len({found.choices[key] for found in gathered}) > 1]
    names = [f"{kind}.{name}" for name in CURVES for kind in ("apparent", "true")]
    cells = [
        [
            *(label(found.choices[key]) for key in keys),
            *(figure(row[name].to_dict()) for name in names),
            label(row["verdict"]),
        ]
        for found, row in zip(gathered, rows, strict=True)
    ]
    headings = [f"{CURVES[name.split('.')[1]][0]}, {name.split('.')[0]}" for name in names]
    return Table([*keys, *headings, "verdict"], cells, caption="AUROC in the cohort and outside it")


def _chart(rows: list[dict[str, Any]]) -> Chart:
    uris = []
    for theme in (LIGHT, DARK):
        with style(theme):
            uris.append(data_uri(_draw(rows, theme)))
    return Chart(uris[0], uris[1], "Apparent and true AUROC against the confounding of protocol and label", width=1020)


def _draw(rows: list[dict[str, Any]], theme: Theme) -> Figure:
    kinds = list(dict.fromkeys(row["lesions"] for row in rows))
    drawn, axes = blank(10.2, 4.4, len(kinds))
    for axis, kind in zip(axes, kinds, strict=True):
        part = sorted((row for row in rows if row["lesions"] == kind), key=lambda row: row["confounding"])
        colours = {"residual": theme.residual, "transfer": theme.classifier}
        for side, (name, (heading, _)) in enumerate(CURVES.items()):
            for dash, mark, which in (("-", "o", "apparent"), ((0, (4, 2)), "s", "true")):
                known = [row for row in part if row[f"{which}.{name}"].defined]
                found = [row[f"{which}.{name}"] for row in known]
                middles = [e.value for e in found]
                reach = [[abs(e.value - (bound if bound is not None else e.value)) for e, bound in
                          zip(found, bounds, strict=True)] for bounds in ([e.low for e in found],
                                                                          [e.high for e in found])]  # fmt: skip
                place = [row["confounding"] + 0.012 * (side - 0.5) for row in known]
                axis.errorbar(place, middles, yerr=reach, color=colours[name], linestyle=dash, marker=mark,
                              markersize=4.5, linewidth=1.6, elinewidth=0.8, label=f"{heading}, {which}")  # fmt: skip
        for row in part:
            axis.annotate(readable(row["verdict"]), (row["confounding"], 0.31), rotation=90, fontsize=8, ha="center",
                          va="bottom", color=theme.muted)  # fmt: skip
        axis.axhline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
        axis.set(
            xlabel="confounding: how strongly the protocol follows the label", xlim=(-0.06, 1.06), ylim=(0.3, 1.02)
        )
        axis.set_title("no lesion anywhere" if kind.lower() == "false" else "with lesions")
    axes[0].set_ylabel("AUROC (95 % over subjects)")
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawn
