"""Cost of training: time per epoch and memory per step. Reshape strategies differ in both."""

import logging
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.autograd.graph import saved_tensors_hooks

log = logging.getLogger(__name__)

MEBIBYTE = 2**20


class Cost(pl.Callback):
    """Times every epoch and, in the first one, measures the memory that the forward pass keeps for the backward pass.

    This memory grows with the batch and therefore limits the batch size. It is counted tensor by tensor, since the
    memory of the whole process would also depend on earlier work.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.waits: list[float] = []
        self.kept_bytes = 0
        self._start = 0.0
        self._ready = 0.0
        self._waited = 0.0
        self._volumes = 0
        self._storages: dict[int, int] = {}
        self._hooks = ExitStack()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = self._ready = time.monotonic()
        self._waited = 0.0
        self._volumes = 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the time of the epoch, validation included, and how much of it passed between steps."""
        self.seconds.append(time.monotonic() - self._start)
        self.waits.append(self._waited / max(self.seconds[-1], 1e-9))
        if trainer is not None and trainer.is_global_zero:
            log.debug("epoch of %.2f s, %.1f %% of it waiting for data", self.seconds[-1], 100 * self.waits[-1])
        if trainer is not None and trainer.logger is not None:
            speed = self._volumes * trainer.world_size / max(self.seconds[-1], 1e-9)
            figures = {"speed/volumes_per_second": speed, "speed/data_wait": self.waits[-1]}
            trainer.logger.log_metrics(figures, step=trainer.global_step - 1)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Stop waiting for data, and start recording the tensors that are saved for the backward pass."""
        self._waited += time.monotonic() - self._ready
        if not self.seconds and not getattr(pl_module, "compiled", None):  # compiled code does not support these hooks
            self._storages.clear()
            self._hooks.enter_context(saved_tensors_hooks(self._keep, lambda tensor: tensor))

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Stop recording at the end of the forward pass."""
        self._hooks.close()
        self.kept_bytes = max(self.kept_bytes, sum(self._storages.values()))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Start waiting for data."""
        self._ready = time.monotonic()
        batch = args[1] if len(args) > 1 else {}
        self._volumes += len(batch.get("volume", ()))

    def on_exception(self, *args: Any) -> None:
        """Stop recording."""
        self._hooks.close()

    def _keep(self, tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            self._storages[storage.data_ptr()] = storage.nbytes()
        # Detached: a tensor kept by the step that created it would never be freed.
        return tensor.detach()

    def to_dict(self) -> dict[str, float | None]:
        """Return ``seconds_per_epoch``, ``data_wait`` (share of it) and ``memory_mb`` in MiB.

        The first two are medians: the first epoch also reshapes volumes, or starts the processes that load them.
        """
        return {
            "seconds_per_epoch": round(float(np.median(self.seconds)), 3) if self.seconds else None,
            "data_wait": round(float(np.median(self.waits)), 4) if self.waits else None,
            "memory_mb": round(self.kept_bytes / MEBIBYTE, 1) if self.kept_bytes else None,
        }
