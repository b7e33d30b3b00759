"""Input of a report: tables, arrays and the content of ``metrics.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class SubjectView:
    """One brain to show in three planes through the maximum of its anomaly map.

    Args:
        subject: Identifier of the subject.
        label: ``healthy``, ``abnormal`` or ``unknown``.
        score: Volume score.
        p_value: Conformal p-value against the healthy calibration brains; None if there is none.
        flagged: Whether p is at most alpha; None if flagging was not possible.
        image: Reference modality, (X, Y, Z), RAS+.
        others: Other modalities by name, each (X, Y, Z) on the same grid.
        anomaly_map: Joint z map, (X, Y, Z) on the same grid; voxels outside the mask are 0 or NaN.
        lesion: Lesion mask (X, Y, Z), or None if it is not known.
        spacing: Voxel size along X, Y, Z in mm.
        caption: Short remark below the images; may be empty.
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
    """Content of one report.

    Args:
        title: Heading of the page.
        metrics: The content of ``metrics.json``; any part may be missing or None.
        predictions: The table of ``predictions.csv``.
        import_report: The table of ``import_report.csv``.
        index: The index table, one row per scan.
        views: Brains to show, in this order.
        configuration: The resolved configuration as YAML.
        cautions: Sentences that the reader must know before any figure.
        curves: Name of each ROC curve to (labels, scores); labels are 0/1 or ``healthy``/``abnormal``.
        trials: The table of ``tuning.csv``; empty if nothing was tuned.
        lesions: The table of ``lesions.csv``.
    """

    title: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    import_report: pd.DataFrame = field(default_factory=pd.DataFrame)
    index: pd.DataFrame = field(default_factory=pd.DataFrame)
    views: list[SubjectView] = field(default_factory=list)
    configuration: str = ""
    cautions: list[str] = field(default_factory=list)
    curves: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
    lesions: pd.DataFrame = field(default_factory=pd.DataFrame)
