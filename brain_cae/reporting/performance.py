"""Tables of detection, localisation and transfer performance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from brain_cae.reporting import evidence, formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at
from brain_cae.reporting.formatting import finite, is_estimate, number, percent
from brain_cae.reporting.tables import MEASURES, Cell, Table, figure, heading, label
from brain_cae.vocabulary import CLASSES

BASELINES = {
    "intensity": "Baseline intensity",
    "healthy_mean": "Baseline healthy_mean",
    "healthy_subspace": "Baseline healthy_subspace",
}
MATTER = {"grey": "grey matter", "white": "white matter"}
"""Tissues of ``lesions.csv`` in the words of a report."""

BASELINE_NOTE = (
    "Baselines have no network: intensity is the masked intensity itself, healthy_mean compares it with healthy brains "
    "at the same location, healthy_subspace with a linear space of them. Smoothing, signs and calibration are the same."
)


def _as_part(value: Any) -> Mapping[str, Any]:
    """Return a part of the metrics as a mapping; a single estimate is taken as its AUROC."""
    if is_estimate(value) or finite(value) is not None:
        return {"auroc": value}
    return value if isinstance(value, Mapping) else {}


def _table(
    rows: list[tuple[str, Mapping[str, Any]]], keys: list[str], *, why: str, first: str, caption: str, note: str = ""
) -> Table | None:
    """Return a table with one row per part and one column per key that occurs; None if no value is defined."""
    present = [(name, part) for name, part in rows if any(key in part for key in keys)]
    used = [key for key in keys if any(key in part for _, part in present)]
    defined = any(finite(part[key]["value"] if is_estimate(part[key]) else part[key]) is not None
                  for _, part in present for key in used if key in part)  # fmt: skip
    if not defined:
        return None
    cells = [[label(name), *(figure(part[key]) if key in part else Cell("\N{EN DASH}", True) for key in used)]
             for name, part in present]  # fmt: skip
    values = [part[key] for _, part in present for key in used if key in part]
    note = " ".join(filter(None, (note, _reasons(values, why))))
    return Table([first, *(heading(key) for key in used)], cells, note, caption)


def _reasons(values: list[Any], why: str) -> str:
    """Return a sentence with the reasons of undefined values; empty if all are defined."""
    undefined = [value for value in values if formatting.estimate(value) == formatting.NOT_DEFINED]
    reasons = dict.fromkeys(formatting.reason(value) or why for value in undefined)
    return f"Not defined: {'; '.join(reasons)}." if reasons else ""


def detection_table(content: ReportContent) -> Table | None:
    """Return AUROC, average precision and rates at the threshold, for the residual scores and the baselines."""
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
        brains = (
            "the healthy brains of each outer fold"
            if evidence.outer_folds(content)
            else f"{count or 0:.0f} healthy brains"
        )
        note += f", calibrated on {brains}." if count is not None else "."
    keys = ["auroc", "average_precision", "sensitivity", "specificity"]
    return _table(rows, keys, why=evidence.why_undefined(content), first="score", caption="Detection", note=note)


def count_table(content: ReportContent) -> Table | None:
    """Return the counts behind sensitivity and specificity: decisions by label; None without both."""
    scored = evidence.scored(content)
    labels, flagged = evidence.column(scored, "label"), evidence.flags(scored)
    known = labels.isin(CLASSES)
    if not known.any() or not flagged.notna().any():
        return None
    names = {"abnormal": ("true positives", "false negatives"), "healthy": ("false positives", "true negatives")}
    rows = []
    for kind, (yes, no) in names.items():
        part = flagged[labels == kind]
        counts = [f"{int((part == 1).sum())} ({yes})", f"{int((part == 0).sum())} ({no})", str(int(part.isna().sum()))]
        rows.append([label(kind), *(Cell(text, True) for text in [*counts, str(len(part))])])
    note = "Predictive values follow from how frequent tumours are where the model is used, not from this cohort."
    if unlabelled := int((~known).sum()):
        who = "subject without a label is" if unlabelled == 1 else "subjects without a label are"
        note = f"{unlabelled} {who} not counted. {note}"
    return Table(["label", "flagged", "not flagged", "not decided", "total"], rows, note, "Decisions, counted")


def decision_table(content: ReportContent) -> Table | None:
    """Return what each rule flags, how many false alarms it may give, and the sensitivity that it costs."""
    decisions = at(content.metrics, "detection", "decisions")
    scoring = at(content.metrics, "scoring") or {}
    if not isinstance(decisions, Mapping):
        return None
    rows = []
    for kind, part in decisions.items():
        in_force = " (in force)" if kind == scoring.get("guarantee") else ""
        if finite(part["threshold"]) is None:
            rates = [
                Cell(f"nobody is flagged: needs {part['calibration_needed']} calibration brains"),
                Cell(""),
                Cell(""),
            ]
        else:
            alarms = f"{number(part['expected_alarms'], digits=1)}, at most {part['largest_alarms']}"
            rates = [
                Cell(percent(part["expected_rate"]), True),
                Cell(percent(part["largest_rate"]), True),
                Cell(alarms, True),
            ]
        rows.append([label(f"{kind}{in_force}"), *rates, figure(part["false_alarms"]), figure(part["sensitivity"])])
    confidence = percent(scoring.get("confidence"))
    if evidence.unlabelled(content):
        # Nothing was observed, and the number of healthy brains among the patients is not known.
        rows = [row[:3] for row in rows]
    columns = [
        "rule",
        "expected rate",
        f"rate at most ({confidence})",
        "expected alarms here",
        "observed rate",
        "sensitivity",
    ]
    note = (
        f"False alarms on healthy brains. probable: with a probability of {confidence} over the brains that "
        "calibrate, the rate of this hospital is at most alpha. average: the mean over hospitals is at most alpha. "
        "Both hold only for brains scanned like those that calibrate."
    )
    if evidence.outer_folds(content):
        note += (
            " Rates to expect are those of the stored model; alarms here, observed rate and sensitivity are of the "
            "outer folds, each with a threshold of its own."
        )
    columns = columns[: len(rows[0])] if rows else columns
    return Table(columns, rows, note, f"Decisions at alpha = {number(scoring.get('alpha'))}")


def outlook_table(content: ReportContent) -> Table | None:
    """Return what more calibration brains would allow."""
    scoring = at(content.metrics, "scoring") or {}
    rows = scoring.get("outlook")
    if not isinstance(rows, list) or not rows:
        return None
    names = ("probable_rate", "average_rate", "average_bound")
    cells = [
        [
            Cell(str(row["brains"]), True),
            *(Cell(percent(row[name]) if row[name] is not None else "nobody", True) for name in names),
        ]
        for row in rows
    ]
    columns = ["calibration brains", "probable: expected rate", "average: expected rate", "average: rate at most"]
    note = "The nearer the expected rate is to alpha, the more lesions are found at the same promise."
    return Table(columns, cells, note, "What further calibration brains would bring")


def difference_table(content: ReportContent) -> Table | None:
    """Return the paired differences of AUROC, residual score minus baseline, with their interpretation."""
    differences = at(content.metrics, "detection", "difference")
    if not isinstance(differences, Mapping):
        return None
    rows = []
    for name, value in differences.items():
        auroc = value["auroc"] if isinstance(value, Mapping) and "auroc" in value else value
        cell = figure(auroc, signed=True)
        if cell.tone != "missing":
            rows.append([label(f"Residual score \N{MINUS SIGN} {name}"), cell, label(_interpretation(auroc, name))])
    return Table(["paired difference", "AUROC", "interpretation"], rows, caption="Differences") if rows else None


def _interpretation(value: Any, other: str) -> str:
    low, high = (finite(value.get(key)) if isinstance(value, Mapping) else None for key in ("low", "high"))
    if low is None or high is None:
        return ""
    if low > 0:
        return "the residual score is better"
    if high < 0:
        return "the baseline is better" if other in BASELINES else f"the {other} score is better"
    return "no clear difference"


def localisation_table(content: ReportContent) -> Table | None:
    """Return voxel average precision, label-free Dice of the clusters, and oracle Dice."""
    metrics = content.metrics
    rows = [("Anomaly map", _as_part(at(metrics, "localisation")))]
    for key, name in BASELINES.items():
        # `average_precision` of a baseline is over subjects; that over voxels is in its part `localisation`.
        part = _as_part(at(metrics, "baseline", key))
        dice = {measure: part[measure] for measure in part if str(measure).startswith("dice")}
        rows.append((name, {**dice, **_as_part(at(part, "localisation"))}))
    keys = ["average_precision", "dice", "dice_oracle_pooled", "dice_oracle_per_subject"]
    return _table(rows, keys, why=evidence.why_no_localisation(content), first="map", caption="Overlap with lesions")


def lesion_measures(content: ReportContent) -> Table | None:
    """Return how well clusters of flagged brains find known lesions; None without known lesions."""
    part = at(content.metrics, "localisation", "lesions")
    if not isinstance(part, Mapping):
        return None
    names = {"sensitivity": "lesions found", "f1": "F1", "false_per_healthy_brain": "false clusters per healthy brain"}
    note = (
        "Means over subjects; a brain that is not flagged shows no cluster. A lesion is found if a cluster touches it."
    )
    return Table(list(names.values()), [[figure(part[name]) for name in names]], note, "Lesion-wise")


def lesion_rows(lesions: pd.DataFrame) -> Table | None:
    """Return the clusters of a table with the columns of ``lesions.csv``."""
    if lesions.empty:
        return None
    rows = []
    for row in lesions.to_dict("records"):
        places = (
            ", ".join(number(row[f"{prefix}{axis}_mm"], digits=0) for axis in "xyz")
            if finite(row[f"{prefix}x_mm"]) is not None
            else "\N{EN DASH}"
            for prefix in ("", "mni_")
        )
        where = " ".join(filter(None, (str(row["hemisphere"]), MATTER.get(str(row["tissue"]), str(row["tissue"])))))
        measured = (formatting.volume(row["volume_ml"]), number(row["peak_z"], digits=1))
        p = Cell(formatting.p_value(row["p_value"]), True)
        rows.append(
            [label(str(row["subject"])), *(Cell(text, True) for text in measured), p, label(where), *map(Cell, places)]
        )
    columns = ["subject", "volume, mL", "peak z", "p", "where", "centre, mm of the scan", "centre, mm of MNI152"]
    return Table(columns, rows, caption="Clusters")


def transfer_table(content: ReportContent) -> Table | None:
    """Return all metrics of the selected classifier."""
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
    return Table(["measure", "value"], rows, _reasons([part[key] for key in keys], why), caption)


def comparison_table(content: ReportContent) -> Table | None:
    """Return the comparison of classifiers and feature sets on one autoencoder, and of scores without a classifier.

    None if no classifier was fitted: there is nothing to compare with the scores, which have a table of their own.
    """
    rows = [row for row in at(content.metrics, "transfer", "comparison") or [] if isinstance(row, Mapping)]
    keys = [key for key in ("auroc", "average_precision", "brier", "difference") if any(key in row for row in rows)]
    fitted = [row for row in rows if row.get("classifier")]
    if not any(figure(row[key]).text != formatting.NOT_DEFINED for row in fitted for key in keys if key in row):
        return None
    selected = at(content.metrics, "transfer", "classifier"), at(content.metrics, "transfer", "features")
    cells = []
    for row in rows:
        name = (row.get("classifier"), row.get("features"))
        values = [figure(row[key], signed=key == "difference") if key in row else label("") for key in keys]
        if name == selected and "difference" in keys:
            values[-1] = Cell("selected", True)
        cells.append([*map(label, name), *values])
    headings = ["paired difference of AUROC" if key == "difference" else heading(key) for key in keys]
    note = "Volume scores need no classifier. Differences are from the row marked as selected, on the same subjects."
    return Table(["classifier", "features", *headings], cells, note, "Classifiers on the same autoencoder")


def tuning_table(content: ReportContent) -> Table | None:
    """Return trials, best inner AUROC and parameters of each search for the selected classifier and features."""
    prefix = f"{at(content.metrics, 'transfer', 'classifier')}, {at(content.metrics, 'transfer', 'features')}, "
    rows = [row for row in at(content.metrics, "transfer", "tuning") or [] if isinstance(row, Mapping)]
    cells = [
        [
            label(str(row.get("study")).removeprefix(prefix)),
            Cell(str(row.get("trials")), True),
            Cell(str(row.get("pruned")), True),
            figure(row.get("auroc")),
            label(_parameters(row.get("parameters"))),
        ]
        for row in rows
        if str(row.get("study")).startswith(prefix)
    ]
    columns = ["search", "trials", "pruned", "best inner AUROC", "parameters"]
    note = (
        "Each search uses only the training part of its fold. The search `everybody` is for the classifier that is "
        "applied to new patients. All trials of all classifiers are in tuning.csv."
    )
    return Table(columns, cells, note, f"Tuning of {prefix.strip(', ')}") if cells else None


def _parameters(text: Any) -> str:
    """Format parameters that are stored as JSON."""
    values = json.loads(str(text)) if text else {}
    return ", ".join(
        f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {value}" for name, value in values.items()
    )
