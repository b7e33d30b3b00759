"""Training of a detector: network and batches, training with Lightning, and the uncalibrated detector."""

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from monai.utils import set_determinism
from pytorch_lightning.plugins.environments import ClusterEnvironment, LightningEnvironment, SLURMEnvironment

from brain_cae.configuration import Config
from brain_cae.configuration.schema import Logger, Trainer
from brain_cae.data.module import BrainData
from brain_cae.detector.build import make_network, make_reshape, member_networks, network_stride
from brain_cae.detector.detector import Detector
from brain_cae.errors import BrainCaeError, StorageError
from brain_cae.executor.allocator import keep_freed_memory, return_freed_memory
from brain_cae.executor.processes import start_method
from brain_cae.files.atomic import whole, write_text
from brain_cae.files.system_errors import writing
from brain_cae.files.tables import to_csv
from brain_cae.harmonise import ImageHarmoniser
from brain_cae.models.checkpoints import KeptCheckpoint, WholeCheckpoint
from brain_cae.models.cost import Cost
from brain_cae.models.curves import OptimiserCurves
from brain_cae.models.epochs import EpochBar, EpochLines
from brain_cae.models.history import LossHistory
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.models.panel import TrainingPanel
from brain_cae.progress import on_terminal
from brain_cae.reporting.board import board_folder
from brain_cae.reporting.panels import training_panel
from brain_cae.reshape import Reshape
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.stages.board import typed_choices
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.hardware import precision, scoring_device
from brain_cae.stages.processes import is_main_process, on_slurm
from brain_cae.stages.trackers import make_loggers
from brain_cae.vocabulary import HEALTHY_ROLES

log = logging.getLogger(__name__)

MEMBERS = "members"
"""Folder of the further networks of a model."""


@dataclass(frozen=True)
class Assembly:
    """Networks and data of a training.

    Attributes:
        modules: Each network with its loss: that of the model by the empty name, unless it has none, and members by
            theirs.
        data: Batches of the brains of ``train``.
        reshape: Fitted reshape strategy.
    """

    modules: dict[str, HealthyAutoencoder]
    data: BrainData
    reshape: Reshape


def members(splits: pd.DataFrame, role: str) -> list[str]:
    """Return the subjects of a role, in the order of ``splits`` (columns subject, role)."""
    return splits.loc[splits["role"] == role, "subject"].tolist()


def assemble(config: Config, cohort: Cohort, splits: pd.DataFrame) -> Assembly:
    """Set all seeds, fit the reshape strategy, and build networks and batches of ``train``."""
    set_determinism(config.seed)
    train = cohort.subjects(members(splits, "train"))[: config.overfit_subjects]
    modules = {}
    for name, chosen in {"": config, **member_networks(config)}.items():
        set_determinism(chosen.seed)
        network = make_network(chosen)
        if network is not None:
            modules[name] = HealthyAutoencoder(
                network,
                loss=chosen.model.loss,
                learning_rate=chosen.model.learning_rate,
                weight_decay=chosen.model.weight_decay,
                corruption=chosen.model.corruption,
                seed=chosen.seed,
                modalities=config.modality.names,
            )
    stride = network_stride(*(module.network for module in modules.values()))
    reshape = make_reshape(config, stride).fit([subject.grid for subject in train])
    data = BrainData(
        train,
        reshape,
        stride=stride,
        batch_size=config.trainer.batch_size,
        workers=config.trainer.workers,
        seed=config.seed,
    )
    return Assembly(modules, data, reshape)


@contextmanager
def _naming_shared_memory() -> Iterator[None]:
    """Raise a StorageError in place of PyTorch's error for a shared memory that is full: a container has 64 MB."""
    try:
        yield
    except RuntimeError as error:
        if "shared memory" not in str(error):
            raise
        raise StorageError(
            "The batches do not fit into the shared memory.",
            expected="room in /dev/shm for the batches of all processes that load them",
            found=str(error).splitlines()[-1],
            where="trainer.workers",
            advice="Use trainer.workers=0, or give the container more: docker run --shm-size=8g.",
        ) from error


def environment(settings: Trainer) -> list[ClusterEnvironment]:
    """Return the environment in which Lightning finds the processes of a training; none leaves it to find its own.

    With one device, no cluster is asked. Left alone, Lightning would put a job back into the queue of Slurm as its time
    runs out, where the same command begins a new run: ``resume=`` continues the old one.
    """
    if settings.devices * settings.nodes == 1:
        return [LightningEnvironment()]
    return [SLURMEnvironment(auto_requeue=False)] if on_slurm() else []


