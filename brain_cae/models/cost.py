"""What learning costs: time of an epoch, memory of a step. Strategies of reshape differ in both."""

import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.autograd.graph import saved_tensors_hooks

MEBIBYTE = 2**20


class Cost(pl.Callback):
    """Times every epoch, and counts in the first one what the forward pass of each batch keeps for the backward pass.

    That is the memory which grows with the batch, and so decides how large a batch may be. It is counted tensor by
    tensor: the memory of the whole process would depend on what ran in it before.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.kept_bytes = 0
        self._start = 0.0
        self._storages: dict[int, int] = {}
        self._watch = ExitStack()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count the time."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The epoch ends, validation included."""
        self.seconds.append(time.monotonic() - self._start)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Watch what is kept from here to the backward pass."""
        if not self.seconds and not getattr(pl_module, "compiled", None):  # compiled code takes no such hooks
            self._storages.clear()
            self._watch.enter_context(saved_tensors_hooks(self._keep, lambda tensor: tensor))

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """The forward pass has ended."""
        self._watch.close()
        self.kept_bytes = max(self.kept_bytes, sum(self._storages.values()))

    def on_exception(self, *args: Any) -> None:
        """Stop watching."""
        self._watch.close()

    def _keep(self, tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            self._storages[storage.data_ptr()] = storage.nbytes()
        # Detached: a tensor that is kept by the step that made it would never be freed.
        return tensor.detach()

    def to_dict(self) -> dict[str, float | None]:
        """``seconds_per_epoch``, the median: the first epoch also reshapes the volumes; ``memory_mb`` in MiB."""
        return {
            "seconds_per_epoch": round(float(np.median(self.seconds)), 3) if self.seconds else None,
            "memory_mb": round(self.kept_bytes / MEBIBYTE, 1) if self.kept_bytes else None,
        }
