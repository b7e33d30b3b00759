"""Prediction for unseen subjects: scores of the detector and probabilities of the transfer classifier."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import nibabel
import numpy as np
import pandas as pd

from brain_cae.data.subject import PreparedSubject, to_source_space
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings, examine
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.errors import DatasetError, StorageError
from brain_cae.executor import HERE, Executor
from brain_cae.files.names import file_names
from brain_cae.scans.sources.base import agreeing, some
from brain_cae.scoring.guarantee import GUARANTEES, Guarantee, rate_bound
from brain_cae.stages.brains import each
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.coverage import coverage
from brain_cae.stages.harmonisation import carried, harmonised, harmonised_features, out_of_reach
from brain_cae.stages.transfer import PatientClassifier, Transfer, apply_classifier, fit_for_patients, predict_unseen
from brain_cae.stages.transfer_plan import transfer_plan
from brain_cae.transfer.features import select_arm
from brain_cae.vocabulary import UNSEEN_ROLES

log = logging.getLogger(__name__)

WriteMap = Callable[[str, nibabel.Nifti1Image], None]
"""Function that writes an anomaly map with the name ``<subject>_<modality>``, see :func:`file_names`."""


@dataclass(frozen=True)
class Scores:
    """Scores of a detector.

    Attributes:
        table: One row per subject (index: subject): the columns of ``predictions.csv`` except those of the classifier,
            and the columns of each scorer.
        findings: Findings by subject.
        features: One row per subject: the columns of ``features.csv``.
        carried: One row per subject: acquisition columns for the harmonisation step of the classifier.
        unreached: Subjects whose images could not be harmonised.
        cohort: Cohort with the images that the detector scored.
    """

    table: pd.DataFrame
    findings: dict[str, Findings]
    features: pd.DataFrame
    carried: pd.DataFrame
    unreached: list[str]
    cohort: Cohort

    @property
    def classifier_features(self) -> pd.DataFrame:
        """Features with the acquisition columns that the harmonisation step uses and removes."""
        return self.features.join(self.carried)


@dataclass(frozen=True)
class Assessment:
    """Scores and classifier probabilities of subjects, from which the figures are computed.

    Attributes:
        table: As in :class:`Scores`, with ``fold`` and ``classifier_probability``.
        findings: Findings by subject.
        features: One row per subject.
        arm: Name of the feature arm for the audit.
        harmonised: This arm as harmonised for the fold in which each subject was held out; None if features are not
            harmonised.
        unreached: Subjects whose images could not be harmonised.
        transfer: Result of the transfer classifier.
        detectors: Detector that scored each subject, by subject.
        cohort: Cohort with the images that the detectors scored.
    """

    table: pd.DataFrame
    findings: dict[str, Findings]
    features: pd.DataFrame
    arm: str
    harmonised: pd.DataFrame | None
    unreached: list[str]
    transfer: Transfer
    detectors: dict[str, Detector]
    cohort: Cohort

    def among(self, subjects: Iterable[str]) -> "Assessment":
        """Return the assessment restricted to these subjects."""
        names = self.table.index.intersection(list(subjects))
        return replace(
            self,
            table=self.table.loc[names].copy(),
            findings={name: self.findings[name] for name in names},
            features=self.features.loc[names],
            harmonised=None if self.harmonised is None else self.harmonised.loc[names],
            unreached=[name for name in self.unreached if name in names],
            detectors={name: self.detectors[name] for name in names},
        )

    def with_trials(self, trials: pd.DataFrame) -> "Assessment":
        """Return the assessment with the trials of one more hyperparameter search."""
        return replace(self, transfer=self.transfer.with_trials(trials))


def unseen_subjects(cohort: Cohort, roles: pd.Series, *, required: tuple[str, ...] = UNSEEN_ROLES) -> list[str]:
    """Return the prepared subjects outside ``train`` and ``validation``, sorted.

    Args:
        cohort: Prepared cohort.
        roles: Role of each subject (index: subject).
        required: Roles of which at least one unseen subject must have one.

    Raises:
        DatasetError: No unseen subject has a required role.
    """
    unseen = [name for name in sorted(cohort.prepared) if roles.get(name) in UNSEEN_ROLES]
    if not any(roles[name] in required for name in unseen):
        raise DatasetError("No subject is left to evaluate.", expected="subjects in the roles classifier or test")
    return unseen


def score(
    detector: Detector,
    cohort: Cohort,
    subjects: list[str],
    roles: pd.Series,
    *,
    known: FindingsCache,
    executor: Executor = HERE,
    write_map: WriteMap | None = None,
) -> Scores:
    """Harmonise and score these subjects.

    Args:
        detector: Calibrated detector.
        cohort: Prepared cohort, not harmonised.
        subjects: Names of the subjects.
        roles: Role of each subject (index: subject).
        known: Cache of the findings of this detector; new findings are added.
        executor: Where brains are examined.
        write_map: Called with each anomaly map, in any process; cached findings are not used then, as the cache has no
            maps.
    """
    unreached = out_of_reach(detector.harmoniser, cohort, subjects)
    cohort = harmonised(detector.harmoniser, cohort)
    files = file_names(dict.fromkeys(cohort.index["subject"]))
    jobs = [_Examination(detector, cohort.prepared[name], known, write_map, files[name]) for name in subjects]
    bar = detector.config.trainer.progress
    done = each(_examined, jobs, "score", executor=executor, name=_named, bar=bar, here=detector.on_gpu)
    findings = {name: one.findings for name, one in zip(subjects, done, strict=True)}
    lost = {name: one.lost for name, one in zip(subjects, done, strict=True) if one.lost}
    if lost:
        shown = some([f"{name} ({reason})" for name, reason in lost.items()])
        count = agreeing(len(lost), "{subject|subjects}")
        caution = f"Anomaly maps of {count} could not be written; their scores are complete: {shown}."
        log.warning(caution)
        cohort = replace(cohort, cautions=[*cohort.cautions, caution])
    features = pd.DataFrame({name: finding.features for name, finding in findings.items()}).T
    table = _table(detector, cohort, roles, findings)
    acquisition = carried(detector, cohort.acquisition.loc[subjects], table["protocol"])
    return Scores(table, findings, features, acquisition, unreached, cohort)


@dataclass(frozen=True)
class _Examination:
    """One brain to examine, in any process."""

    detector: Detector
    subject: PreparedSubject
    known: FindingsCache
    write_map: WriteMap | None
    file: str


@dataclass(frozen=True)
class _Examined:
    """Findings of one brain, and why its anomaly maps could not be written."""

    findings: Findings
    lost: str = ""


def _named(job: _Examination) -> str:
    return job.subject.subject


def _examined(job: _Examination) -> _Examined:
    """Return the findings of one brain, from the cache unless its maps are to be written.

    A map that cannot be written is lost alone: the brain has its findings. Without room or permission, no other file
    can be written either: that ends the run.
    """
    subject = job.subject.in_memory()
    stored = job.known.load(subject) if job.write_map is None else None
    if stored is not None:
        return _Examined(stored)
    findings, maps, joint_map = examine(job.detector, subject)
    job.known.keep(subject, findings)
    if job.write_map is None:
        return _Examined(findings)
    lost = []
    for modality, values in zip((*job.detector.config.modality.names, "all"), (*maps, joint_map), strict=True):
        try:
            # Two decimals are precise enough for readers, and compress to a third of the size.
            image = to_source_space(subject.on_grid(np.round(values, 2)), subject)
            job.write_map(f"{job.file}_{modality}", image)
        except StorageError:
            raise
        except Exception as error:
            # Whatever the file system or the writer of NIfTI objects to.
            reason = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
            lost.append(f"{modality}: {reason or type(error).__name__}")
    return _Examined(findings, ", ".join(lost))


def classifier_training_subjects(detector: Detector, cohort: Cohort) -> set[str]:
    """Return the subjects that the stored classifier was trained on, identified by the content of their scans."""
    return set(cohort.index[cohort.index["series_hash"].map(detector.seen) == "classifier"]["subject"])


def classify_new(detector: Detector, scores: Scores) -> Assessment:
    """Apply the classifier stored with the detector to new subjects; nothing is fitted."""
    features, cohort = scores.classifier_features, scores.cohort
    if trained := classifier_training_subjects(detector, cohort):
        caution = f"The classifier was trained on {len(trained)} of these subjects; their probabilities are left out."
        scores = replace(scores, cohort=replace(cohort, cautions=[*cohort.cautions, caution]))
    transfer = apply_classifier(
        transfer_plan(detector.config), detector.classifier, scores.table, features, training_subjects=trained
    )
    return _assessment(detector, scores, transfer, folds=None)


def classify_unseen(detector: Detector, scores: Scores) -> Assessment:
    """Classify the unseen subjects of the run, each with a classifier that was not trained on it."""
    transfer = predict_unseen(transfer_plan(detector.config), scores.table, scores.classifier_features)
    return _assessment(detector, scores, transfer, folds=transfer.folds)


def patient_classifier(detector: Detector, scores: Scores) -> PatientClassifier | None:
    """Return the classifier for new patients, fitted on the unseen subjects of the run; None without both classes."""
    return fit_for_patients(transfer_plan(detector.config), scores.table, scores.classifier_features)


def with_classifier(detector: Detector, classifier: PatientClassifier, cohort: Cohort) -> Detector:
    """Return the detector with the classifier for new patients; its training scans are added to ``seen``."""
    training_scans = cohort.index[cohort.index["subject"].isin(classifier.training_subjects)]
    seen = detector.seen | dict.fromkeys(training_scans["series_hash"], "classifier")
    return replace(detector, classifier=classifier.pipeline, seen=seen)


def _assessment(detector: Detector, scores: Scores, transfer: Transfer, *, folds: pd.Series | None) -> Assessment:
    settings = detector.config.features
    arm = select_arm(scores.classifier_features, settings.name, settings.levels)
    return Assessment(
        table=scores.table.assign(fold=transfer.folds, classifier_probability=transfer.probabilities),
        findings=scores.findings,
        features=scores.features,
        arm=settings.name,
        harmonised=harmonised_features(detector, arm, scores.table["label"], folds),
        unreached=scores.unreached,
        transfer=transfer,
        detectors=dict.fromkeys(scores.table.index, detector),
        cohort=scores.cohort,
    )


def _table(detector: Detector, cohort: Cohort, roles: pd.Series, findings: dict[str, Findings]) -> pd.DataFrame:
    """Return the table of :class:`Scores`, one row per evaluated subject."""
    rule = detector.guarantee
    first = cohort.index.groupby("subject")[["session", "source", "label"]].first().loc[list(findings)]
    covered = coverage(detector, cohort, pd.Series({name: one.group.known for name, one in findings.items()}))
    calibration = detector.scorers["residual"].calibration
    threshold, brains = calibration.threshold(rule), len(calibration.scores)
    rows = []
    for name, finding in findings.items():
        row: dict[str, Any] = {
            "subject": name,
            **{str(column): first.at[name, column] for column in first},
            "protocol": covered.at[name, "protocol"],
            "reshape_group": finding.group.name,
            "role": roles[name],
            "score": finding.scores["residual"],
            "p_value": finding.p_values["residual"],
            "rate_bound": rate_bound(finding.ranks["residual"], brains, rule.confidence),
            "threshold": threshold if np.isfinite(threshold) else None,
            "out_of_calibration": bool(covered.at[name, "reason"]),
            "out_of_calibration_reason": covered.at[name, "reason"],
        }
        for scorer in detector.scorers:
            row[f"score.{scorer}"] = finding.scores[scorer]
            row[f"flagged.{scorer}"] = _flagged(finding.ranks[scorer], rule, brains)
        row["flagged"] = row["flagged.residual"]
        for kind in GUARANTEES:
            row[f"flagged_if.{kind}"] = _flagged(finding.ranks["residual"], replace(rule, kind=kind), brains)
        rows.append(row)
    return pd.DataFrame(rows).set_index("subject")


def _flagged(rank: int, rule: Guarantee, brains: int) -> bool | None:
    """Return whether a rank among the calibration scores is flagged; None if n brains are too few to flag anything."""
    highest = rule.rank(brains)
    return rank <= highest if highest else None
