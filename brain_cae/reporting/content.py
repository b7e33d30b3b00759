"""What a report is made from: plain tables, arrays and the content of ``metrics.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class SubjectView:
    """One brain as the report shows it, in three planes through the maximum of its anomaly map.

    Args:
        subject: Identifier of the subject.
        label: ``healthy``, ``abnormal`` or ``unknown``.
        score: Volume score.
        p_value: Conformal p-value against the healthy calibration brains; None if there is none.
        flagged: Whether p is at most alpha; None if nothing could be flagged.
        image: Reference modality, (X, Y, Z), RAS+.
        others: Further modalities by name, each (X, Y, Z) on the same grid.
        anomaly_map: Joint map of z, (X, Y, Z) on the same grid; voxels outside the mask are 0 or NaN.
        lesion: Lesion mask (X, Y, Z), or None where it is not known.
        spacing: Size of a voxel along X, Y, Z in mm.
        caption: A short remark under the pictures; may be empty.
        modality: Name of the reference modality.
    """

    subject: str
    label: str
    score: float
    p_value: float | None
    flagged: bool | None
    image: np.ndarray
    others: dict[str, np.ndarray]
    anomaly_map: np.ndarray
    lesion: np.ndarray | None
    spacing: tuple[float, float, float]
    caption: str = ""
    modality: str = "reference"


@dataclass(frozen=True)
class ReportContent:
    """Everything that one report shows.

    Args:
        title: Heading of the page.
        metrics: The content of ``metrics.json``; any part may be missing or None.
        predictions: The table of ``predictions.csv``.
        import_report: The table of ``import_report.csv``.
        index: The index table, one row per scan.
        views: Brains to show, in the order to show them.
        configuration: The resolved configuration as YAML.
        warnings: Sentences that the reader must see before any figure.
        curves: For the ROC figure, name to (labels, scores); labels are 0/1 or ``healthy``/``abnormal``.
        trials: The table of ``tuning.csv``; empty where nothing was tuned.
    """

    title: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    import_report: pd.DataFrame = field(default_factory=pd.DataFrame)
    index: pd.DataFrame = field(default_factory=pd.DataFrame)
    views: list[SubjectView] = field(default_factory=list)
    configuration: str = ""
    warnings: list[str] = field(default_factory=list)
    curves: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
