"""Checkpoints of a training: written whole, taken up in another folder."""

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from brain_cae.files.atomic import whole


class WholeCheckpoint(TorchCheckpointIO):
    """Checkpoints appear whole or not at all: PyTorch Lightning moves them from the folder for temporary files, which
    copies them instead if that folder is on another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write to a file beside the target, then move it into place."""
        with whole(Path(path)) as aside:
            super().save_checkpoint(checkpoint, aside, storage_options)


class KeptCheckpoint(ModelCheckpoint):
    """Keeps the state after each epoch; what was kept still counts when a run is resumed in another folder."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of another folder, whose files have been copied to this one."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        ranked = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | moved | {"best_k_models": ranked, "dirpath": self.dirpath})
