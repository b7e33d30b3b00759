"""Content of the report, and the columns of ``predictions.csv``, from an assessment and its metrics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import yaml

from brain_cae.configuration import Config
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import examine
from brain_cae.reporting.content import ReportContent, SubjectView
from brain_cae.scoring.calibration import VOXEL_RATES
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.lesions import lesion_table
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.records import Metrics
from brain_cae.stages.scope import Scope
from brain_cae.vocabulary import CLASSES

PREDICTIONS = [
    "subject", "session", "source", "protocol", "reshape_group", "label", "role", "fold", "score", "p_value",
    "rate_bound", "threshold", "flagged", "out_of_calibration", "classifier_probability",
    "out_of_calibration_reason",
]  # fmt: skip


def predictions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of ``predictions.csv``."""
    return table.rename_axis("subject").reset_index()[PREDICTIONS]


OF_ONE_DATA_SET = ("dataset", "external", "cache", "resume", "limit", "executor", "workers", "extensions")
"""Parts of a run's configuration that are about its own data and machine, not about new subjects."""


ReadMap = Callable[[str], np.ndarray | None]
"""Function that returns the joint map (X, Y, Z) of a subject on its scan's grid in RAS+; None if it is not stored."""


def report_content(
    detector: Detector,
    assessment: Assessment,
    metrics: Metrics,
    *,
    cautions: list[str],
    scope: Scope,
    epochs: pd.DataFrame,
    pages: Mapping[str, str],
    read_map: ReadMap,
    links: Mapping[str, str],
) -> ReportContent:
    """Return the content of ``report.html``.

    Args:
        detector: The stored detector.
        assessment: Assessment of the subjects used for the figures.
        metrics: The content of ``metrics.json``.
        cautions: What the reader must know before the figures; duplicates are removed.
        scope: How subjects are counted, and the run of the stored detector.
        epochs: Table of ``training.csv``.
        pages: Address of the page of each subject that has one.
        read_map: Reads the map of a subject.
        links: Further files to link to: their address by what they are.
    """
    config = detector.config
    settings = {name: value for name, value in asdict(config).items()
                if not (scope.new_subjects and name in OF_ONE_DATA_SET)}  # fmt: skip
    calibration = detector.scorers["residual"].calibration
    decided = assessment.table["flagged"].eq(True)
    others = lesion_table(assessment.table[~decided].assign(flagged=True), assessment.findings)
    # Of a nested evaluation, each fold has other calibration brains and thresholds than the stored detector.
    stored = all(one is detector or scope.tested is None for one in assessment.detectors.values())
    return ReportContent(
        title=title(config, assessment.cohort, scope.model_run),
        metrics=metrics.to_dict(),
        predictions=predictions(assessment.table),
        import_report=assessment.cohort.report,
        index=assessment.cohort.index,
        views=views(config, assessment, read_map),
        configuration=yaml.safe_dump(settings, sort_keys=False),
        cautions=list(dict.fromkeys([*cautions, *metrics.audit.warnings])),
        curves=curves(assessment.table, list(metrics.baseline), scope.min_per_class),
        trials=assessment.transfer.trials,
        lesions=lesion_table(assessment.table, assessment.findings),
        other_lesions=others,
        calibration_scores=calibration.scores if stored else np.empty(0),
        learnt=detector.training_brains,
        voxel_threshold=calibration.voxel_threshold if stored else None,
        voxel_rates=list(zip(calibration.voxel_quantiles.tolist(), VOXEL_RATES, strict=False)) if stored else [],
        epochs=epochs,
        settings=settings,
        pages=pages,
        links=links,
    )


def title(config: Config, cohort: Cohort, model_run: Path | None) -> str:
    """Return the title: sources and main options, and the run of a stored model."""
    sources = " and ".join(sorted(set(cohort.index["source"])))
    options = f"{sources}, {config.modality.name}, {config.reshape.name}"
    return options if model_run is None else f"{options}: scored with the model of {model_run.name}"


