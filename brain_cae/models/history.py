"""Training loss of each epoch, for ``training.csv`` and the report."""

from typing import Any

import pandas as pd
import pytorch_lightning as pl


class LossHistory(pl.Callback):
    """Keeps the mean training loss of each epoch, also over interruptions: it is stored in the checkpoints."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the loss of the epoch."""
        loss = trainer.callback_metrics.get("train/loss")
        self.losses.append(float("nan") if loss is None else float(loss))

    def state_dict(self) -> dict[str, Any]:
        """Return the losses so far, as plain values."""
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the losses of an interrupted training."""
        self.losses = list(state_dict["losses"])

    def table(self) -> pd.DataFrame:
        """Return one row per epoch: epoch (from 1), loss."""
        return pd.DataFrame({"epoch": range(1, len(self.losses) + 1), "loss": self.losses})
