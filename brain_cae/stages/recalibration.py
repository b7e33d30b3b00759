"""Recalibration of a detector for another scanner: a new reference and new thresholds for the same network."""

import logging
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd

from brain_cae.data.splits import check_leakage
from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.detector import Detector
from brain_cae.errors import LeakageError
from brain_cae.executor import HERE, Executor
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.scans.sources.base import agreeing, some
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.stages.calibration import calibrate
from brain_cae.stages.cautions import calibration_cautions, crossfit_cautions
from brain_cae.stages.cohort import Cohort

log = logging.getLogger(__name__)


def recalibrated(
    detector: Detector, local: Cohort, scored: pd.DataFrame, *, origin: str, executor: Executor = HERE
) -> Detector:
    """Return a detector with healthy reference, calibration scores and thresholds of local healthy brains.

    Protocols, dimensions and skull states are known if they occur in the local brains. The transfer classifier is left
    out: it was trained on features from other scanners, computed with the old reference.

    Args:
        detector: Detector of the run; it is not changed.
        local: Only healthy brains, prepared and harmonised.
        scored: Rows of the index of the subjects to score.
        origin: Origin of the local brains, for the cautions.
        executor: Where brains are worked on.
    """
    alone = replace(detector, folds=[])  # new to all networks, local brains calibrate one of them exactly
    names, rule = sorted(local.prepared), detector.guarantee
    subjects = local.subjects(names)
    calibrating, reference = halves(subjects, rule)
    before = len(detector.scorers["residual"].calibration.scores)
    reshape = deepcopy(detector.reshape)
    reshape.know([subject.native_shape for subject in subjects])
    protocols = ProtocolGroups.fit(local.acquisition)
    seen = {content: role for content, role in detector.seen.items() if role != "classifier"}
    outdated = [*calibration_cautions(before, rule), *crossfit_cautions(detector.config)]
    calibrated = replace(
        alone,
        reshape=reshape,
        scorers={},
        encoder_references={},
        protocols=protocols,
        known_protocols=sorted(set(protocols.assign(local.acquisition))),
        skull=sorted(set(local.skull)),
        sites=sorted(set(local.sites)),
        local=True,
        seen=seen | dict.fromkeys(local.index["series_hash"], "validation"),
        prints=np.concatenate([detector.prints, local.fingerprints(names)]),
        classifier=None,
    )
    calibrate(calibrated, calibrating, executor, reference=reference)
    cautions = [
        *(caution for caution in detector.cautions if caution not in outdated),
        *_changes(detector, origin, len(names), before),
        *_how(calibrating, reference, rule),
        *(type(caution)(f"Calibration: {caution}") for caution in local.cautions),
        *calibration_cautions(len(calibrating), rule),
        *_shared_names(local, scored),
    ]
    return replace(calibrated, cautions=cautions)


def halves(
    subjects: list[PreparedSubject], rule: Guarantee
) -> tuple[list[PreparedSubject], list[PreparedSubject] | None]:
    """Return the local brains that calibrate, and those of the reference, alternating in the order of their names.

    With too few to be halved all of them calibrate, without a reference (None): each is compared with the others.
    """
    needed = replace(rule, kind="probable").needed()
    if len(subjects) < 2 * needed:
        return subjects, None
    return subjects[::2], subjects[1::2]


def _how(calibrating: list[PreparedSubject], reference: list[PreparedSubject] | None, rule: Guarantee) -> list[str]:
    """Return the caution about the kind of calibration."""
    if reference is not None:
        return [
            f"{len(reference)} of the local brains are the healthy reference, the other {len(calibrating)} calibrate."
        ]
    needed = 2 * replace(rule, kind="probable").needed()
    return [
        f"The {len(calibrating)} local brains are both reference and calibration: each is compared with the others "
        f"(leave-one-out), so p-values and bounds are approximations. From {needed} local brains on they are halved."
    ]


def healthy_only(local: Cohort) -> Cohort:
    """Return the cohort with only healthy brains: those labelled healthy, or all if no subject has a label."""
    labels = local.index["label"]
    if (labels == "unknown").all():
        return replace(local, index=local.index.assign(label="healthy"))
    cautions = local.cautions
    if others := sorted(set(local.index.loc[labels != "healthy", "subject"])):
        left_out = agreeing(len(others), "{subject is|subjects are} not labelled healthy and {is|are} left out")
        cautions = [*cautions, f"{left_out}: {', '.join(others[:5])}."]
    return replace(local, index=local.index[labels == "healthy"].reset_index(drop=True), cautions=cautions)


def refuse_overlap(detector: Detector, local: Cohort, scored: pd.DataFrame) -> None:
    """Check that calibration brains are new to the network and are not scored themselves.

    Args:
        detector: Detector of the run.
        local: Calibration brains.
        scored: Rows of the index of the subjects to score.

    Raises:
        LeakageError: The network was trained on a calibration brain, or one of them would also be scored.
    """
    trained = local.index[local.index["series_hash"].map(detector.seen) == "train"]
    if len(trained):
        names = sorted(set(trained["subject"]))
        raise LeakageError(
            "The network was trained on some of the calibration brains.",
            expected="healthy brains that the network has not seen: it reconstructs training brains too well",
            found=f"{agreeing(len(names), '{training brain|training brains}')}: {some(names)}",
            where="calibrate",
            advice="Remove them from the calibration data.",
        )
    # Two data sets may use the same names for different subjects.
    calibrating = local.index.assign(subject="calibrate/" + local.index["subject"])
    shared = scored[scored["series_hash"].isin(calibrating["series_hash"])]
    roles = [
        *((name, "validation") for name in set(calibrating["subject"])),
        *((name, "test") for name in shared["subject"]),
    ]
    splits = pd.DataFrame(sorted(set(roles)), columns=["subject", "role"])
    check_leakage(splits, pd.concat([calibrating, shared], ignore_index=True))


def _shared_names(local: Cohort, scored: pd.DataFrame) -> list[str]:
    """Return the caution about subjects that have the same name as a calibration subject."""
    names = sorted(set(local.index["subject"]) & set(scored["subject"]))
    if not names:
        return []
    return [
        agreeing(len(names), "{subject has|subjects have} the same name as a calibration subject: ")
        + f"{some(names)}. If they are the same people, their p-values are too high."
    ]


def _changes(detector: Detector, origin: str, brains: int, before: int) -> list[str]:
    """Return the cautions about the new calibration and the missing classifier; they are also logged."""
    cautions = [
        f"Healthy reference, thresholds and p-values come from {brains} local healthy brains ({origin}), not from "
        f"the {before} of the run; the network is unchanged."
    ]
    if detector.folds:
        cautions.append(
            f"Of {len(detector.folds) + 1} cross-fitted networks only the first is used: local brains are new to it."
        )
    if detector.classifier is not None:
        cautions.append(
            "The transfer classifier is left out: it was trained on features from the scanners of the run, computed "
            "with the healthy reference of the run."
        )
    for caution in cautions:
        log.info(caution)
    return cautions
