"""Preparation of imported scans, with cautions about subjects that were lost or are incomplete."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config
from brain_cae.data.alignments import Alignments, AlignmentStore
from brain_cae.data.foreground import CONSTANT_SHARE, skull_state
from brain_cae.data.prepared import PreparedStore
from brain_cae.data.stripping import BrainMasks
from brain_cae.data.subject import PreparedSubject
from brain_cae.executor import Executor
from brain_cae.scans.sources.base import counted
from brain_cae.stages.alignment import movement_cautions, shape_cautions, with_alignments
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.masks import mask_cautions
from brain_cae.stages.shown import (
    contrast_cautions,
    contrast_lost_cautions,
    coverage_cautions,
    shading_cautions,
    with_shown,
    wrong_contrasts,
)
from brain_cae.stages.stripping import false_skull_cautions, head_cautions, refuse_mixed_skulls

log = logging.getLogger(__name__)

MIN_COVERED = 0.99
"""Minimum share of the brain that a modality must cover; above it only the rim can be missing."""


@dataclass(frozen=True)
class Preparation:
    """The steps from imported scans to prepared subjects, each with its cache.

    Attributes:
        alignments: Registration of each subject's scans; None if their headers are believed.
        masks: Brain masks that the data set lacks.
        prepared: Prepared subjects.
    """

    alignments: AlignmentStore | None
    masks: BrainMasks
    prepared: PreparedStore


def make_preparation(config: Config, cache: str, executor: Executor) -> Preparation:
    """Return the steps of this configuration.

    Args:
        config: Configuration of the run, or of the model.
        cache: Folder of all caches.
        executor: Where subjects are worked on.
    """
    folder, modality = Path(cache), config.modality
    aligned = config.preprocess.align == "rigid" and len(modality.names) > 1
    return Preparation(
        alignments=AlignmentStore(folder / "aligned", modality.reference, executor) if aligned else None,
        masks=BrainMasks(folder / "brain_masks", config.preprocess.skull_strip, modality.reference, executor),
        prepared=PreparedStore(
            folder / "prepared",
            modalities=modality.names,
            reference=modality.reference,
            scaling=config.preprocess.scaling,
            bias_correction=config.preprocess.bias_correction,
            executor=executor,
        ),
    )


def prepare(cohort: Cohort, steps: Preparation, *, progress: bool) -> Cohort:
    """Return the cohort with prepared subjects: scans aligned, skulls stripped, one grid, scaled intensities.

    Subjects that fail are removed from the index and marked as refused in the report.

    Raises:
        DatasetError: The skull is on in some of the subjects and stripped in others.
        ConfigurationError: A scan must be stripped, but the tool is not installed.
    """
    index, refused = cohort.index, dict[str, str]()
    alignments: dict[str, Alignments] = {}
    if steps.alignments is not None:
        used = index[index["modality"].isin(cohort.modalities)]
        alignments, refused = steps.alignments.load_all(used, progress=progress)
    index, without_mask = steps.masks.complete(_without(index, refused), progress=progress)
    refused |= without_mask
    prepared, unprepared = steps.prepared.load_all(_without(index, refused), alignments, progress=progress)
    refused |= unprepared | wrong_contrasts(index, prepared)
    cohort = replace(
        cohort,
        index=_with_skulls(index, prepared),
        report=with_shown(with_alignments(cohort.report, alignments), prepared),
        prepared=prepared,
    ).without(refused)
    if refused:
        log.warning(cohort.cautions[-1])  # each was named when it failed, among the others that did not
    prepared = cohort.prepared
    refuse_mixed_skulls(cohort.skull)
    cautions = [
        *head_cautions(cohort.skull),
        *false_skull_cautions(cohort.skull, prepared),
        *movement_cautions(alignments),
        *shape_cautions(alignments),
        *contrast_cautions(cohort.index, prepared),
        *contrast_lost_cautions(prepared),
        *shading_cautions(prepared),
        *coverage_cautions(cohort.index, prepared),
        *_incomplete_images(cohort),
        *mask_cautions(cohort.labels, prepared),
    ]
    return replace(cohort, cautions=[*cohort.cautions, *cautions])


def _without(index: pd.DataFrame, refused: Mapping[str, str]) -> pd.DataFrame:
    return index[~index["subject"].isin(refused)].reset_index(drop=True)


def _with_skulls(index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> pd.DataFrame:
    """Return the index with unknown skull states replaced by those estimated from foreground and background."""
    index = index.copy()
    unknown = index["skull"] == "unknown"
    unknown &= index["subject"].isin(list(prepared))
    estimated = index.loc[unknown, "subject"].map(lambda name: _estimated_state(prepared[name]))
    index.loc[unknown, "skull"] = estimated.astype(object)
    index.loc[unknown & (index["skull"] == "stripped"), "stripped_by"] = "delivered"
    return index


def _estimated_state(subject: PreparedSubject) -> str:
    return skull_state(
        subject.foreground_ml,
        shortest_mm=min(subject.appearance[f"mask_extent_{axis}_mm"] for axis in "xyz"),
        constant=subject.appearance["background_same"] >= CONSTANT_SHARE,
    )


def _incomplete_images(cohort: Cohort) -> list[str]:
    """Return cautions about brains that a modality covers only partly; they are also logged."""
    affected: dict[str, list[str]] = {}
    for modality in cohort.modalities:
        shares = {name: subject.appearance.get(f"{modality}_covered", 1.0) for name, subject in cohort.prepared.items()}
        if part := [name for name, share in shares.items() if share < MIN_COVERED]:
            least = 100 * min(shares.values())
            text = (
                f"{{subject has|subjects have}} a {modality} that covers only part of the brain (down to {least:.0f} %)"
            )
            affected[f"{text}; the rest is left out of scores and maps"] = part
    cautions = counted(affected)
    for caution in cautions:
        log.warning(caution)
    return cautions
