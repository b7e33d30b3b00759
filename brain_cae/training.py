"""The journey of ``train.py``, read top to bottom: import, split, prepare, reshape, train, calibrate, evaluate."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
from monai.utils import set_determinism

from brain_cae import evaluation
from brain_cae.assessing import assess
from brain_cae.cohort import Cohort, import_cohort, prepared_store
from brain_cae.configuration import Config
from brain_cae.configuration.identity import configuration_hash
from brain_cae.data.brain_masks import require_stripper
from brain_cae.data.module import BrainData
from brain_cae.data.splits import HEALTHY_ROLES, check_leakage
from brain_cae.detector.build import make_network, make_reshape, network_stride
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import save
from brain_cae.errors import LeakageError, RunError
from brain_cae.files.run_folder import RunFolder
from brain_cae.harmonising import harmonise_images
from brain_cae.learning import check_hardware, is_main_process, learn, scoring_device
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.nesting import assess_nested
from brain_cae.resuming import last_checkpoint
from brain_cae.roles import calibration_cautions, draw_roles, protocol_cautions
from brain_cae.scans.protocol import ProtocolGroups

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


def split(config: Config, cohort: Cohort) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``; leakage is an error.

    Raises:
        ConfigurationError: No protocol is named that could be held out.
        DatasetError: No or too few healthy brains.
        LeakageError: A subject, series or pixel content stands in two roles.
    """
    splits = draw_roles(config, cohort.index)
    check_leakage(splits, cohort.index)
    if config.resume is not None:
        _check_same_roles(splits, Path(config.resume) / "splits.csv")
    return splits


def _check_same_roles(splits: pd.DataFrame, path: Path) -> None:
    """A network that goes on learning must not be tested on brains that it has learnt from before.

    Raises:
        RunError: The run that is to go on has learnt, and left no roles.
        LeakageError: Its roles were others.
    """
    if not path.is_file():
        if not (path.parent / "checkpoints").is_dir():
            return  # stopped before the roles were drawn: nothing has been learnt
        raise RunError("The roles of the run that is to go on are missing.", expected=str(path), where="resume")
    before = pd.read_csv(path, dtype=str, keep_default_na=False)
    now = set(splits.itertuples(index=False, name=None))
    differ = {subject for subject, _ in now ^ set(before.itertuples(index=False, name=None))}
    if differ:
        raise LeakageError(
            "The roles differ from those of the run that is to go on.",
            expected="the same subjects in the same roles",
            found=f"{len(differ)} subjects differ, among them {', '.join(sorted(differ)[:5])}",
            where=str(path),
            advice="Give the same data set and limit, or start a new run.",
        )


def fit(config: Config, splits: pd.DataFrame, cohort: Cohort, folder: RunFolder) -> Detector:
    """Fit harmonising, reshape, network, healthy reference and thresholds; may be called many times in one process.

    The transfer classifier is fitted by the evaluation, which decides who it may learn from.
    """
    names = {role: splits.loc[splits["role"] == role, "subject"].tolist() for role in ("train", "validation")}
    harmoniser, cohort = harmonise_images(config, cohort, names["train"])
    module, data, reshape = _assemble(config, cohort, names)
    with folder.stage("train"):
        cost = learn(config, module, data, folder)
    protocols = ProtocolGroups.fit(cohort.acquisition)
    known = protocols.assign(cohort.acquisition.loc[names["train"] + names["validation"]])
    model = Detector(
        config=config,
        network=module.network.eval().to(scoring_device(config.trainer.accelerator)),
        reshape=reshape,
        scorers={},
        protocols=protocols,
        known_protocols=sorted(set(known)),
        skull=sorted(set(cohort.skull[names["validation"]])),
        seen=_content_of(cohort, splits),
        cautions=_cautions(config, cohort, splits),
        cost=cost.to_dict(),
        harmoniser=harmoniser,
    )
    with folder.stage("calibrate"):
        model.calibrate(cohort.subjects(names["validation"]))
    save(model, folder / "model")
    return model


def _content_of(cohort: Cohort, splits: pd.DataFrame) -> dict[str, str]:
    """Hash of every scan that the network learns from or is calibrated with, and its role."""
    roles = splits[splits["role"].isin(HEALTHY_ROLES)]
    scans = cohort.index.merge(roles, on="subject")
    return dict(zip(scans["series_hash"], scans["role"], strict=True))


def _assemble(config: Config, cohort: Cohort, names: dict[str, list[str]]) -> tuple[HealthyAutoencoder, BrainData, Any]:
    set_determinism(config.seed)
    train, validation = cohort.subjects(names["train"]), cohort.subjects(names["validation"])
    if config.overfit_subjects:
        train = validation = train[: config.overfit_subjects]
    reshape = make_reshape(config).fit([subject.grid for subject in train])
    network = make_network(config)
    module = HealthyAutoencoder(
        network,
        loss=config.model.loss,
        learning_rate=config.model.learning_rate,
        weight_decay=config.model.weight_decay,
        corruption=config.model.corruption,
        seed=config.seed,
    )
    data = BrainData(
        train,
        validation,
        reshape,
        stride=network_stride(network),
        batch_size=config.trainer.batch_size,
        workers=config.trainer.workers,
        seed=config.seed,
    )
    return module, data, reshape


def _train_only(config: Config, folder: RunFolder) -> None:
    pl.seed_everything(config.seed, workers=True, verbose=False)
    cohort = bring_in(config)
    cohort.prepare(prepared_store(config, config.cache), progress=False)
    splits = split(config, cohort)
    names = {role: splits.loc[splits["role"] == role, "subject"].tolist() for role in ("train", "validation")}
    _, cohort = harmonise_images(config, cohort, names["train"])
    module, data, _ = _assemble(config, cohort, names)
    learn(config, module, data, folder)


def _cautions(config: Config, cohort: Cohort, splits: pd.DataFrame) -> list[str]:
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