def curves(table: pd.DataFrame, baselines: Sequence[str], min_per_class: int) -> dict[str, tuple[Any, Any]]:
    """Return labels and scores of each ROC curve by name; empty if a class has fewer than ``min_per_class`` members."""
    rows = table[table["label"] != "unknown"]
    if min((rows["label"] == kind).sum() for kind in CLASSES) < min_per_class:
        return {}
    drawn = {name: (rows["label"], rows[f"score.{name}"]) for name in ("residual", *baselines)}
    known = rows[rows["classifier_probability"].notna()]
    if known["label"].nunique() == 2:
        drawn["transfer classifier"] = (known["label"], known["classifier_probability"])
    return drawn


def views(config: Config, assessment: Assessment, read_map: ReadMap = lambda subject: None) -> list[SubjectView]:
    """Return views of the subjects that the report shows."""
    return [view(config, assessment, name, read_map) for name in shown(config, assessment.table)]


def shown(config: Config, table: pd.DataFrame) -> list[str]:
    """Return the subjects with the highest scores and the healthy ones with the highest scores, by falling score."""
    count = config.evaluation.views
    highest = table.sort_values("score", ascending=False)
    healthy = highest[highest["label"] == "healthy"].head(max(1, count // 4) if count > 1 else 0)
    others = highest[~highest.index.isin(healthy.index)].head(count - len(healthy))
    return list(highest.index[highest.index.isin([*others.index, *healthy.index])])


def view(config: Config, assessment: Assessment, name: str, read_map: ReadMap = lambda subject: None) -> SubjectView:
    """Return one brain to show; its map is examined again unless it is stored."""
    subject = assessment.cohort.prepared[name]
    row: dict[Any, Any] = assessment.table.loc[name].to_dict()
    stored = read_map(name)
    if stored is None:
        _, _, joint_map = examine(assessment.detectors[name], subject)
        anomaly = subject.on_grid(joint_map)
    else:
        anomaly = stored[tuple(slice(first, first + size) for first, size in zip(subject.start, subject.mask.shape,
                                                                                  strict=True))]  # fmt: skip
    images = dict(zip(config.modality.names, _with_margin(subject.volume), strict=True))
    lesion = subject.lesion
    return SubjectView(
        subject=name,
        label=row["label"],
        score=float(row["score"]),
        p_value=float(row["p_value"]),
        flagged=row["flagged"],
        image=images.pop(config.modality.reference),
        others=images,
        anomaly_map=_with_margin(anomaly),
        lesion=None if lesion is None else _with_margin(lesion),
        spacing=subject.spacing,
        caption=f"out of calibration: {row['out_of_calibration_reason']}" if row["out_of_calibration"] else "",
        modality=config.modality.reference,
    )


PAGES_PER_VIEW = 2
MOST_PAGES = 500


def with_pages(config: Config, table: pd.DataFrame, *, new_subjects: bool) -> list[str]:
    """Return the subjects that have a page of their own, by falling score.

    New subjects all have one. Of a study those with the highest scores do, ``PAGES_PER_VIEW`` for each subject that the
    report shows, and these themselves. So it is of new subjects whose maps are not stored, because each of them is
    examined again for its page.
    """
    highest = table.sort_values("score", ascending=False).index
    count = config.evaluation.views
    if new_subjects and count and config.evaluation.maps:
        return list(highest[:MOST_PAGES])
    chosen = {*highest[: min(PAGES_PER_VIEW * count, MOST_PAGES)], *shown(config, table)}
    return [name for name in highest if name in chosen]


def map_reader(folder: Path, files: Mapping[str, str]) -> ReadMap:
    """Return a function that reads a joint map as it was written to the folder ``anomaly_maps``.

    Args:
        folder: The folder.
        files: What each subject is called in names of files.
    """

    def read(subject: str) -> np.ndarray | None:
        path = folder / f"{files[subject]}_all.nii.gz"
        if not path.is_file():
            return None
        return np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj, dtype=np.float32)

    return read


def _with_margin(arrays: np.ndarray) -> np.ndarray:
    """Return arrays (..., X, Y, Z) with two voxels of air on each side: they end where the brain does."""
    return np.pad(arrays, [(0, 0)] * (arrays.ndim - 3) + [(2, 2)] * 3)
