"""What a detector finds of the subjects that it has not seen, before any figure is computed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import nibabel
import numpy as np
import pandas as pd

from brain_cae.data.preprocess import to_source_space
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings, examine
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.errors import DatasetError
from brain_cae.progress import track
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.harmonisation import carried, harmonised, harmonised_features, out_of_reach
from brain_cae.stages.transfer import PatientClassifier, Transfer, apply_classifier, fit_for_patients, predict_unseen
from brain_cae.transfer.features import select_arm
from brain_cae.vocabulary import UNSEEN_ROLES

WriteMap = Callable[[str, nibabel.Nifti1Image], None]
"""Writes one anomaly map under the name ``<subject>_<modality>``."""


@dataclass(frozen=True)
class Scores:
    """What a detector finds of each subject.

    Attributes:
        table: One row per subject (index: subject): the columns of ``predictions.csv`` but those of the classifier,
            and those of each scorer.
        findings: By subject.
        features: One row per subject: the columns of ``features.csv``.
        carried: One row per subject: how it was scanned, as far as the harmonising step of the classifier needs it.
        unreached: Subjects whose images the harmonisation let pass unchanged.
        cohort: With the images that the detector has seen.
    """

    table: pd.DataFrame
    findings: dict[str, Findings]
    features: pd.DataFrame
    carried: pd.DataFrame
    unreached: list[str]
    cohort: Cohort

    @property
    def classifier_features(self) -> pd.DataFrame:
        """Features with the columns that the harmonising step takes off."""
        return self.features.join(self.carried)


@dataclass(frozen=True)
class Assessment:
    """The scores of subjects with what the transfer classifier says, before any figure is computed.

    Attributes:
        table: As in :class:`Scores`, with ``fold`` and ``classifier_probability``.
        findings: By subject.
        features: One row per subject.
        arm: Name of the arm of features that the audit looks at.
        harmonised: That arm as the classifier saw each subject out of fold; None where features are not harmonised.
        unreached: Subjects whose images the harmonisation let pass unchanged.
        transfer: What the transfer classifier says.
        detectors: By subject the detector that has judged it.
        cohort: With the images that the detectors have seen.
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
        """The same of these subjects alone."""
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
        """The same, with the trials of one more search for the classifier's parameters."""
        return replace(self, transfer=self.transfer.with_trials(trials))


def unseen_subjects(cohort: Cohort, roles: pd.Series, *, required: tuple[str, ...] = UNSEEN_ROLES) -> list[str]:
    """The prepared subjects outside ``train`` and ``validation``, sorted.

    Args:
        cohort: Prepared.
        roles: Role of each subject (index: subject).
        required: One of them at least must have one of these roles.

    Raises:
        DatasetError: None has.
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
    write_map: WriteMap | None = None,
) -> Scores:
    """Harmonise and score these subjects.

    Args:
        detector: Calibrated.
        cohort: Prepared, not harmonised.
        subjects: Names.
        roles: Role of each subject (index: subject).
        known: Findings of the same brains by the same detector; new ones are added.
        write_map: Called with every anomaly map; every brain is then examined again, since maps are not kept.
    """
    unreached = out_of_reach(detector.harmoniser, cohort, subjects)
    cohort = harmonised(detector.harmoniser, cohort)
    findings = {}
    for name in track(subjects, "score", bar=detector.config.trainer.progress):
        subject = cohort.prepared[name]
        stored = known.load(subject) if write_map is None else None
        if stored is not None:
            findings[name] = stored
            continue
        findings[name], maps, joint_map = examine(detector, subject)
        known.keep(subject, findings[name])
        if write_map is not None:
            for modality, values in zip((*detector.config.modality.names, "all"), (*maps, joint_map), strict=True):
                # Two decimals are finer than any reader needs and compress to a third.
                write_map(f"{name}_{modality}", to_source_space(np.round(values, 2), subject))
    features = pd.DataFrame({name: finding.features for name, finding in findings.items()}).T
    table = _table(detector, cohort, roles, findings)
    scanned = carried(detector, cohort.acquisition.loc[subjects], table["protocol"])
    return Scores(table, findings, features, scanned, unreached, cohort)


def learnt_by_classifier(detector: Detector, cohort: Cohort) -> set[str]:
    """The subjects that the stored classifier has learnt from, whatever they are called now."""
    return set(cohort.index[cohort.index["series_hash"].map(detector.seen) == "classifier"]["subject"])


def classify_new(detector: Detector, scores: Scores) -> Assessment:
    """Judge new subjects by the classifier that is stored with the detector; nothing is fitted."""
    config, features, cohort = detector.config, scores.classifier_features, scores.cohort
    if learnt := learnt_by_classifier(detector, cohort):
        note = f"The classifier has learnt from {len(learnt)} of these subjects; their probabilities are left out."
        scores = replace(scores, cohort=replace(cohort, notes=[*cohort.notes, note]))
    transfer = apply_classifier(config, detector.classifier, scores.table, features, learnt=learnt)
    return _assessment(detector, scores, transfer, folds=None)


def classify_unseen(detector: Detector, scores: Scores) -> Assessment:
    """Judge the run's own unseen subjects, each by a classifier that has not learnt from it."""
    transfer = predict_unseen(detector.config, scores.table, scores.classifier_features)
    return _assessment(detector, scores, transfer, folds=transfer.folds)


