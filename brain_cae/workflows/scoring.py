"""Score and classify subjects with a fitted detector; write features, anomaly maps and tuning trials."""

from functools import partial
from pathlib import Path

import nibabel
import pandas as pd

from brain_cae.detector.detector import Detector
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.detector.storage import save
from brain_cae.executor import Executor
from brain_cae.files.names import file_names
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


def score_new(
    detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str, executor: Executor
) -> Assessment:
    """Score new subjects and classify them with the stored classifier.

    Args:
        detector: Calibrated detector.
        cohort: Prepared subjects.
        splits: Columns subject, role.
        folder: Folder for ``features.csv`` and the anomaly maps.
        cache: Cache folder; it holds the findings of brains that this detector has already examined.
        executor: Where brains are examined.

    Raises:
        DatasetError: No subject remains to evaluate.
    """
    scores = _score(detector, cohort, splits, folder, cache=cache, executor=executor, required=UNSEEN_ROLES)
    with folder.stage("transfer"):
        return classify_new(detector, scores)


def score_unseen(
    detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str, executor: Executor
) -> Assessment:
    """Score the run's unseen subjects and classify each with a classifier that was fitted without it.

    Arguments and errors are those of :func:`score_new`; ``tuning.csv`` is also written.
    """
    scores = _score_run(detector, cohort, splits, folder, cache=cache, executor=executor)
    with folder.stage("transfer"):
        assessment = classify_unseen(detector, scores)
        _write_trials(folder, assessment)
    return assessment


def score_trained(
    detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str, executor: Executor
) -> tuple[Detector, Assessment]:
    """Do what :func:`score_unseen` does, then fit and store the classifier for new patients.

    Returns:
        The detector with this classifier, and the assessment.
    """
    scores = _score_run(detector, cohort, splits, folder, cache=cache, executor=executor)
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


def _score_run(
    detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder, *, cache: str, executor: Executor
) -> Scores:
    """Scores of the run's unseen subjects; a held-out protocol must have at least one of them."""
    required = ("test",) if detector.config.split.holds_out_protocol else UNSEEN_ROLES
    return _score(detector, cohort, splits, folder, cache=cache, executor=executor, required=required)


def _score(
    detector: Detector,
    cohort: Cohort,
    splits: pd.DataFrame,
    folder: RunFolder,
    *,
    cache: str,
    executor: Executor,
    required: tuple[str, ...],
) -> Scores:
    roles = splits.set_index("subject")["role"]
    subjects = unseen_subjects(cohort, roles, required=required)
    write_map = partial(_write_map, folder) if detector.config.evaluation.maps else None
    with folder.stage("score"):
        known = FindingsCache(Path(cache) / "examined", detector)
        if write_map is not None:
            _write_names(folder, cohort)
        scores = score(detector, cohort, subjects, roles, known=known, executor=executor, write_map=write_map)
        folder.write_csv("features.csv", scores.features.rename_axis("subject").reset_index())
    return scores


def _write_names(folder: RunFolder, cohort: Cohort) -> None:
    """Write ``anomaly_maps/names.csv`` (subject,file), if some subjects are called otherwise in names of files."""
    files = file_names(dict.fromkeys(cohort.index["subject"]))
    renamed = [(subject, file) for subject, file in files.items() if subject != file]
    if renamed:
        folder.write_csv("anomaly_maps/names.csv", pd.DataFrame(renamed, columns=["subject", "file"]))


def _write_map(folder: RunFolder, name: str, image: nibabel.Nifti1Image) -> None:
    folder.write(f"anomaly_maps/{name}.nii.gz", partial(nibabel.save, image))


def _write_trials(folder: RunFolder, assessment: Assessment) -> None:
    if not assessment.transfer.trials.empty:
        folder.write_csv("tuning.csv", assessment.transfer.trials)
