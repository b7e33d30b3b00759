"""Checkpoints of a training: written whole, taken up in another folder, and the patience that they carry."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from brain_cae.files.atomic import whole


class Patience(EarlyStopping):
    """Stops training early; a run that was interrupted after that trains no further epoch when it is resumed."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Repeat a decision that was made before the interruption."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class WholeCheckpoint(TorchCheckpointIO):
    """Checkpoints appear whole or not at all: PyTorch Lightning moves them from the folder for temporary files, which
    copies them instead if that folder is on another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write to a file beside the target, then move it into place."""
        with whole(Path(path)) as aside:
            super().save_checkpoint(checkpoint, aside, storage_options)


class KeptCheckpoint(ModelCheckpoint):
    """Keeps the best or the last state; what was kept still counts when a run is resumed in another folder."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of another folder, whose files have been copied to this one."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        ranked = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | moved | {"best_k_models": ranked, "dirpath": self.dirpath})
