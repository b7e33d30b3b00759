"""The workflow of ``train.py`` after the preparation: split, reshape, train, calibrate, evaluate."""

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl

from brain_cae.configuration import Config, check_classes, classifier_option
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import save
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.tables import read_csv
from brain_cae.models.cost import Cost
from brain_cae.stages.calibration import calibrate
from brain_cae.stages.cautions import cohort_cautions, divergence_cautions, nested_cautions, training_cautions
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.executor import make_executor
from brain_cae.stages.fit import (
    MEMBERS,
    Assembly,
    assemble,
    copy_checkpoints,
    learn,
    member_checkpoint,
    member_folder,
    members,
    uncalibrated,
)
from brain_cae.stages.harmonisation import harmonise_images
from brain_cae.stages.records import Metrics
from brain_cae.stages.report import predictions
from brain_cae.stages.roles import split
from brain_cae.stages.scope import Scope
from brain_cae.vocabulary import HEALTHY_ROLES
from brain_cae.workflows.crossfit import FOLDS, fit_folds, refuse_harmonised
from brain_cae.workflows.evaluation import conclude, conclude_unseen, score_external, write_metrics
from brain_cae.workflows.nested import assess_nested
from brain_cae.workflows.scoring import score_trained

log = logging.getLogger(__name__)


def check(config: Config) -> None:
    """Check what takes too long before the import, so that errors are reported before the preparation.

    Raises:
        ConfigurationError: A class cannot be built, or choices exclude each other.
    """
    check_classes(config, [classifier_option(name) for name in config.transfer.compare])
    refuse_harmonised(config)


def learn_and_evaluate(config: Config, cohort: Cohort, folder: RunFolder) -> Metrics:
    """Return the metrics of a run whose scans are prepared; all its files are written to ``folder``.

    Raises:
        BrainCaeError: A stage failed for a reason that the user can correct; the message says how.
    """
    pl.seed_everything(config.seed, workers=True, verbose=False)
    splits = split(config, cohort)
    folder.write_csv("splits.csv", splits)
    detector = fit(config, splits, cohort, folder)
    metrics = _evaluate(config, detector, cohort, splits, folder)
    if config.external is not None:
        with folder.stage("external"):
            external = score_external(config, folder.path)
        write_metrics(folder, metrics, external)
    return metrics


def only_train(config: Config, cohort: Cohort, folder: RunFolder) -> None:
    """Take part in the training of the main process, which does everything else."""
    pl.seed_everything(config.seed, workers=True, verbose=False)
    splits = split(config, cohort)
    _, cohort = harmonise_images(config, cohort, members(splits, "train"))
    _learn(config, assemble(config, cohort, splits), folder)


def fit(config: Config, splits: pd.DataFrame, cohort: Cohort, folder: RunFolder) -> Detector:
    """Fit harmonisation, reshape, network, healthy reference and thresholds; can be called repeatedly in one process.

    Checkpoints, loss curves and the detector are written to ``folder``; those of cross-fitted detectors to
    ``folds/<number>`` in it. The transfer classifier is fitted by the evaluation, which decides which subjects it may
    use.
    """
    cautions = training_cautions(config, splits)
    if config.calibration.folds:
        detector = fit_folds(config, splits, cohort, folder, _fit)
    else:
        detector = _fit(config, splits, cohort, folder)
    cautions += divergence_cautions(losses_of(folder.path))
    detector = replace(detector, cautions=cautions)
    save(detector, folder / "model")
    return detector


def _fit(config: Config, splits: pd.DataFrame, cohort: Cohort, folder: RunFolder) -> Detector:
    """Return a detector that learnt from ``train`` and is calibrated with ``validation``; it is not written."""
    harmoniser, cohort = harmonise_images(config, cohort, members(splits, "train"))
    assembly = assemble(config, cohort, splits)
    with folder.stage("train"):
        cost = _learn(config, assembly, folder)
    detector = uncalibrated(config, splits, cohort, assembly, harmoniser=harmoniser, cost=cost)
    with folder.stage("calibrate"):
        train, validation = (cohort.subjects(members(splits, role)) for role in HEALTHY_ROLES)
        calibrate(detector, validation, make_executor(config), reference=train)
    return detector


def _learn(config: Config, assembly: Assembly, folder: RunFolder) -> Cost:
    """Train the networks of the assembly, and return the cost of the first; a resumed run continues."""
    resumed = copy_checkpoints(config, folder.path)
    costs = []
    for name in assembly.modules:
        place = member_folder(folder.path, name)
        place.mkdir(parents=True, exist_ok=True)
        if name:
            log.info("training: %s", name.partition("_")[2])
        costs.append(
            learn(
                config.trainer,
                assembly,
                place,
                modalities=config.modality.names,
                logger=config.logger,
                checkpoint=(None if name else resumed) or member_checkpoint(folder.path, name),
                name=name,
            )
        )
    return costs[0] if costs else Cost()


def losses_of(folder: Path) -> dict[str, list[float]]:
    """Return the losses of all epochs of each network of a run, by the path of its table."""
    tables = [path for fold in ("", f"{FOLDS}/*/") for path in folder.glob(f"{fold}training.csv")]
    tables += [path for fold in ("", f"{FOLDS}/*/") for path in folder.glob(f"{fold}{MEMBERS}/*/training.csv")]
    return {path.relative_to(folder).as_posix(): read_csv(path)["loss"].tolist() for path in sorted(tables)}


def _evaluate(config: Config, detector: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder) -> Metrics:
    """Evaluate on the unseen subjects or, in a nested evaluation, on all subjects with the outer folds' detectors."""
    executor = make_executor(config)
    detector, assessment = score_trained(detector, cohort, splits, folder, cache=config.cache, executor=executor)
    cautions = cohort_cautions(config, cohort, splits)
    if not config.evaluation.refits_everything:
        return conclude_unseen(detector, assessment, Scope(splits, cautions=tuple(cautions)), folder)
    stored = assessment.transfer
    with folder.stage("outer folds"):
        assessment = assess_nested(config, cohort, folder, fit)
    table = assessment.table
    folder.write_csv("predictions.csv", predictions(table))
    if not stored.trials.empty:
        folder.write_csv("tuning.csv", pd.concat([assessment.transfer.trials, stored.trials]))
    scope = Scope(splits, tested=table.index, cautions=(*cautions, *nested_cautions(table)))
    return conclude(detector, assessment, scope, folder)
