"""From imported scans to prepared subjects, and what the reader must know about those that were lost or cut."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config
from brain_cae.data.brain_masks import BrainMasks
from brain_cae.data.foreground import skull_state
from brain_cae.data.prepared import PreparedStore
from brain_cae.data.preprocess import PreparedSubject
from brain_cae.scans.sources.base import counted
from brain_cae.stages.cohort import Cohort

log = logging.getLogger(__name__)

NEARLY_ALL = 0.99
"""A modality that shows this share of the brain loses its rim at most."""


def prepared_store(config: Config, cache: str) -> PreparedStore:
    """Where the prepared subjects of this configuration lie."""
    return PreparedStore(
        Path(cache) / "prepared",
        modalities=config.modality.names,
        reference=config.modality.reference,
        scaling=config.preprocess.scaling,
        masks=BrainMasks(Path(cache) / "brain_masks", config.preprocess.skull_strip, config.modality.reference),
    )


def prepare(cohort: Cohort, store: PreparedStore, *, progress: bool) -> Cohort:
    """Strip skulls if asked to and prepare every subject; failures are named in the report and leave the index."""
    index, without_mask = store.masks.complete(cohort.index, progress=progress)
    prepared, refused = store.load_all(index[~index["subject"].isin(without_mask)], progress=progress)
    refused = {**without_mask, **refused}
    index = index[~index["subject"].isin(refused)].reset_index(drop=True)
    index = _with_skulls(index, prepared)
    cohort = replace(
        cohort,
        index=index,
        report=_with_refusals(cohort.report, refused, cohort.modalities),
        prepared=prepared,
    )
    notes = [*_refusals(refused), *_mixed_skulls(cohort.skull), *_incomplete_images(cohort)]
    return replace(cohort, notes=[*cohort.notes, *notes])


def _with_refusals(report: pd.DataFrame, refused: Mapping[str, str], modalities: list[str]) -> pd.DataFrame:
    report = report.copy()
    for subject, reason in refused.items():
        rows = (report["subject"] == subject) & report["modality"].isin(modalities)
        report.loc[rows, ["status", "reason"]] = ["refused", reason]
    return report


def _refusals(refused: Mapping[str, str]) -> list[str]:
    if not refused:
        return []
    first = "; ".join(f"{subject}: {reason}" for subject, reason in list(refused.items())[:5])
    return [f"{len(refused)} subjects could not be prepared and are left out: {first}."]


def _with_skulls(index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> pd.DataFrame:
    """Where the source does not say whether the skull is on, the size of the foreground decides."""
    index = index.copy()
    unsaid = index["skull"] == "unknown"
    measured = index.loc[unsaid, "subject"].map(lambda name: skull_state(prepared[name].foreground_ml))
    index.loc[unsaid, "skull"] = measured.astype(object)
    return index


def _mixed_skulls(skull: pd.Series) -> list[str]:
    """The caution where some skulls (index: subject) are on and others are stripped."""
    states = sorted(set(skull) - {"unknown"})
    if states != ["on", "stripped"]:
        return []
    names = "; ".join(f"{state}: {', '.join(skull.index[skull == state][:5])}" for state in states)
    note = (
        f"Skulls are on in some scans and stripped in others ({names}): what differs between these is the "
        "state, not the disease. Bring all into one state (preprocess.skull_strip, or brain masks)."
    )
    log.warning(note)
    return [note]


def _incomplete_images(cohort: Cohort) -> list[str]:
    """What the subjects' figures leave out: brain that a modality does not show, lesion masks that mark nothing."""
    affected: dict[str, list[str]] = {}
    for modality in cohort.modalities:
        shares = {name: subject.appearance.get(f"{modality}_covered", 1.0) for name, subject in cohort.prepared.items()}
        if part := [name for name, share in shares.items() if share < NEARLY_ALL]:
            least = 100 * min(shares.values())
            text = f"subjects of whose brain {modality} shows only a part (down to {least:.0f} %)"
            affected[f"{text}, the rest being left out of scores and maps"] = part
    empty = [
        name for name, subject in cohort.prepared.items() if subject.lesion is not None and not subject.lesion.any()
    ]
    abnormal = cohort.labels.reindex(empty) == "abnormal"
    text = "abnormal subjects whose lesion mask marks nothing: they count for detection and not for localisation"
    affected[text] = list(abnormal.index[abnormal])
    return counted(affected)
