"""Preparation of imported scans, with cautions about subjects that were lost or are incomplete."""

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

MIN_COVERED = 0.99
"""Minimum share of the brain that a modality must cover; above it only the rim can be missing."""


def prepared_store(config: Config, cache: str) -> PreparedStore:
    """Return the store of prepared subjects for this configuration."""
    return PreparedStore(
        Path(cache) / "prepared",
        modalities=config.modality.names,
        reference=config.modality.reference,
        scaling=config.preprocess.scaling,
        masks=BrainMasks(Path(cache) / "brain_masks", config.preprocess.skull_strip, config.modality.reference),
    )


def prepare(cohort: Cohort, store: PreparedStore, *, progress: bool) -> Cohort:
    """Return the cohort with prepared subjects, skulls stripped if configured.

    Subjects that fail are removed from the index and marked as refused in the report.
    """
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
    cautions = [*_refused_subjects(refused), *_mixed_skulls(cohort.skull), *_incomplete_images(cohort)]
    return replace(cohort, cautions=[*cohort.cautions, *cautions])


def _with_refusals(report: pd.DataFrame, refused: Mapping[str, str], modalities: list[str]) -> pd.DataFrame:
    report = report.copy()
    for subject, reason in refused.items():
        rows = (report["subject"] == subject) & report["modality"].isin(modalities)
        report.loc[rows, ["status", "reason"]] = ["refused", reason]
    return report


def _refused_subjects(refused: Mapping[str, str]) -> list[str]:
    if not refused:
        return []
    first = "; ".join(f"{subject}: {reason}" for subject, reason in list(refused.items())[:5])
    return [f"{len(refused)} subjects could not be prepared and are left out: {first}."]


def _with_skulls(index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> pd.DataFrame:
    """Return the index with unknown skull states replaced by those estimated from the foreground volume."""
    index = index.copy()
    unknown = index["skull"] == "unknown"
    estimated = index.loc[unknown, "subject"].map(lambda name: skull_state(prepared[name].foreground_ml))
    index.loc[unknown, "skull"] = estimated.astype(object)
    return index


def _mixed_skulls(skull: pd.Series) -> list[str]:
    """Return a caution if the skull is on in some subjects and stripped in others (index: subject)."""
    states = sorted(set(skull) - {"unknown"})
    if states != ["on", "stripped"]:
        return []
    names = "; ".join(f"{state}: {', '.join(skull.index[skull == state][:5])}" for state in states)
    caution = (
        f"Skulls are on in some scans and stripped in others ({names}): differences between them are due to the "
        "skull state, not the disease. Use one state for all (preprocess.skull_strip, or brain masks)."
    )
    log.warning(caution)
    return [caution]


def _incomplete_images(cohort: Cohort) -> list[str]:
    """Return cautions about brains that a modality covers only partly, and about empty lesion masks."""
    affected: dict[str, list[str]] = {}
    for modality in cohort.modalities:
        shares = {name: subject.appearance.get(f"{modality}_covered", 1.0) for name, subject in cohort.prepared.items()}
        if part := [name for name, share in shares.items() if share < MIN_COVERED]:
            least = 100 * min(shares.values())
            text = f"subjects have a {modality} that covers only a part of the brain (down to {least:.0f} %)"
            affected[f"{text}; the rest is left out of scores and maps"] = part
    empty = [
        name for name, subject in cohort.prepared.items() if subject.lesion is not None and not subject.lesion.any()
    ]
    abnormal = cohort.labels.reindex(empty) == "abnormal"
    text = "abnormal subjects have an empty lesion mask and count for detection but not for localisation"
    affected[text] = list(abnormal.index[abnormal])
    return counted(affected)
