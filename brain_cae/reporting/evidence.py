"""Reading of the content of a report, tolerant of missing parts, and reasons why a metric is not defined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brain_cae.estimates import proportion
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.formatting import finite
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES


def at(metrics: Any, *path: str) -> Any:
    """Return the part of ``metrics.json`` under a path of keys; None if a key is missing."""
    for key in path:
        if not isinstance(metrics, Mapping):
            return None
        metrics = metrics.get(key)
    return metrics


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, filled with None if the table lacks it."""
    return frame[name] if name in frame.columns else pd.Series([None] * len(frame), index=frame.index, dtype=object)


def is_known(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column has any value; empty text is none."""
    values = column(frame, name)
    return bool((values.notna() & (values.astype(str) != "")).any())


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as floats; values that are not numbers become NaN."""
    return pd.to_numeric(column(frame, name), errors="coerce").astype(float)


def flags(frame: pd.DataFrame) -> pd.Series:
    """Return the column ``flagged`` as 1, 0 or NaN (unknown), from booleans or from their text in a CSV file."""
    meaning = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}
    return column(frame, "flagged").astype(str).str.strip().str.lower().map(meaning).astype(float)


def scored(content: ReportContent) -> pd.DataFrame:
    """Return the predictions of evaluated subjects, which were used neither for training nor for calibration."""
    return content.predictions[~column(content.predictions, "role").isin(HEALTHY_ROLES)]


def label_counts(content: ReportContent) -> dict[str, int]:
    """Return the number of scored subjects by label."""
    labels = column(scored(content), "label")
    return {name: int((labels == name).sum()) for name in CLASSES}


def unlabelled(content: ReportContent) -> bool:
    """Return whether subjects were scored of which none has a label: patients, not a study."""
    has_scores = bool(numbers(scored(content), "score").notna().any())
    return has_scores and not any(label_counts(content).values())


def why_undefined(content: ReportContent) -> str:
    """Return the reason why metrics that compare the classes are not defined."""
    rows, counts = scored(content), label_counts(content)
    healthy, abnormal = counts["healthy"], counts["abnormal"]
    if rows.empty:
        return "no subject was scored"
    if not healthy and not abnormal:
        return "the scored subjects have no labels"
    if not abnormal:
        return f"all {healthy} labelled subjects are healthy, but the metric needs both classes"
    if not healthy:
        return f"all {abnormal} labelled subjects are abnormal, but the metric needs both classes"
    return "this evaluation did not compute it"


def why_no_localisation(content: ReportContent) -> str:
    """Return the reason why localisation is not defined."""
    return "the scored subjects have no lesion masks" if not scored(content).empty else "no subject was scored"


def why_no_transfer(content: ReportContent) -> str:
    """Return the reason why there is no transfer classifier."""
    counts = label_counts(content)
    if min(counts.values()) == 0:
        return "a classifier needs labelled subjects of both classes"
    return "no classifier was trained in this evaluation"


def threshold(content: ReportContent) -> float | None:
    """Return the threshold of the scores; None if there is none, or if the folds have different ones.

    Those of the brains come first: in a nested evaluation, the stored model decided about none of them.
    """
    thresholds = set(numbers(scored(content), "threshold").dropna())
    if not thresholds:
        return finite(at(content.metrics, "scoring", "threshold"))
    return thresholds.pop() if len(thresholds) == 1 else None


def learner(content: ReportContent) -> str:
    """Return what learnt from healthy brains: the network, or the model if it has none."""
    model = at(content.settings, "model")
    return "model" if isinstance(model, Mapping) and model.get("network") is None else "network"


def is_of_the_study(content: ReportContent) -> bool:
    """Return whether the scored subjects were divided with those that trained, and are not subjects of their own."""
    return bool(finite(at(content.metrics, "subjects", "train")))


def outer_folds(content: ReportContent) -> int:
    """Return the number of outer folds of a nested evaluation; 0 of any other."""
    evaluation = at(content.settings, "evaluation") or {}
    return int(evaluation["folds"]) if evaluation.get("name") == "nested" and is_of_the_study(content) else 0


def division(content: ReportContent) -> str:
    """Return how the subjects of a study were assigned to their roles."""
    split = at(content.settings, "split") or {}
    seed = f"(seed {at(content.settings, 'seed')})"
    if folds := outer_folds(content):
        return f"into {folds} outer folds, stratified by label {seed}"
    if split.get("file"):
        return "by a list of subjects and roles"
    if split.get("name") == "leave_protocol_out":
        held_out = f"the protocol {split['protocol']} was held out for the test" if split.get("protocol") else ""
        return f"at random, stratified by label {seed}, but {held_out or 'one protocol was held out for the test'}"
    return f"at random, stratified by label{' and protocol' if split.get('name') == 'protocol' else ''} {seed}"


def best_baseline(content: ReportContent) -> str:
    """Return the name of the baseline with the highest AUROC, which the network has to beat; empty without one."""
    baselines = at(content.metrics, "baseline")
    names = list(baselines) if isinstance(baselines, Mapping) else []
    known = {name: finite(at(baselines, name, "auroc", "value")) for name in names}
    return max((name for name in names if known[name] is not None), key=lambda name: known[name] or 0.0, default="")


def gain(content: ReportContent) -> Any:
    """Return the paired difference of AUROC, residual score minus best baseline; None if it is not known."""
    value = at(content.metrics, "detection", "difference", best_baseline(content))
    return value.get("auroc", value) if isinstance(value, Mapping) else value


def false_alarms(content: ReportContent) -> Any:
    """Return the false-alarm rate on healthy brains as an estimate.

    It is taken from the metrics, else computed as one minus the specificity, else counted; None if none of these is
    possible.
    """
    stated = at(content.metrics, "detection", "false_alarms")
    if stated is not None:
        return stated
    specificity = at(content.metrics, "detection", "specificity")
    if isinstance(specificity, Mapping) and finite(specificity.get("value")) is not None:
        return _complement(specificity)
    rows = scored(content)
    flagged = flags(rows[column(rows, "label") == "healthy"]).dropna()
    return proportion(int(flagged.sum()), len(flagged)).to_dict() if len(flagged) else None


def _complement(rate: Mapping[str, Any]) -> dict[str, Any]:
    swapped = {"value": "value", "low": "high", "high": "low"}
    bounds = {key: 1 - bound for key, other in swapped.items() if (bound := finite(rate.get(other))) is not None}
    count, successes = finite(rate.get("n")), finite(rate.get("n_positive"))
    known = count is not None and successes is not None
    return {**rate, **bounds, "n_positive": int(count - successes) if known else None}  # type: ignore[operator]
