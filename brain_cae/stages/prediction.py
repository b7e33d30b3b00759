"""What a fitted model finds of the subjects that it has not seen, before anything is concluded from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd

from brain_cae.configuration import LeaveProtocolOut
from brain_cae.data.preprocess import to_source_space
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings, examine
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.detector.storage import save
from brain_cae.errors import DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.progress import track
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.harmonisation import carried, harmonised, harmonised_features, out_of_reach
from brain_cae.stages.transfer import Transfer, transfer
from brain_cae.transfer.features import select_arm
from brain_cae.vocabulary import UNSEEN_ROLES


@dataclass(frozen=True)
class Assessment:
    """What was found of the subjects, before anything is concluded from it.

    Attributes:
        table: One row per subject (index: subject): the columns of ``predictions.csv`` and those of each scorer.
        findings: By subject.
        features: One row per subject.
        harmonised: The same as the classifier saw each subject out of fold; None where features are not harmonised.
        unreached: Subjects whose images the remedy against scanners let pass unchanged.
        transfer: What the transfer classifier says.
        models: By subject the model that has judged it.
        cohort: With the images that the models have seen.
    """

    table: pd.DataFrame
    findings: dict[str, Findings]
    features: pd.DataFrame
    harmonised: pd.DataFrame | None
    unreached: list[str]
    transfer: Transfer
    models: dict[str, Detector]
    cohort: Cohort

    def among(self, subjects: Iterable[str]) -> "Assessment":
        """The same of these subjects alone."""
        names = self.table.index.intersection(list(subjects))
        return Assessment(
            self.table.loc[names].copy(),
            {name: self.findings[name] for name in names},
            self.features.loc[names],
            None if self.harmonised is None else self.harmonised.loc[names],
            [name for name in self.unreached if name in names],
            self.transfer,
            {name: self.models[name] for name in names},
            self.cohort,
        )


def assess(
    model: Detector,
    cohort: Cohort,
    splits: pd.DataFrame,
    folder: RunFolder,
    *,
    cache: str,
    model_run: Path | None = None,
    new_subjects: bool = False,
    for_patients: bool = True,
) -> Assessment:
    """Score every subject outside ``train`` and ``validation``, and classify it.

    Arguments are those of :func:`evaluate`; ``for_patients=False`` leaves out the classifier that is fitted on
    everybody and stored, which an outer fold has no use for.

    Writes ``features.csv``, ``tuning.csv``, the anomaly maps, and the classifier into ``model/``.

    Raises:
        DatasetError: No subject is left to evaluate.
    """
    roles = splits.set_index("subject")["role"]
    alone = isinstance(model.config.split, LeaveProtocolOut) and not new_subjects
    evaluated = [name for name in sorted(cohort.prepared) if roles.get(name) in UNSEEN_ROLES]
    if not evaluated or (alone and "test" not in set(roles[evaluated])):
        raise DatasetError("No subject is left to evaluate.", expected="subjects in the roles classifier or test")
    unharmonised = out_of_reach(model.harmoniser, cohort, evaluated)
    cohort = harmonised(model.harmoniser, cohort)
    with folder.stage("score"):
        findings = _score(model, cohort, evaluated, folder, FindingsCache(Path(cache) / "examined", model))
        table = _table(model, cohort, roles, findings)
        features = pd.DataFrame({name: e.features for name, e in findings.items()}).T
        folder.write_csv("features.csv", features.rename_axis("subject").reset_index())
    with folder.stage("transfer"):
        learnt = _learnt_by_classifier(model, cohort) if new_subjects else set()
        scanned = carried(model, cohort.acquisition.loc[evaluated], table["protocol"])
        chosen = transfer(
            model,
            table,
            features.join(scanned),
            new_subjects=new_subjects,
            learnt=learnt,
            for_patients=for_patients and model_run is None,
        )
        if not chosen.trials.empty:
            folder.write_csv("tuning.csv", chosen.trials)
        table["fold"], table["classifier_probability"] = chosen.folds, chosen.probabilities
        if chosen.fitted is not None:
            model.classifier = chosen.fitted
            taught = cohort.index[cohort.index["subject"].isin(chosen.taught)]
            model.seen |= dict.fromkeys(taught["series_hash"], "classifier")
            save(model, folder / "model")
        own = model.config.features
        arm = select_arm(features.join(scanned), own.name, own.levels)
        seen = harmonised_features(model, arm, table["label"], None if new_subjects else chosen.folds)
    return Assessment(table, findings, features, seen, unharmonised, chosen, dict.fromkeys(table.index, model), cohort)


def _learnt_by_classifier(model: Detector, cohort: Cohort) -> set[str]:
    """Subjects that the stored classifier has learnt from, whatever they are called now; a note says so."""
    seen = set(cohort.index[cohort.index["series_hash"].map(model.seen) == "classifier"]["subject"])
    if seen:
        cohort.notes.append(
            f"The classifier has learnt from {len(seen)} of these subjects; their probabilities are left out."
        )
    return seen


def _score(
    model: Detector, cohort: Cohort, names: list[str], folder: RunFolder, store: FindingsCache
) -> dict[str, Findings]:
    """What the model finds of each brain; anomaly maps are written on the way."""
    findings = {}
    for name in track(names, "score", bar=model.config.trainer.progress):
        subject = cohort.prepared[name]
        known = None if model.config.evaluation.maps else store.load(subject)
        if known is not None:
            findings[name] = known
            continue
        findings[name], maps, joint_map = examine(model, subject)
        store.keep(subject, findings[name])
        if model.config.evaluation.maps:
            named = {**dict(zip(model.config.modality.names, maps, strict=True)), "all": joint_map}
            for modality, values in named.items():
                # Two decimals are finer than any reader needs and compress to a third.
                image = to_source_space(np.round(values, 2), subject)
                folder.write(f"anomaly_maps/{name}_{modality}.nii.gz", partial(nibabel.save, image))
    return findings


def _table(model: Detector, cohort: Cohort, roles: pd.Series, findings: dict[str, Findings]) -> pd.DataFrame:
    """One row per evaluated subject (index: subject)."""
    alpha = model.config.scoring.alpha
    first = cohort.index.groupby("subject")[["session", "source", "label"]].first().loc[list(findings)]
    protocols = model.protocols.assign(cohort.acquisition.loc[list(findings)])
    threshold = model.scorers["residual"].calibration.threshold(alpha)
    skull = cohort.skull
    rows = []
    for name, examination in findings.items():
        row: dict[str, Any] = {
            "subject": name,
            **{str(column): first.at[name, column] for column in first},
            "protocol": protocols[name],
            "reshape_group": examination.group.name,
            "role": roles[name],
            "score": examination.scores["residual"],
            "p_value": examination.p_values["residual"],
            "threshold": threshold if np.isfinite(threshold) else None,
            "out_of_calibration": bool(
                protocols[name] not in model.known_protocols
                or not examination.group.known
                or model.unlike_skull(skull[name])
            ),
        }
        for scorer in model.scorers:
            calibration = model.scorers[scorer].calibration
            able = np.isfinite(calibration.threshold(alpha))
            row[f"score.{scorer}"] = examination.scores[scorer]
            row[f"flagged.{scorer}"] = bool(examination.p_values[scorer] <= alpha + 1e-12) if able else None
        row["flagged"] = row["flagged.residual"]
        rows.append(row)
    return pd.DataFrame(rows).set_index("subject")
