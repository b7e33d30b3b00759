"""One line of the log for each epoch, for whoever reads a file instead of a screen."""

import logging
import math
import time

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class EpochLines(pl.Callback):
    """Logs the number of the epoch, the mean training loss, the validation loss, and the time with validation (s)."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count the time."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the line, in the main process alone."""
        # Read in every process: with several, the first look at a metric gathers it from all of them.
        metrics = trainer.callback_metrics
        if trainer.is_global_zero:
            log.info(
                "epoch %d of %s: training loss %.4g, validation %.4g (%.0f s)",
                trainer.current_epoch + 1,
                trainer.max_epochs,
                float(metrics.get("train/loss", math.nan)),
                float(metrics.get("validation/loss", math.nan)),
                time.monotonic() - self._start,
            )
