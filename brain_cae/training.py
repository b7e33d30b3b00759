"""The journey of ``train.py``, read top to bottom: import, split, prepare, reshape, train, calibrate, evaluate."""

import logging
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
import yaml
from monai.utils import set_determinism
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers import Logger as LightningLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brain_cae import evaluation
from brain_cae.cohort import Cohort, import_cohort
from brain_cae.configuration import Config, check_alpha, validation_size
from brain_cae.data.module import BrainData
from brain_cae.data.prepared import PreparedStore
from brain_cae.data.splits import check_leakage, read_splits, stratified
from brain_cae.errors import BrainCaeError, ConfigurationError, DatasetError, LeakageError, RunError
from brain_cae.fitted_model import FittedModel, make_network, make_reshape, network_stride
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.models.panel import ValidationPanel
from brain_cae.reporting import training_panel
from brain_cae.run_folder import RunFolder
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
    folder = RunFolder(output)
    if not is_main_process():
        # A further process of DDP: it helps to train, and leaves everything else to the first.
        _train_only(config, folder)
        return None
    with folder.status():
        pl.seed_everything(config.seed, workers=True, verbose=False)
        with folder.stage("import"):
            cohort = bring_in(config)
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            cohort.require_subjects()
        if config.stop_after == "import":
            log.info("import_report.csv is in %s", output)
            return None
        with folder.stage("prepare"):
            cohort.prepare(prepared_store(config), progress=config.trainer.progress)
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            cohort.require_subjects()
        splits = split(config, cohort)
        folder.write_csv("splits.csv", splits)
        model = fit(config, splits, cohort, folder)
        metrics = evaluation.evaluate(model, cohort, splits, folder, warnings_=_cautions(config, cohort, splits))
        log.info("report: %s", output / "report.html")
    return metrics["detection"]["auroc"]["value"]


def bring_in(config: Config) -> Cohort:
    """Import the configured dataset."""
    return import_cohort(
        config.dataset,
        modalities=config.modality.names,
        reference=config.modality.reference,
        store=Path(config.cache) / "imported",
        workers=config.workers,
        limit=config.limit,
        progress=config.trainer.progress,
    )


def prepared_store(config: Config) -> PreparedStore:
    """Where the prepared subjects of this configuration lie."""
    return PreparedStore(
        Path(config.cache) / "prepared",
        modalities=config.modality.names,
        reference=config.modality.reference,
        scaling=config.preprocess.scaling,
    )


def split(config: Config, cohort: Cohort) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``; leakage is an error.

    Raises:
        DatasetError: No or too few healthy brains.
        LeakageError: A subject, series or pixel content stands in two roles.
    """
    labels = cohort.labels
    healthy = int((labels == "healthy").sum())
    if healthy == 0:
        raise DatasetError(
            "There is no healthy brain to learn from.",
            expected="subjects labelled healthy",
            found=", ".join(f"{count} {label}" for label, count in labels.value_counts().items()),
            where=f"dataset={config.dataset.name}",
            advice="Add healthy brains from another set (dataset=folder with labels.csv). In RSNA-MICCAI every patient "
            "has a glioblastoma; dataset.healthy_value=0 reads MGMT_value 0 as healthy, which it is not.",
        )
    if config.split.file is not None:
        splits = read_splits(Path(config.split.file), labels)
    else:
        splits = stratified(
            labels,
            train=config.split.train,
            validation=validation_size(healthy, config.split),
            classifier=config.split.classifier,
            seed=config.seed,
        )
    check_leakage(splits, cohort.index)
    if config.resume is not None:
        _check_same_roles(splits, Path(config.resume) / "splits.csv")
    return splits


def _check_same_roles(splits: pd.DataFrame, path: Path) -> None:
    """A network that goes on learning must not be tested on brains that it has learnt from before.

    Raises:
        RunError: The run that is to go on left no roles.
        LeakageError: Its roles were others.
    """
    if not path.is_file():
        raise RunError("There is nothing to go on from.", expected=str(path), where="resume")
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


def fit(config: Config, splits: pd.DataFrame, cohort: Cohort, folder: RunFolder) -> FittedModel:
    """Fit reshape, network, healthy reference and thresholds; may be called many times in one process.

    The transfer classifier is fitted by the evaluation, which decides who it may learn from.
    """
    names = {role: splits.loc[splits["role"] == role, "subject"].tolist() for role in ("train", "validation")}
    module, data, reshape = _assemble(config, cohort, names)
    with folder.stage("train"):
        _learn(config, module, data, folder)
    protocols = ProtocolGroups.fit(cohort.acquisition)
    known = protocols.assign(cohort.acquisition.loc[names["train"] + names["validation"]])
    model = FittedModel(
        config=config,
        network=module.network.eval(),
        reshape=reshape,
        scorers={},
        protocols=protocols,
        known_protocols=sorted(set(known)),
    )
    with folder.stage("calibrate"):
        model.calibrate(cohort.subjects(names["validation"]))
    model.save(folder / "model")
    return model


def _assemble(config: Config, cohort: Cohort, names: dict[str, list[str]]) -> tuple[HealthyAutoencoder, BrainData, Any]:
    set_determinism(config.seed)
    train, validation = cohort.subjects(names["train"]), cohort.subjects(names["validation"])
    if config.overfit_subjects:
        train = validation = train[: config.overfit_subjects]
    reshape = make_reshape(config).fit([subject.native_shape for subject in train])
    network = make_network(config)
    module = HealthyAutoencoder(
        network,
        loss=config.model.loss,
        learning_rate=config.model.learning_rate,
        weight_decay=config.model.weight_decay,
        corruption=config.model.corruption,
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
    cohort.prepare(prepared_store(config), progress=False)
    splits = split(config, cohort)
    names = {role: splits.loc[splits["role"] == role, "subject"].tolist() for role in ("train", "validation")}
    module, data, _ = _assemble(config, cohort, names)
    _learn(config, module, data, folder)


def _learn(config: Config, module: HealthyAutoencoder, data: BrainData, folder: RunFolder) -> None:
    """Train with Lightning and leave the best weights in the module."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    settings = config.trainer
    if settings.channels_last:
        module.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    if settings.compile:
        module.reconstruct = torch.compile(module.network, dynamic=False)
    checkpoint = _resumed(config)
    if checkpoint is not None and is_main_process():
        shutil.copytree(checkpoint.parent, folder / "checkpoints", dirs_exist_ok=True)
    best = BestCheckpoint(
        folder / "checkpoints", filename="best", monitor="validation/loss", save_last=True, enable_version_counter=False
    )
    best.CHECKPOINT_NAME_LAST = "last"
    callbacks: list[pl.Callback] = [
        best,
        EarlyStopping("validation/loss", patience=settings.patience, check_finite=True),
    ]
    callbacks.append(ValidationPanel(training_panel, modalities=config.modality.names, every=settings.panel_every))
    if settings.progress:
        callbacks.append(RichProgressBar(leave=False))
    trainer = pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision=precision(settings.precision, settings.accelerator),  # type: ignore[arg-type]
        max_epochs=settings.max_epochs,
        callbacks=callbacks,
        logger=_logger(config, folder),
        default_root_dir=folder.path,
        enable_progress_bar=settings.progress,
        enable_model_summary=False,
        use_distributed_sampler=False,  # our batch sampler shares the batches out itself
        gradient_clip_val=1.0,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists.*")
        try:
            trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
        except SystemExit:
            # Lightning turns Ctrl-C into an exit of its own, which would hide what happened.
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    if not torch.isfinite(trainer.callback_metrics.get("validation/loss", torch.zeros(()))):
        raise BrainCaeError(
            "The loss on the validation brains is no number any more.",
            where=f"epoch {trainer.current_epoch}",
            advice="Lower model.learning_rate, or trainer.precision=32-true.",
        )
    stored = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True, map_location="cpu")["state_dict"]
    prefix = "network."
    module.network.load_state_dict({k[len(prefix) :]: v for k, v in stored.items() if k.startswith(prefix)})


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best and the last state; the best so far still counts when a run goes on in a folder of its own."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of another folder, whose files have been copied to this one."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        ranked = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | moved | {"best_k_models": ranked, "dirpath": self.dirpath})


