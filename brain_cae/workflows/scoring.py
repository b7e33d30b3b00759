"""Score and classify subjects with a fitted detector; write features, anomaly maps and tuning trials."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import pandas as pd

from brain_cae.data.strippers import require_stripper
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.detector.storage import save
from brain_cae.errors import ScanError
from brain_cae.executor import HERE, Executor
from brain_cae.files.names import file_names
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cohort import Cohort, import_cohort
from brain_cae.stages.lookalikes import lookalike_cautions
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
from brain_cae.stages.preparation import make_preparation, prepare
from brain_cae.stages.space import placed


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
    cohort = _compared(detector, cohort)
    scores = _score(detector, cohort, splits, folder, cache=cache, executor=executor, required=UNSEEN_ROLES)
    with folder.stage("transfer"):
        return classify_new(detector, scores)


def score_one(
    detector: Detector, dataset: Any, *, cache: str, refuse: Callable[[Detector, pd.DataFrame], None]
) -> tuple[Assessment, dict[str, nibabel.Nifti1Image]]:
    """Import, prepare and score a data set of one subject; nothing is written but to the cache.

    Args:
        detector: Calibrated detector.
        dataset: Configuration of the data set.
        cache: Folder for imported and prepared scans.
        refuse: Raises an error for scans that the detector has seen.

    Returns:
        The assessment, and the anomaly maps by contrast, with the joint one as ``all``.

    Raises:
        ScanError: A scan cannot be used.
    """
    config = detector.config
    require_stripper(config.preprocess.skull_strip)
    cohort = import_cohort(dataset, config, cache=cache, executor=HERE, trained=True)
    _require_scans(cohort)
    refuse(detector, cohort.index)
    cohort = placed(prepare(cohort, make_preparation(config, cache, HERE), progress=False), config)
    _require_scans(cohort)
    cohort = _compared(detector, cohort)
    (name,) = cohort.prepared
    maps: dict[str, nibabel.Nifti1Image] = {}
    known = FindingsCache(Path(cache) / "examined", detector)
    roles = pd.Series("test", index=[name])
    scores = score(detector, cohort, [name], roles, known=known, write_map=maps.__setitem__)
    return classify_new(detector, scores), {key.removeprefix(f"{name}_"): image for key, image in maps.items()}


def _compared(detector: Detector, cohort: Cohort) -> Cohort:
    """Return the cohort with the caution about subjects that look like brains that the detector has seen."""
    return replace(cohort, cautions=[*cohort.cautions, *lookalike_cautions(detector.prints, cohort.prepared)])


def _require_scans(cohort: Cohort) -> None:
    """Raise the reason why a scan cannot be used, if there is one."""
    if not cohort.index.empty:
        return
    lost = cohort.report[cohort.report["status"] != "imported"]
    reason, modality = lost[["reason", "modality"]].iloc[0]
    raise ScanError(str(reason), expected="one scan of the head for each contrast", where=str(modality))


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
