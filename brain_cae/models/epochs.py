"""One log line per epoch, for log files without a progress bar."""

import logging
import math
import time

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class EpochLines(pl.Callback):
    """Logs the number of the epoch, the mean training loss, and the time (s)."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the line, only in the main process."""
        # Read in every process: with several, the first access to a metric gathers it from all of them.
        metrics = trainer.callback_metrics
        if trainer.is_global_zero:
            log.info(
                "epoch %d of %s: training loss %.4g (%.0f s)",
                trainer.current_epoch + 1,
                trainer.max_epochs,
                float(metrics.get("train/loss", math.nan)),
                time.monotonic() - self._start,
            )
