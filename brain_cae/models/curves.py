"""Curves of the optimiser: learning rate and norm of the gradient, one point per epoch."""

from typing import Any

import pytorch_lightning as pl
import torch


class OptimiserCurves(pl.Callback):
    """Logs the learning rate and the largest norm of the gradient (before clipping) of each epoch.

    The norm stays on the device until the end of the epoch, so that no step waits for it.
    """

    def __init__(self) -> None:
        self._norms: list[torch.Tensor] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Measure the gradient."""
        gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
        self._norms.append(torch.nn.utils.get_total_norm(gradients).detach())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log one point."""
        if self._norms and trainer.logger is not None:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            norm = float(torch.stack(self._norms).max())
            figures = {"optimiser/learning_rate": rate, "optimiser/gradient_norm": norm}
            trainer.logger.log_metrics(figures, step=trainer.global_step - 1)
        self._norms.clear()