def _logger(config: Config, folder: RunFolder) -> LightningLogger:
    kind: Callable = TensorBoardLogger if config.logger.name == "tensorboard" else CSVLogger
    return kind(save_dir=folder.path, name="", version="tensorboard")


def check_hardware(config: Config) -> None:
    """Say before the import that a GPU is asked for and there is none.

    Raises:
        ConfigurationError: Fewer GPUs than ``trainer.devices``.
    """
    if config.trainer.accelerator == "gpu" and torch.cuda.device_count() < config.trainer.devices:
        raise ConfigurationError(
            "There are not enough GPUs on this machine.",
            expected=f"{config.trainer.devices}",
            found=f"{torch.cuda.device_count()} that PyTorch {torch.__version__} can use",
            where="trainer",
            advice="Use trainer=auto or trainer=cpu, or install a build of PyTorch for your GPU.",
        )


def precision(asked: str, accelerator: str) -> str:
    """``auto`` means bfloat16 where the hardware multiplies it, else single precision."""
    if asked != "auto":
        return asked
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16-mixed" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "32-true"


def _resumed(config: Config) -> Path | None:
    """The checkpoint to go on from; the configuration must be the one that it was written with.

    Raises:
        RunError: The run has no checkpoint.
        ConfigurationError: A value differs: going on would apply it in part, or not at all.
    """
    if config.resume is None:
        return None
    checkpoint = Path(config.resume) / "checkpoints" / "last.ckpt"
    stored = Path(config.resume) / ".hydra" / "config.yaml"
    if not checkpoint.is_file() or not stored.is_file():
        raise RunError("There is nothing to go on from.", expected=str(checkpoint), where="resume")
    before, now = yaml.safe_load(stored.read_text()), asdict(config)
    for group in ("dataset", "modality", "preprocess", "reshape", "split", "model", "trainer", "seed"):
        old, new = before.get(group), now[group]
        if isinstance(old, dict):
            old = {k: v for k, v in old.items() if k not in ("root", "progress", "workers", "panel_every")}
            new = {k: v for k, v in new.items() if k in old}
        if old != new:
            raise ConfigurationError(
                f"`{group}` differs from the run that is to go on.",
                expected=str(old),
                found=str(new),
                where="resume",
                advice="Give the same choices, or start a new run.",
            )
    return checkpoint


def is_main_process() -> bool:
    """False in the further processes that Lightning or the cluster starts for DDP."""
    return rank_zero_only.rank in (0, None) and os.environ.get("NODE_RANK", "0") == "0"


def _cautions(config: Config, cohort: Cohort, splits: pd.DataFrame) -> list[str]:
    """What a reader must see before any figure."""
    cautions = list(cohort.notes)
    counts = splits["role"].value_counts()
    validation = int(counts.get("validation", 0))
    if validation < 20:
        cautions.append(
            f"Only {validation} healthy brains calibrate the threshold (20 are the least, 40 advised): "
            "p-values are coarse and the voxel statistics uncertain."
        )
    try:
        check_alpha(config.scoring.alpha, validation)
    except ConfigurationError as error:
        cautions.append(f"Nothing can be flagged. {error.problem}")
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
