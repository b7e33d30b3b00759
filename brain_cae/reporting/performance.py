"""Tables of how well the run detects, localises and classifies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from brain_cae.reporting import evidence, formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at
from brain_cae.reporting.formatting import finite, is_estimate
from brain_cae.reporting.tables import MEASURES, Cell, Table, figure, heading, label

BASELINES = {
    "intensity": "Baseline intensity",
    "healthy_mean": "Baseline healthy_mean",
}
BASELINE_NOTE = (
    "Baselines learn nothing: intensity is the masked intensity itself, healthy_mean compares it with healthy brains "
    "at the same place; smoothing, signs and calibration are the same."
)


def _as_part(value: Any) -> Mapping[str, Any]:
    """A part of the metrics; an estimate that stands alone is its AUROC."""
    if is_estimate(value) or finite(value) is not None:
        return {"auroc": value}
    return value if isinstance(value, Mapping) else {}


def _table(
    rows: list[tuple[str, Mapping[str, Any]]], keys: list[str], *, why: str, first: str, note: str = ""
) -> Table | None:
    """One row for each part; keys that no row has are left out; the note says why figures are not defined."""
    present = [(name, part) for name, part in rows if any(key in part for key in keys)]
    used = [key for key in keys if any(key in part for _, part in present)]
    defined = any(finite(part[key]["value"] if is_estimate(part[key]) else part[key]) is not None
                  for _, part in present for key in used if key in part)  # fmt: skip
    if not defined:
        return None
    cells = [[label(name), *(figure(part[key]) if key in part else Cell("\N{EN DASH}", True) for key in used)]
             for name, part in present]  # fmt: skip
    values = [part[key] for _, part in present for key in used if key in part]
    note = " ".join(filter(None, (note, _missing(values, why))))
    return Table([first, *(heading(key) for key in used)], cells, note)


def _missing(values: list[Any], why: str) -> str:
    """The sentence that gives the reasons of the figures that are not defined; empty if all are."""
    empty = [value for value in values if formatting.estimate(value) == formatting.NOT_DEFINED]
    reasons = dict.fromkeys(formatting.reason(value) or why for value in empty)
    return f"Not defined: {'; '.join(reasons)}." if reasons else ""


def detection_table(content: ReportContent) -> Table | None:
    """Residual score, signed and absolute, and both baselines: AUROC, average precision, rates at the threshold."""
    metrics = content.metrics
    rows = [
        ("Residual score, signed", _as_part(at(metrics, "detection"))),
        ("Residual score, absolute", _as_part(at(metrics, "detection", "absolute"))),
        *((name, _as_part(at(metrics, "baseline", key))) for key, name in BASELINES.items()),
    ]
    alpha = finite(at(metrics, "scoring", "alpha"))
    count = finite(at(metrics, "scoring", "n_calibration"))
    note = BASELINE_NOTE
    if alpha is not None:
        note += f" Sensitivity and specificity at alpha = {alpha:g}"
        note += f", calibrated on {count:.0f} healthy brains without labels." if count is not None else "."
    keys = ["auroc", "average_precision", "sensitivity", "specificity"]
    return _table(rows, keys, why=evidence.why_undefined(content), first="score", note=note)


def difference_table(content: ReportContent) -> Table | None:
    """Paired differences of AUROC, residual score minus baseline, with what they say."""
    differences = at(content.metrics, "detection", "difference")
    if not isinstance(differences, Mapping):
        return None
    rows = []
    for name, value in differences.items():
        auroc = value["auroc"] if isinstance(value, Mapping) and "auroc" in value else value
        cell = figure(auroc, signed=True)
        rows.append([label(f"Residual score \N{MINUS SIGN} {name}"), cell, label(_reading(auroc))])
    return Table(["paired difference", "AUROC", "reading"], rows)


def _reading(value: Any) -> str:
    low, high = (finite(value.get(key)) if isinstance(value, Mapping) else None for key in ("low", "high"))
    if low is None or high is None:
        return ""
    if low > 0:
        return "the residual score is better"
    return "the baseline is better" if high < 0 else "not distinguished"


def localisation_table(content: ReportContent) -> Table | None:
    """Voxel average precision, Dice at the label-free threshold, and oracle Dice labelled so."""
    metrics = content.metrics
    rows = [("Anomaly map", _as_part(at(metrics, "localisation")))]
    for key, name in BASELINES.items():
        # A baseline's own `average_precision` is of subjects; that of voxels stands in its `localisation`.
        part = _as_part(at(metrics, "baseline", key))
        flat = {measure: part[measure] for measure in part if str(measure).startswith("dice")}
        rows.append((name, {**flat, **_as_part(at(part, "localisation"))}))
    keys = ["average_precision", "dice", "dice_oracle_pooled", "dice_oracle_per_subject"]
    return _table(rows, keys, why=evidence.why_no_localisation(content), first="map")


def transfer_table(content: ReportContent) -> Table | None:
    """All measures of the one classifier of the run."""
    part = at(content.metrics, "transfer")
    if not isinstance(part, Mapping):
        return None
    why = evidence.why_no_transfer(content)
    keys = [key for key in MEASURES if key in part]
    rows = []
    for key in keys:
        cell = figure(part[key])
        if key == "permutation_p":
            cell = Cell(formatting.p_value(part[key]["value"] if is_estimate(part[key]) else part[key]), True)
        rows.append([label(MEASURES[key]), cell])
    if all(row[1].text == formatting.NOT_DEFINED for row in rows):
        return None
    names = [str(part[key]) for key in ("classifier", "features") if part.get(key)]
    caption = ", ".join(names[:1] + [f"{name} features" for name in names[1:]])
    return Table(["measure", "value"], rows, _missing([part[key] for key in keys], why), caption)


def comparison_table(content: ReportContent) -> Table | None:
    """Classifiers and arms of features on the same autoencoder, and the scores that need no classifier."""
    rows = [row for row in at(content.metrics, "transfer", "comparison") or [] if isinstance(row, Mapping)]
    keys = [key for key in ("auroc", "average_precision", "brier", "difference") if any(key in row for row in rows)]
    if not rows or not keys:
        return None
    own = at(content.metrics, "transfer", "classifier"), at(content.metrics, "transfer", "features")
    cells = []
    for row in rows:
        name = (row.get("classifier"), row.get("features"))
        figures = [figure(row[key], signed=key == "difference") if key in row else label("") for key in keys]
        if name == own and "difference" in keys:
            figures[-1] = label("the run's choice")
        cells.append([*map(label, name), *figures])
    headings = ["difference of AUROC, paired" if key == "difference" else heading(key) for key in keys]
    note = "Volume scores need no classifier. Differences are to the run's own choice, over the same subjects."
    return Table(["classifier", "features", *headings], cells, note, "Classifiers on the same autoencoder")


def tuning_table(content: ReportContent) -> Table | None:
    """Of each search for the run's own choice: how long, the best inner AUROC, and what it chose."""
    own = f"{at(content.metrics, 'transfer', 'classifier')}, {at(content.metrics, 'transfer', 'features')}, "
    rows = [row for row in at(content.metrics, "transfer", "tuning") or [] if isinstance(row, Mapping)]
    cells = [
        [
            label(str(row.get("study")).removeprefix(own)),
            Cell(str(row.get("trials")), True),
            Cell(str(row.get("pruned")), True),
            figure(row.get("auroc")),
            label(_parameters(row.get("parameters"))),
        ]
        for row in rows
        if str(row.get("study")).startswith(own)
    ]
    columns = ["searched in", "trials", "pruned", "best inner AUROC", "parameters"]
    note = (
        "Every search sees the training part of its fold alone; `everybody` is that of the classifier for new "
        "patients. All trials, of every classifier, are in tuning.csv."
    )
    return Table(columns, cells, note, f"Tuning of {own.strip(', ')}") if cells else None


def _parameters(text: Any) -> str:
    """Parameters that are stored as JSON, for a reader."""
    values = json.loads(str(text)) if text else {}
    return ", ".join(
        f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {value}" for name, value in values.items()
    )