def patient_classifier(detector: Detector, scores: Scores) -> PatientClassifier | None:
    """The classifier for new patients, fitted on the run's own unseen subjects; None without both classes."""
    return fit_for_patients(detector.config, scores.table, scores.classifier_features)


def with_classifier(detector: Detector, classifier: PatientClassifier, cohort: Cohort) -> Detector:
    """The detector with the classifier for new patients; it remembers the scans that have taught it."""
    taught = cohort.index[cohort.index["subject"].isin(classifier.taught)]
    seen = detector.seen | dict.fromkeys(taught["series_hash"], "classifier")
    return replace(detector, classifier=classifier.pipeline, seen=seen)


def _assessment(detector: Detector, scores: Scores, transfer: Transfer, *, folds: pd.Series | None) -> Assessment:
    chosen = detector.config.features
    arm = select_arm(scores.classifier_features, chosen.name, chosen.levels)
    return Assessment(
        table=scores.table.assign(fold=transfer.folds, classifier_probability=transfer.probabilities),
        findings=scores.findings,
        features=scores.features,
        arm=chosen.name,
        harmonised=harmonised_features(detector, arm, scores.table["label"], folds),
        unreached=scores.unreached,
        transfer=transfer,
        detectors=dict.fromkeys(scores.table.index, detector),
        cohort=scores.cohort,
    )


def _table(detector: Detector, cohort: Cohort, roles: pd.Series, findings: dict[str, Findings]) -> pd.DataFrame:
    """One row per evaluated subject (index: subject)."""
    alpha = detector.config.scoring.alpha
    first = cohort.index.groupby("subject")[["session", "source", "label"]].first().loc[list(findings)]
    protocols = detector.protocols.assign(cohort.acquisition.loc[list(findings)])
    threshold = detector.scorers["residual"].calibration.threshold(alpha)
    skull = cohort.skull
    rows = []
    for name, finding in findings.items():
        row: dict[str, Any] = {
            "subject": name,
            **{str(column): first.at[name, column] for column in first},
            "protocol": protocols[name],
            "reshape_group": finding.group.name,
            "role": roles[name],
            "score": finding.scores["residual"],
            "p_value": finding.p_values["residual"],
            "threshold": threshold if np.isfinite(threshold) else None,
            "out_of_calibration": bool(
                protocols[name] not in detector.known_protocols
                or not finding.group.known
                or detector.unlike_skull(skull[name])
            ),
        }
        for scorer in detector.scorers:
            calibration = detector.scorers[scorer].calibration
            able = np.isfinite(calibration.threshold(alpha))
            row[f"score.{scorer}"] = finding.scores[scorer]
            row[f"flagged.{scorer}"] = bool(finding.p_values[scorer] <= alpha + 1e-12) if able else None
        row["flagged"] = row["flagged.residual"]
        rows.append(row)
    return pd.DataFrame(rows).set_index("subject")
