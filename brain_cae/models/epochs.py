"""Progress of training: a bar on a terminal, or one log line per epoch."""

import logging
import math
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar

from brain_cae.progress import duration

log = logging.getLogger(__name__)


class Clock:
    """Time of an epoch, and the time that the remaining ones will take at the mean speed so far."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.first: tuple[int, float] | None = None

    def start(self, trainer: pl.Trainer) -> None:
        """Begin an epoch; a resumed training begins with a later one than the first."""
        self.begun = time.monotonic()
        self.first = self.first or (trainer.current_epoch, self.begun)

    def left(self, trainer: pl.Trainer, *, finished: int) -> str:
        """Return the time left as text; empty if it is not known yet, or below a second."""
        if self.first is None or not trainer.max_epochs or finished <= self.first[0]:
            return ""
        each = (time.monotonic() - self.first[1]) / (finished - self.first[0])
        seconds = each * (trainer.max_epochs - finished)
        return f"about {duration(seconds)} left" if seconds >= 1 else ""


class EpochBar(RichProgressBar):
    """Lightning's bar with the time that is left for all epochs, and without a version."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        self._clock = Clock()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, and draw the bar of the epoch."""
        self._clock.start(trainer)
        super().on_train_epoch_start(trainer, pl_module)

    def _get_train_description(self, current_epoch: int) -> str:
        left = self._clock.left(self.trainer, finished=current_epoch)
        return f"epoch {current_epoch + 1} of {self.trainer.max_epochs}{f', {left}' if left else ''}"

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return what is shown behind the bar."""
        shown = super().get_metrics(trainer, pl_module)
        return {name: value for name, value in shown.items() if name != "v_num"}


class EpochLines(pl.Callback):
    """Logs the number of the epoch, the mean training loss, and the time of the epoch and of the rest."""

    def __init__(self) -> None:
        self._clock = Clock()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._clock.start(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the line, only in the main process."""
        # Read in every process: with several, the first access to a metric gathers it from all of them.
        metrics = trainer.callback_metrics
        if trainer.is_global_zero:
            left = self._clock.left(trainer, finished=trainer.current_epoch + 1)
            log.info(
                "epoch %d of %s: training loss %.4g (%s%s)",
                trainer.current_epoch + 1,
                trainer.max_epochs,
                float(metrics.get("train/loss", math.nan)),
                duration(time.monotonic() - self._clock.begun),
                f", {left}" if left else "",
            )
