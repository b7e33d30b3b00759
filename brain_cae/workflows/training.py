"""The journey of ``train.py``, read top to bottom: import, split, prepare, reshape, train, calibrate, evaluate."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl

from brain_cae.configuration import Config
from brain_cae.configuration.identity import configuration_hash
from brain_cae.data.brain_masks import require_stripper
from brain_cae.detector.detector import Detector
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.stages.cohort import Cohort, import_cohort, prepared_store
from brain_cae.stages.fit import assemble, check_hardware, fit, is_main_process, learn
from brain_cae.stages.harmonisation import harmonise_images
from brain_cae.stages.prediction import assess
from brain_cae.stages.roles import draw_roles, split
from brain_cae.vocabulary import HEALTHY_ROLES
from brain_cae.workflows import evaluation
from brain_cae.workflows.nested import assess_nested

log = logging.getLogger(__name__)


def run(config: Config, output: Path) -> float | None:
    """Train, evaluate and report; everything that is left behind lies in ``output``.

    Returns:
        ``detection.auroc``, which a sweep may optimise, or None where it is not defined.

    Raises:
        BrainCaeError: See the stages; the message says what to do.
    """
    check_hardware(config)
    require_stripper(config.preprocess.skull_strip)
    last_checkpoint(config)  # said now, not after the import
    folder = RunFolder(output)
    if not is_main_process():
        # A further process of DDP: it helps to train, and leaves everything else to the first.
        _train_only(config, folder)
        return None
    with folder.status(configuration_hash(config)):
        pl.seed_everything(config.seed, workers=True, verbose=False)
        with folder.stage("import"):
            cohort = bring_in(config)
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            cohort.require_subjects()
        if config.stop_after == "import":
            log.info("import_report.csv is in %s", output)
            return None
        draw_roles(config, cohort.index)  # what stands against them is said now, not after an hour of preparing
        with folder.stage("prepare"):
            cohort.prepare(prepared_store(config, config.cache), progress=config.trainer.progress)
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            cohort.require_subjects()
        splits = split(config, cohort)
        folder.write_csv("splits.csv", splits)
        model = fit(config, splits, cohort, folder)
        metrics = _evaluate(config, model, cohort, splits, folder)
        log.info("report: %s", output / "report.html")
        if config.external is not None:
            with folder.stage("external"):
                metrics["external"] = evaluation.score_external(config, output)
            folder.write_json("metrics.json", metrics)
    return metrics["detection"]["auroc"]["value"]


def _evaluate(
    config: Config, model: Detector, cohort: Cohort, splits: pd.DataFrame, folder: RunFolder
) -> dict[str, Any]:
    """Figures of the model's own unseen subjects, or of all subjects, each judged by an outer fold's model."""
    if config.evaluation.name != "nested":
        return evaluation.evaluate(model, cohort, splits, folder, cache=config.cache)
    stored = assess(model, cohort, splits, folder, cache=config.cache)  # its classifier is for new patients
    with folder.stage("outer folds"):
        found = assess_nested(config, cohort, folder, fit)
    folder.write_csv("predictions.csv", evaluation.predictions(found.table))
    if not stored.transfer.trials.empty:
        folder.write_csv("tuning.csv", pd.concat([found.transfer.trials, stored.transfer.trials]))
    return evaluation.conclude(model, splits, folder, found)


def bring_in(config: Config) -> Cohort:
    """Import the configured dataset."""
    return import_cohort(config.dataset, config, cache=config.cache, workers=config.workers, limit=config.limit)


def _train_only(config: Config, folder: RunFolder) -> None:
    pl.seed_everything(config.seed, workers=True, verbose=False)
    cohort = bring_in(config)
    cohort.prepare(prepared_store(config, config.cache), progress=False)
    splits = split(config, cohort)
    names = {role: splits.loc[splits["role"] == role, "subject"].tolist() for role in HEALTHY_ROLES}
    _, cohort = harmonise_images(config, cohort, names["train"])
    module, data, _ = assemble(config, cohort, names)
    learn(config, module, data, folder)
