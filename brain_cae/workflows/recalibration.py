"""What a score is compared with: the healthy brains that calibrate, and their exchange for those of another scanner."""

import logging

import pandas as pd

from brain_cae.configuration import EvaluateConfig, dataset_option
from brain_cae.data.splits import check_leakage
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import save
from brain_cae.errors import DatasetError, LeakageError
from brain_cae.files.run_folder import RunFolder
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.stages.cautions import ADVISED, FEW, calibration_cautions
from brain_cae.stages.cohort import Cohort, import_cohort, prepared_store
from brain_cae.stages.harmonisation import harmonised

log = logging.getLogger(__name__)

FEWEST = 2


def recalibrate(model: Detector, config: EvaluateConfig, scored: pd.DataFrame, folder: RunFolder) -> None:
    """Fit healthy reference, calibration scores and thresholds anew on local healthy brains; the network stays.

    Protocols, dimensions and the state of the skull count as known where the local brains show them. The transfer
    classifier leaves the model: it has learnt from features of other scanners, which were taken against the other
    reference. The model and the tables of the import are written to ``model/`` and ``calibration/`` of ``folder``.

    Args:
        model: Changed in place.
        config: ``calibrate`` is a folder in the layout of ``dataset=folder``.
        scored: Rows of the index whose subjects are to be scored.
        folder: Of the evaluation.

    Raises:
        DatasetError: There are fewer than two healthy brains.
        LeakageError: The network has learnt from one of them, or one is to be scored as well.
    """
    assert config.calibrate is not None
    own = model.config
    local = import_cohort(
        dataset_option("folder", root=config.calibrate),
        own,
        cache=config.cache,
        workers=config.workers,
    )
    _keep_healthy(local)
    _refuse_overlap(model, local, scored)
    local.prepare(prepared_store(own, config.cache), progress=own.trainer.progress)
    folder.write_csv("calibration/import_report.csv", local.report)
    folder.write_csv("calibration/index.csv", local.index)
    local = harmonised(model.harmoniser, local)
    names = sorted(local.prepared)
    if len(names) < FEWEST:
        raise DatasetError(
            "There are too few healthy brains to calibrate with.",
            expected=f"at least {FEWEST}, {FEW} to be of use, {ADVISED} advised",
            found=str(len(names)),
            where=f"calibrate={config.calibrate}",
            advice=f"See {folder / 'calibration' / 'import_report.csv'} for what was left out, and why.",
        )
    before = len(model.scorers["residual"].calibration.scores)
    outdated = calibration_cautions(before, own.scoring.alpha)
    subjects = local.subjects(names)
    model.reshape.know([subject.native_shape for subject in subjects])
    model.calibrate(subjects)
    model.protocols = ProtocolGroups.fit(local.acquisition)
    model.known_protocols = sorted(set(model.protocols.assign(local.acquisition)))
    model.skull = sorted(set(local.skull))
    model.seen = {content: role for content, role in model.seen.items() if role != "classifier"}
    model.seen |= dict.fromkeys(local.index["series_hash"], "validation")
    model.cautions = [
        *(caution for caution in model.cautions if caution not in outdated),
        *_news(model, config.calibrate, len(names), before),
        *(f"Calibration: {note}" for note in local.notes),
        *calibration_cautions(len(names), own.scoring.alpha),
        *_namesakes(local, scored),
    ]
    model.classifier = None
    save(model, folder / "model")


def _keep_healthy(local: Cohort) -> None:
    """Every brain counts as healthy unless the labels say otherwise; what they leave open does not calibrate."""
    labels = local.index["label"]
    if (labels == "unknown").all():
        local.index = local.index.assign(label="healthy")
        return
    others = sorted(set(local.index.loc[labels != "healthy", "subject"]))
    if others:
        local.notes.append(
            f"{len(others)} subjects are not labelled healthy and are left out: {', '.join(others[:5])}."
        )
    local.index = local.index[labels == "healthy"].reset_index(drop=True)


def _refuse_overlap(model: Detector, local: Cohort, scored: pd.DataFrame) -> None:
    """Brains that calibrate must be new to the network, and must not be scored by what they have calibrated."""
    learnt = local.index[local.index["series_hash"].map(model.seen) == "train"]
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
    ours = local.index.assign(subject="calibrate/" + local.index["subject"])
    shared = scored[scored["series_hash"].isin(ours["series_hash"])]
    roles = [*((name, "validation") for name in set(ours["subject"])), *((name, "test") for name in shared["subject"])]
    splits = pd.DataFrame(sorted(set(roles)), columns=["subject", "role"])
    check_leakage(splits, pd.concat([ours, shared], ignore_index=True))


def _namesakes(local: Cohort, scored: pd.DataFrame) -> list[str]:
    names = sorted(set(local.index["subject"]) & set(scored["subject"]))
    if not names:
        return []
    return [
        f"{len(names)} subjects bear the name of one that calibrates, among them {', '.join(names[:5])}: if they are "
        "the same people, their p-values are too high."
    ]


def _news(model: Detector, calibrate: str, brains: int, before: int) -> list[str]:
    cautions = [
        f"Healthy reference, thresholds and p-values come from {brains} local healthy brains ({calibrate}), not from "
        f"the {before} of the run; the network is the run's."
    ]
    if model.classifier is not None:
        cautions.append(
            "The transfer classifier is left out: it has learnt from features of the run's scanners, taken against the "
            "run's healthy reference."
        )
    for caution in cautions:
        log.info(caution)
    return cautions
