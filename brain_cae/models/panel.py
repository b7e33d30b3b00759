"""Images of some training brains in TensorBoard, every few epochs."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger

BRAINS = 3


class TrainingPanel(pl.Callback):
    """Draws input, reconstruction and residual of the same brains every few epochs.

    Args:
        draw: Returns a matplotlib figure of inputs, reconstructions and residuals, each (N, C, X, Y, Z), and the size
            of a voxel in mm.
        modalities: Name of each channel.
        every: Epochs between two panels; the last epoch is always drawn.
    """

    def __init__(self, draw: Callable[..., Any], *, modalities: list[str], every: int) -> None:
        self.draw = draw
        self.modalities = modalities
        self.every = every

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the panel if one is due."""
        epoch = trainer.current_epoch
        due = epoch % self.every == 0 or epoch + 1 == trainer.max_epochs
        if not due or not trainer.is_global_zero or not isinstance(trainer.logger, TensorBoardLogger):
            return
        volumes = trainer.datamodule.train  # type: ignore[attr-defined]
        chosen = [volumes[i] for i in range(min(BRAINS, len(volumes)))]
        for number, item in enumerate(chosen):
            with torch.inference_mode():
                output = pl_module.network(item["volume"][None].to(pl_module.device))[0].float().cpu()  # type: ignore
            output = output * item["mask"]
            figure = self.draw(
                item["volume"][None].numpy(),
                output[None].numpy(),
                (item["volume"] - output)[None].numpy(),
                modalities=self.modalities,
                spacing=item["spacing"].tolist(),
            )
            trainer.logger.experiment.add_figure(f"train/brain_{number}", figure, epoch)