def learn(
    settings: Trainer,
    assembly: Assembly,
    folder: Path,
    *,
    modalities: list[str],
    logger: Logger,
    checkpoint: Path | None = None,
    name: str = "",
) -> Cost:
    """Train one network with Lightning for a fixed number of epochs, and return the cost of an epoch.

    Nothing is chosen during training, so no brain has to be held back for it: the learning rate falls to 0 with the
    last epoch, whose weights are taken.

    Args:
        settings: Hardware, epochs and batches.
        assembly: Networks and data; the module is trained in place.
        folder: ``checkpoints/`` and ``tensorboard/`` are written here.
        modalities: Names of the channels, for the panel.
        logger: Where curves are written.
        checkpoint: Checkpoint to resume from, see :func:`copy_checkpoints`; None starts with the first epoch.
        name: Name of the network in the assembly.

    Raises:
        BrainCaeError: The loss became NaN or infinite.
        StorageError: The disk, or the shared memory, is full.
    """
    keep_freed_memory()
    module = assembly.modules[name]
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    if settings.channels_last:
        module.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    if settings.compile:
        module.compiled.append(torch.compile(module.network, dynamic=False))
    callbacks: list[pl.Callback] = [
        KeptCheckpoint(folder / "checkpoints", filename="last", enable_version_counter=False),
    ]
    cost = Cost()
    history = LossHistory()
    callbacks += [cost, history, OptimiserCurves()]
    board = board_folder(folder, typed_choices(folder) if logger.name != "csv" else {})
    callbacks.append(TrainingPanel(training_panel, modalities=modalities, every=settings.panel_every))
    bar = settings.progress and on_terminal()
    if bar:
        callbacks.append(EpochBar())
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
        plugins=[WholeCheckpoint(), *environment(settings)],
        logger=make_loggers(logger, folder, board),
        default_root_dir=folder,
        enable_progress_bar=bar,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the batch sampler distributes the batches itself
        gradient_clip_val=1.0,
        log_every_n_steps=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists.*")
        try:
            # Batches may be loaded by other processes.
            with writing(folder / "checkpoints"), start_method(None), _naming_shared_memory():
                trainer.fit(module, assembly.data, ckpt_path=checkpoint, weights_only=True)
        except SystemExit:
            # Lightning turns Ctrl-C into SystemExit, which would hide the interruption.
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    if cost.seconds:
        share, seconds = 100 * float(np.median(cost.waits)), float(np.median(cost.seconds))
        log.info("trained: %.1f s an epoch, %.1f %% of it waiting for data", seconds, share)
    return_freed_memory()
    last = folder / "checkpoints" / "last.ckpt"
    if is_main_process():
        with whole(last.with_name("best.ckpt")) as aside:
            shutil.copyfile(last, aside)
        write_text(folder / "training.csv", to_csv(history.table()))
    weights = torch.load(last, weights_only=True, map_location="cpu")["state_dict"]
    prefix = "network."
    module.network.load_state_dict({k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)})
    if not all(torch.isfinite(value).all() for value in module.network.state_dict().values()):
        raise BrainCaeError(
            "The weights became NaN or infinite in the last step of the training.",
            where=f"epoch {trainer.current_epoch}",
            advice="Lower model.learning_rate, or set trainer.precision=32-true.",
        )
    return cost


def copy_checkpoints(config: Config, folder: Path) -> Path | None:
    """Copy the checkpoints of ``resume`` to the new run and return the one to resume from; None if there is none.

    Those of further members lie beside it, see :func:`member_checkpoint`.
    """
    checkpoint = last_checkpoint(config)
    if checkpoint is None:
        if config.resume is not None:
            log.warning("%s was stopped before the end of its first epoch: training starts again.", config.resume)
        return None
    if is_main_process():
        # An interruption during the copy leaves no partial checkpoint.
        with whole(folder / "checkpoints") as temporary:
            shutil.copytree(checkpoint.parent, temporary, ignore=shutil.ignore_patterns(".*"))
        for member in (checkpoint.parent.parent / MEMBERS).glob("*/checkpoints"):
            with whole(folder / MEMBERS / member.parent.name / "checkpoints") as temporary:
                shutil.copytree(member, temporary, ignore=shutil.ignore_patterns(".*"))
    return checkpoint


def member_folder(folder: Path, name: str) -> Path:
    """Return where checkpoints and curves of a network are written: the run's folder, or a member's own."""
    return folder / MEMBERS / name if name else folder


def member_checkpoint(folder: Path, name: str) -> Path | None:
    """Return the checkpoint in a run's or fold's folder from which a network continues; None if it has not begun."""
    path = member_folder(folder, name) / "checkpoints" / "last.ckpt"
    return path if path.is_file() else None


def uncalibrated(
    config: Config,
    splits: pd.DataFrame,
    cohort: Cohort,
    assembly: Assembly,
    *,
    harmoniser: ImageHarmoniser,
    cost: Cost,
) -> Detector:
    """Return the detector of a trained network, without reference, thresholds, classifier and cautions.

    Args:
        config: Configuration of the run.
        splits: Columns subject, role.
        cohort: Harmonised cohort.
        assembly: Trained networks with their reshape strategy.
        harmoniser: Fitted image harmonisation.
        cost: Cost of the training.
    """
    validation = members(splits, "validation")
    protocols = ProtocolGroups.fit(cohort.acquisition)
    device = scoring_device(config.trainer.accelerator)
    networks = {name: module.network.eval().to(device) for name, module in assembly.modules.items()}
    return Detector(
        config=config,
        network=networks.pop("", None),
        members=networks,
        reshape=assembly.reshape,
        scorers={},
        protocols=protocols,
        known_protocols=sorted(set(protocols.assign(cohort.acquisition.loc[validation]))),
        skull=sorted(set(cohort.skull[validation])),
        sites=sorted(set(cohort.sites[validation])),
        seen=_scan_hashes(cohort, splits),
        prints=cohort.fingerprints(splits.loc[splits["role"].isin(HEALTHY_ROLES), "subject"]),
        cost=cost.to_dict(),
        harmoniser=harmoniser,
    )


def _scan_hashes(cohort: Cohort, splits: pd.DataFrame) -> dict[str, str]:
    """Return the role of each scan used for training or calibration, by hash of its content."""
    roles = splits[splits["role"].isin(HEALTHY_ROLES)]
    scans = cohort.index.merge(roles, on="subject")
    return dict(zip(scans["series_hash"], scans["role"], strict=True))
