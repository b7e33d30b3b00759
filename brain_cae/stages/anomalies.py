"""Map and clusters of scored brains on the grid of the scan, one brain at a time, for exports."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import nibabel
import numpy as np
import pandas as pd

from brain_cae.data.subject import PreparedSubject, to_source_space
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import examine
from brain_cae.detector.lesions import shown_clusters
from brain_cae.errors import ScanError, StorageError
from brain_cae.executor import HERE, Executor
from brain_cae.stages.brains import each
from brain_cae.stages.lesions import lesion_table
from brain_cae.stages.prediction import Assessment


@dataclass(frozen=True)
class Anomaly:
    """What was found in one brain.

    Attributes:
        subject: Name of the subject.
        map: Joint map of z, as in ``anomaly_maps/``: on the grid of the reference scan, 0 outside.
        numbers: Number of the cluster at each voxel, as in ``lesions.csv``; None if the brain is not flagged.
        clusters: Rows of ``lesions.csv``.
        threshold: Voxel threshold.
    """

    subject: str
    map: nibabel.Nifti1Image
    numbers: nibabel.Nifti1Image | None
    clusters: pd.DataFrame
    threshold: float


def for_each_anomaly(
    assessment: Assessment,
    write: Callable[[Anomaly], None],
    *,
    subjects: list[str] | None = None,
    executor: Executor = HERE,
) -> dict[str, str]:
    """Examine brains again, one at a time in any process, and call ``write`` with what was found in each.

    Args:
        assessment: The scored brains.
        write: Called once for each brain.
        subjects: Names of the brains; by default all.
        executor: Where brains are examined.

    Returns:
        Brains for which ``write`` failed, with the reason. The text of unforeseen errors is not shown: it may quote
        headers.

    Raises:
        StorageError: There is no room or no permission; then no other file can be written either.
    """
    clusters = lesion_table(assessment.table, assessment.findings)
    flagged = assessment.table["flagged"].eq(True)
    names = list(assessment.table.index) if subjects is None else subjects
    jobs = [
        _Job(
            detector=assessment.detectors[name],
            subject=assessment.cohort.prepared[name],
            flagged=bool(flagged[name]),
            clusters=clusters[clusters["subject"] == name],
            write=write,
        )
        for name in names
    ]
    here = any(detector.on_gpu for detector in assessment.detectors.values())
    bar = bool(jobs) and jobs[0].detector.config.trainer.progress
    done = each(_written, jobs, "export", executor=executor, name=_named, bar=bar, here=here)
    return {name: reason for name, reason in zip(names, done, strict=True) if reason}


@dataclass(frozen=True)
class _Job:
    detector: Detector
    subject: PreparedSubject
    flagged: bool
    clusters: pd.DataFrame
    write: Callable[[Anomaly], None]


def _named(job: _Job) -> str:
    return job.subject.subject


def _written(job: _Job) -> str:
    try:
        job.write(_found(job))
    except StorageError:
        raise
    except ScanError as error:
        return error.reason
    except OSError as error:
        return error.strerror or type(error).__name__
    except Exception as error:
        # A library may object to anything in a header, with the header's text.
        return type(error).__name__
    return ""


def _found(job: _Job) -> Anomaly:
    subject, detector = job.subject.in_memory(), job.detector
    calibration = detector.scorers["residual"].calibration
    _, _, joint_map = examine(detector, subject)
    on_scan = partial(to_source_space, subject=subject)
    numbers = None
    if job.flagged and len(job.clusters):
        scoring = detector.config.scoring
        labels, _ = shown_clusters(subject, joint_map, calibration, scoring.alpha, scoring.cluster_share)
        numbers = on_scan(labels)
    return Anomaly(
        subject=subject.subject,
        map=on_scan(subject.on_grid(np.round(joint_map, 2))),
        numbers=numbers,
        clusters=job.clusters,
        threshold=calibration.voxel_threshold,
    )
