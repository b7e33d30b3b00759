"""Scoring and classifying with a fitted detector, and the files that this leaves on the way."""

from functools import partial
from pathlib import Path

import nibabel
import pandas as pd

from brain_cae.detector.detector import Detector
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.detector.storage import save
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.prediction import (
    UNSEEN_ROLES,
    Assessment,
    Scores,
    classify_new,
    classify_unseen,
    patient_classifier,
    score,
    unseen_subjects,
    with_classifier,
)


def score_new(detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str) -> Assessment:
    """Score new subjects and judge them by the stored classifier.

    Args:
        detector: Calibrated.
        cohort: Prepared.
        splits: Columns subject, role.
        folder: Where ``features.csv`` and the anomaly maps go.
        cache: Where findings of the same brains by the same detector lie.

    Raises:
        DatasetError: No subject is left to evaluate.
    """
    scores = _score(detector, cohort, splits, folder, cache=cache, required=UNSEEN_ROLES)
    with folder.stage("transfer"):
        return classify_new(detector, scores)


def score_unseen(
    detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str
) -> Assessment:
    """Score the run's own unseen subjects and judge each by a classifier that has not learnt from it.

    Arguments and errors are those of :func:`score_new`; ``tuning.csv`` is written as well.
    """
    scores = _score_run(detector, cohort, splits, folder, cache=cache)
    with folder.stage("transfer"):
        assessment = classify_unseen(detector, scores)
        _write_trials(folder, assessment)
    return assessment


def score_trained(
    detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str
) -> tuple[Detector, Assessment]:
    """What :func:`score_unseen` does, after training: the classifier for new patients is fitted and stored as well.

    Returns:
        The detector with the classifier, and the assessment.
    """
    scores = _score_run(detector, cohort, splits, folder, cache=cache)
    with folder.stage("transfer"):
        assessment = classify_unseen(detector, scores)
        classifier = patient_classifier(detector, scores)
        if classifier is not None:
            assessment = assessment.with_trials(classifier.trials)
        _write_trials(folder, assessment)
        if classifier is not None:
            detector = with_classifier(detector, classifier, scores.cohort)
            save(detector, folder / "model")
    return detector, assessment


def _score_run(detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str) -> Scores:
    """The scores of the run's own unseen subjects; where a protocol is held out, some of them must be its members."""
    required = ("test",) if detector.config.split.holds_out_protocol else UNSEEN_ROLES
    return _score(detector, cohort, splits, folder, cache=cache, required=required)


def _score(
    detector: Detector,
    cohort: Cohort,
    splits: pd.DataFrame,
    folder: RunFolder,
    *,
    cache: str,
    required: tuple[str, ...],
) -> Scores:
    roles = splits.set_index("subject")["role"]
    subjects = unseen_subjects(cohort, roles, required=required)
    write_map = partial(_write_map, folder) if detector.config.evaluation.maps else None
    with folder.stage("score"):
        known = FindingsCache(Path(cache) / "examined", detector)
        scores = score(detector, cohort, subjects, roles, known=known, write_map=write_map)
        folder.write_csv("features.csv", scores.features.rename_axis("subject").reset_index())
    return scores


def _write_map(folder: RunFolder, name: str, image: nibabel.Nifti1Image) -> None:
    folder.write(f"anomaly_maps/{name}.nii.gz", partial(nibabel.save, image))


def _write_trials(folder: RunFolder, assessment: Assessment) -> None:
    if not assessment.transfer.trials.empty:
        folder.write_csv("tuning.csv", assessment.transfer.trials)
