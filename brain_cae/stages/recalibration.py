"""A detector for another scanner: reference and thresholds from its healthy brains, the network as it was."""

import logging
from copy import deepcopy
from dataclasses import replace

import pandas as pd

from brain_cae.data.splits import check_leakage
from brain_cae.detector.detector import Detector
from brain_cae.errors import LeakageError
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.stages.cautions import calibration_cautions
from brain_cae.stages.cohort import Cohort

log = logging.getLogger(__name__)


def recalibrated(detector: Detector, local: Cohort, scored: pd.DataFrame, *, origin: str) -> Detector:
    """The detector with healthy reference, calibration scores and thresholds of local healthy brains.

    Protocols, dimensions and the state of the skull count as known where the local brains show them. The transfer
    classifier is left out: it has learnt from features of other scanners, which were taken against the other
    reference.

    Args:
        detector: Of the run; stays as it is.
        local: Healthy brains alone, prepared and harmonised.
        scored: Rows of the index whose subjects are to be scored.
        origin: Where the local brains come from, for the cautions.
    """
    names, alpha = sorted(local.prepared), detector.config.scoring.alpha
    subjects = local.subjects(names)
    before = len(detector.scorers["residual"].calibration.scores)
    reshape = deepcopy(detector.reshape)
    reshape.know([subject.native_shape for subject in subjects])
    protocols = ProtocolGroups.fit(local.acquisition)
    seen = {content: role for content, role in detector.seen.items() if role != "classifier"}
    outdated = calibration_cautions(before, alpha)
    calibrated = replace(
        detector,
        reshape=reshape,
        scorers={},
        encoder_references={},
        protocols=protocols,
        known_protocols=sorted(set(protocols.assign(local.acquisition))),
        skull=sorted(set(local.skull)),
        seen=seen | dict.fromkeys(local.index["series_hash"], "validation"),
        classifier=None,
    )
    calibrated.calibrate(subjects)
    cautions = [
        *(caution for caution in detector.cautions if caution not in outdated),
        *_what_changed(detector, origin, len(names), before),
        *(f"Calibration: {note}" for note in local.notes),
        *calibration_cautions(len(names), alpha),
        *_namesakes(local, scored),
    ]
    return replace(calibrated, cautions=cautions)


def healthy_only(local: Cohort) -> Cohort:
    """Every brain counts as healthy unless the labels say otherwise; what they leave open does not calibrate."""
    labels = local.index["label"]
    if (labels == "unknown").all():
        return replace(local, index=local.index.assign(label="healthy"))
    notes = local.notes
    if others := sorted(set(local.index.loc[labels != "healthy", "subject"])):
        left_out = f"{len(others)} subjects are not labelled healthy and are left out: {', '.join(others[:5])}."
        notes = [*notes, left_out]
    return replace(local, index=local.index[labels == "healthy"].reset_index(drop=True), notes=notes)


def refuse_overlap(detector: Detector, local: Cohort, scored: pd.DataFrame) -> None:
    """Brains that calibrate must be new to the network, and must not be scored by what they have calibrated.

    Args:
        detector: Of the run.
        local: The brains that are to calibrate.
        scored: Rows of the index whose subjects are to be scored.

    Raises:
        LeakageError: The network has learnt from one of them, or one is to be scored as well.
    """
    learnt = local.index[local.index["series_hash"].map(detector.seen) == "train"]
    if len(learnt):
        names = sorted(set(learnt["subject"]))
        raise LeakageError(
            "The network has learnt from some of the brains that are to calibrate it.",
            expected="healthy brains that it has never seen: what it knows it reconstructs too well",
            found=f"{len(names)} that it has, among them {', '.join(names[:5])}",
            where="calibrate",
            advice="Take them out.",
        )
    # Two folders may use the same names for different people.
    calibrating = local.index.assign(subject="calibrate/" + local.index["subject"])
    shared = scored[scored["series_hash"].isin(calibrating["series_hash"])]
    roles = [
        *((name, "validation") for name in set(calibrating["subject"])),
        *((name, "test") for name in shared["subject"]),
    ]
    splits = pd.DataFrame(sorted(set(roles)), columns=["subject", "role"])
    check_leakage(splits, pd.concat([calibrating, shared], ignore_index=True))


def _namesakes(local: Cohort, scored: pd.DataFrame) -> list[str]:
    names = sorted(set(local.index["subject"]) & set(scored["subject"]))
    if not names:
        return []
    return [
        f"{len(names)} subjects bear the name of one that calibrates, among them {', '.join(names[:5])}: if they are "
        "the same people, their p-values are too high."
    ]


def _what_changed(detector: Detector, origin: str, brains: int, before: int) -> list[str]:
    """Whose brains calibrate now, and what was left out; logged as well."""
    cautions = [
        f"Healthy reference, thresholds and p-values come from {brains} local healthy brains ({origin}), not from "
        f"the {before} of the run; the network is the run's."
    ]
    if detector.classifier is not None:
        cautions.append(
            "The transfer classifier is left out: it has learnt from features of the run's scanners, taken against the "
            "run's healthy reference."
        )
    for caution in cautions:
        log.info(caution)
    return cautions
