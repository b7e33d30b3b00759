"""Fitting a detector: harmonisation, reshape, the network's training with Lightning, calibration."""

import logging
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
from monai.utils import set_determinism
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers import Logger as LightningLogger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brain_cae.configuration import Config
from brain_cae.data.module import BrainData
from brain_cae.detector.build import make_network, make_reshape, network_stride
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import save
from brain_cae.errors import BrainCaeError, ConfigurationError
from brain_cae.files.atomic import whole
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.system_errors import writing
from brain_cae.models.cost import Cost
from brain_cae.models.epochs import EpochLines
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.models.panel import ValidationPanel
from brain_cae.progress import on_terminal
from brain_cae.reporting import training_panel
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.stages.cautions import training_cautions
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.harmonisation import harmonise_images
from brain_cae.vocabulary import HEALTHY_ROLES

log = logging.getLogger(__name__)


def learn(config: Config, module: HealthyAutoencoder, data: BrainData, folder: RunFolder) -> Cost:
    """Train with Lightning, leave the best weights in the module, and return what an epoch cost."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    settings = config.trainer
    if settings.channels_last:
        module.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    if settings.compile:
        module.compiled.append(torch.compile(module.network, dynamic=False))
    checkpoint = _taken_up(config, folder)
    callbacks: list[pl.Callback] = [
        Patience("validation/loss", patience=settings.patience, check_finite=True),
        KeptCheckpoint(
            folder / "checkpoints", filename="best", monitor="validation/loss", enable_version_counter=False
        ),
        # After the best: it remembers which that is. `save_last` would keep the last state that was a best one.
        KeptCheckpoint(folder / "checkpoints", filename="last", enable_version_counter=False),
    ]
    cost = Cost()
    callbacks.append(cost)
    callbacks.append(ValidationPanel(training_panel, modalities=config.modality.names, every=settings.panel_every))
    bar = settings.progress and on_terminal()
    if bar:
        callbacks.append(RichProgressBar(leave=False))
    if not on_terminal():
        callbacks.append(EpochLines())
    trainer = pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision=precision(settings.precision, settings.accelerator),  # type: ignore[arg-type]
        max_epochs=settings.max_epochs,
        callbacks=callbacks,
        plugins=[WholeCheckpoint()],
        logger=_logger(config, folder),
        default_root_dir=folder.path,
        enable_progress_bar=bar,
        enable_model_summary=False,
        use_distributed_sampler=False,  # our batch sampler shares the batches out itself
        gradient_clip_val=1.0,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists.*")
        try:
            with writing(folder / "checkpoints"):
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
    return cost


def _taken_up(config: Config, folder: RunFolder) -> Path | None:
    """The checkpoint to go on from, with the best so far copied into the new run's folder; None to begin."""
    checkpoint = last_checkpoint(config)
    if checkpoint is None:
        if config.resume is not None:
            log.warning("%s was stopped before its first epoch had ended: learning begins again.", config.resume)
        return None
    if is_main_process():
        # A run that is stopped here leaves no half checkpoint.
        with whole(folder / "checkpoints") as aside:
            shutil.copytree(checkpoint.parent, aside, ignore=shutil.ignore_patterns(".*"))
    return checkpoint


class Patience(EarlyStopping):
    """Stops learning; a run that was interrupted after that learns no further epoch when it is taken up."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take a decision up that was made before the interruption."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class WholeCheckpoint(TorchCheckpointIO):
    """Checkpoints appear whole or not at all: PyTorch Lightning moves them from the folder for temporary files, which
    is no move but a copy where that is another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write aside, then move into place."""
        with whole(Path(path)) as aside:
            super().save_checkpoint(checkpoint, aside, storage_options)


class KeptCheckpoint(ModelCheckpoint):
    """Keeps the best or the last state; what was kept still counts when a run goes on in a folder of its own."""

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


def scoring_device(accelerator: str) -> torch.device:
    """Where brains are scored after training: the GPU unless the CPU is asked for."""
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def is_main_process() -> bool:
    """False in the further processes that Lightning or the cluster starts for DDP."""
    return getattr(rank_zero_only, "rank", 0) == 0 and os.environ.get("NODE_RANK", "0") == "0"


def fit(config: Config, splits: pd.DataFrame, cohort: Cohort, folder: RunFolder) -> Detector:
    """Fit harmonising, reshape, network, healthy reference and thresholds; may be called many times in one process.

    The transfer classifier is fitted by the evaluation, which decides who it may learn from.
    """
    names = {role: splits.loc[splits["role"] == role, "subject"].tolist() for role in HEALTHY_ROLES}
    harmoniser, cohort = harmonise_images(config, cohort, names["train"])
    module, data, reshape = assemble(config, cohort, names)
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
        cautions=training_cautions(config, cohort, splits),
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


def assemble(config: Config, cohort: Cohort, names: dict[str, list[str]]) -> tuple[HealthyAutoencoder, BrainData, Any]:
    """Network with its loss, batches and fitted reshape strategy, for the brains of ``train`` and ``validation``."""
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
