"""Cautions: what a reader must know before any figure. Every one of them is worded here."""

import logging
from typing import TYPE_CHECKING

import pandas as pd

from brain_cae.configuration import Config, calibration_needed
from brain_cae.scans.protocol import UNKNOWN
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.roles import protocols_of

if TYPE_CHECKING:
    from brain_cae.detector.detector import Detector  # needs PyTorch, which an inspection does not load

log = logging.getLogger(__name__)

ADVISED = 40
FEW = 20
"""Healthy brains that calibrate: advised, and the least that go without a caution."""


def protocol_cautions(config: Config, index: pd.DataFrame, splits: pd.DataFrame) -> list[str]:
    """What must be said of figures that count a held-out protocol alone."""
    if not config.split.holds_out_protocol:
        return []
    tested = splits.loc[splits["role"] == "test", "subject"]
    labels = index.groupby("subject")["label"].first()[tested]
    protocols = protocols_of(config, index)
    cautions = [
        f"{protocols[tested].iloc[0]} is held out: figures count its {int((labels == 'healthy').sum())} healthy and "
        f"{int((labels == 'abnormal').sum())} abnormal subjects alone, and the transfer classifier has learnt from "
        f"other protocols alone, whatever evaluation={config.evaluation.name} says."
    ]
    if unknown := int((protocols == UNKNOWN).sum()):
        cautions.append(
            f"{unknown} subjects whose headers name no protocol are among the others: some may have been scanned as "
            "those that are held out."
        )
    return cautions


def calibration_cautions(brains: int, alpha: float) -> list[str]:
    """What must be said of p-values and thresholds that rest on so many healthy brains."""
    cautions = []
    if brains < FEW:
        cautions.append(
            f"Only {brains} healthy brains calibrate the threshold ({FEW} are the least, {ADVISED} advised): "
            "p-values are coarse and the voxel statistics uncertain."
        )
    if brains < (needed := calibration_needed(alpha)):
        cautions.append(
            f"Nothing can be flagged: the smallest p-value of {brains} healthy brains is 1/{brains + 1}; "
            f"scoring.alpha={alpha:g} needs at least {needed} of them."
        )
    return cautions


def training_cautions(config: Config, cohort: Cohort, splits: pd.DataFrame) -> list[str]:
    """What a reader must see before any figure."""
    cautions = [*cohort.notes, *protocol_cautions(config, cohort.index, splits)]
    counts = splits["role"].value_counts()
    cautions += calibration_cautions(int(counts.get("validation", 0)), config.scoring.alpha)
    without = sorted(set(cohort.labels.index) - set(splits["subject"]))
    if without:
        cautions.append(f"{len(without)} subjects have no role and are left out: {', '.join(without[:5])}.")
    if (sources := _unshared_sources(cohort)) is not None:
        cautions.append(sources)
    for caution in cautions[len(cohort.notes) :]:
        log.warning(caution)
    return cautions


def _unshared_sources(cohort: Cohort) -> str | None:
    subjects = cohort.index.groupby("subject")[["label", "source"]].first()
    known = subjects[subjects["label"] != "unknown"]
    if known["source"].nunique() < 2 or (known.groupby("source")["label"].nunique() > 1).any():
        return None
    return (
        "No source holds both classes: label equals source, and no audit can separate disease from scanner. "
        "The between-class figures are no evidence; maps, localisation and false alarms on healthy brains are."
    )


def skull_cautions(detector: "Detector", skull: pd.Series) -> list[str]:
    """What must be said where skulls (index: subject) are in another state than the calibration brains'."""
    state = " or ".join(detector.skull)
    unlike = skull[[detector.unlike_skull(state) for state in skull]]
    cautions = []
    if len(unlike):
        cautions.append(
            f"In {len(unlike)} of these subjects the skull is {' or '.join(sorted(set(unlike)))}, in the brains "
            f"that calibrate it is {state}: their scores and p-values mean nothing. Bring both into the same state."
        )
    unsaid = int((skull == "unknown").sum())
    if unsaid and detector.skull and "unknown" not in detector.skull:
        cautions.append(
            f"Whether the skull is on is not known of {unsaid} of these subjects; in the brains that calibrate it is "
            f"{state}. Scores can be compared only between scans in the same state."
        )
    return cautions


def harmonise_cautions(unreached: list[str], evaluated: int) -> list[str]:
    """What must be said of subjects whose images passed unchanged."""
    if not unreached:
        return []
    return [
        f"The images of {len(unreached)} of {evaluated} subjects were acquired more coarsely than the healthy training "
        f"brains and could not be harmonised: {', '.join(unreached[:5])}."
    ]


def nested_cautions(table: pd.DataFrame) -> list[str]:
    """What must be said of a nested evaluation, whose ``table`` has the outer fold of each subject as ``fold``."""
    return [
        f"Every figure is of {table['fold'].nunique()} outer folds, each with an autoencoder of its own, in "
        "outer/; thresholds, groups and costs shown are those of the stored model, which no figure judges."
    ]
