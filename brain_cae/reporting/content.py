"""Input of a report: tables, arrays and the content of ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping
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
        cautions: Sentences that the reader must know before any figure; those that are :class:`Serious` stand over the
            verdict.
        curves: Name of each ROC curve to (labels, scores); labels are 0/1 or ``healthy``/``abnormal``.
        trials: The table of ``tuning.csv``; empty if nothing was tuned.
        lesions: The table of ``lesions.csv``.
        other_lesions: The same for brains that are not flagged.
        calibration_scores: (n,) scores of the healthy brains that calibrate.
        learnt: Number of healthy brains that the network was trained with; None if it is not known.
        voxel_threshold: Threshold of the anomaly maps; None if the brains were scored by models with different ones.
        voxel_rates: Values of the anomaly map, with the share of healthy voxels above each, by falling share.
        epochs: Columns epoch, loss: the training.
        settings: The configuration as nested mappings, for the section on methods.
        pages: Address of the page of a subject, relative to the report, by subject.
        links: Other files of the run to link to: their address by what they are.
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
    other_lesions: pd.DataFrame = field(default_factory=pd.DataFrame)
    calibration_scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    learnt: int | None = None
    voxel_threshold: float | None = None
    voxel_rates: list[tuple[float, float]] = field(default_factory=list)
    epochs: pd.DataFrame = field(default_factory=pd.DataFrame)
    settings: Mapping[str, Any] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
