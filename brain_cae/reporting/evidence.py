"""Careful reading of a report's content, and the reason why a figure is not defined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from brain_cae.estimates import proportion
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.formatting import finite
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES


def at(metrics: Any, *path: str) -> Any:
    """The part of ``metrics.json`` under a path of keys; None where any of them is missing."""
    for key in path:
        if not isinstance(metrics, Mapping):
            return None
        metrics = metrics.get(key)
    return metrics


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column, or one of None where the table has none of that name."""
    return frame[name] if name in frame.columns else pd.Series([None] * len(frame), index=frame.index, dtype=object)


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as floats, NaN where it is not a number."""
    return pd.to_numeric(column(frame, name), errors="coerce").astype(float)


def flags(frame: pd.DataFrame) -> pd.Series:
    """The column ``flagged`` as 1 and 0, NaN where nothing is known; reads booleans and their text from a CSV."""
    meaning = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}
    return column(frame, "flagged").astype(str).str.strip().str.lower().map(meaning).astype(float)


def scored(content: ReportContent) -> pd.DataFrame:
    """Rows of predictions that the evaluation is about: those that fitted neither network nor calibration."""
    return content.predictions[~column(content.predictions, "role").isin(HEALTHY_ROLES)]


def label_counts(content: ReportContent) -> dict[str, int]:
    """Number of scored subjects of each label."""
    labels = column(scored(content), "label")
    return {name: int((labels == name).sum()) for name in CLASSES}


def why_undefined(content: ReportContent) -> str:
    """Why figures that compare the classes are not defined, in words."""
    rows, counts = scored(content), label_counts(content)
    healthy, abnormal = counts["healthy"], counts["abnormal"]
    if rows.empty:
        return "no subject was scored"
    if not healthy and not abnormal:
        return "the scored subjects carry no labels"
    if not abnormal:
        return f"all {healthy} labelled subjects are healthy, and the figure needs both classes"
    if not healthy:
        return f"all {abnormal} labelled subjects are abnormal, and the figure needs both classes"
    return "this evaluation did not compute it"


def why_no_localisation(content: ReportContent) -> str:
    """Why localisation is not defined, in words."""
    return "no lesion masks are known for the scored subjects" if not scored(content).empty else "no subject was scored"


def why_no_transfer(content: ReportContent) -> str:
    """Why there is no transfer classifier, in words."""
    counts = label_counts(content)
    if min(counts.values()) == 0:
        return "a classifier needs labelled subjects of both classes"
    return "no classifier was trained in this evaluation"


def false_alarms(content: ReportContent) -> Any:
    """False-alarm rate on healthy brains as an estimate: stated, else one minus the specificity, else counted.

    None if none of these is known.
    """
    stated = at(content.metrics, "detection", "false_alarms")
    if stated is not None:
        return stated
    specificity = at(content.metrics, "detection", "specificity")
    if isinstance(specificity, Mapping) and finite(specificity.get("value")) is not None:
        return _complement(specificity)
    rows = scored(content)
    raised = flags(rows[column(rows, "label") == "healthy"]).dropna()
    return proportion(int(raised.sum()), len(raised)).to_dict() if len(raised) else None


def _complement(share: Mapping[str, Any]) -> dict[str, Any]:
    turned = {"value": "value", "low": "high", "high": "low"}
    rate = {key: 1 - bound for key, other in turned.items() if (bound := finite(share.get(other))) is not None}
    count, successes = finite(share.get("n")), finite(share.get("n_positive"))
    known = count is not None and successes is not None
    return {**share, **rate, "n_positive": int(count - successes) if known else None}  # type: ignore[operator]
