"""Training: loss inside the mask, optimiser, schedule, logging. The network itself does not depend on Lightning."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional

from brain_cae.errors import BrainCaeError, ScanError
from brain_cae.models.loss import masked_errors

Batch = dict[str, Any]


class HealthyAutoencoder(pl.LightningModule):
    """Trains an autoencoder to reproduce healthy brains.

    A batch is a dictionary of plain tensors and lists: ``volume`` (N, C, X, Y, Z), ``mask`` (N, 1, X, Y, Z) of
    0 and 1, ``subject`` (N names); other entries are not used.

    Args:
        network: The plain network.
        loss: ``l1`` or ``l2``, averaged over the voxels inside the mask.
        learning_rate: Peak rate of AdamW, reached after a short warm-up and lowered along a cosine.
        weight_decay: Weight decay of AdamW.
        corruption: Standard deviation of coarse Gaussian noise added to the input in training (0: none);
            the target stays clean (denoising autoencoder, Kascenas et al. 2022).
        seed: Seed of the corruption. Each step has a separate stream, so that a resumed run continues with the same
            noise as an uninterrupted one.
        modalities: Names of the channels, for the curves of the loss; none are drawn without them, or of one alone.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        loss: str = "l1",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        corruption: float = 0.0,
        seed: int = 0,
        modalities: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.corruption = corruption
        self.seed = seed
        self.modalities = tuple(modalities) if len(modalities) > 1 else ()
        # In a list, so that its parameters are not registered and stored twice.
        self.compiled: list[Callable[[torch.Tensor], torch.Tensor]] = []

    def reconstruct(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction (N, C, X, Y, Z), by the compiled network if there is one."""
        return self.compiled[0](volumes) if self.compiled else self.network(volumes)

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        """Return the training loss on healthy brains.

        Raises:
            ScanError: The input holds values that are not finite; the subjects are named.
            BrainCaeError: The loss is not finite.
        """
        volume, mask = batch["volume"], batch["mask"]
        output = self.reconstruct(self._corrupt(volume, mask, self.global_step))
        loss, channels = self._errors(output, volume, mask)
        if not torch.isfinite(loss):
            raise self._not_finite(batch)
        size = len(volume)
        self.log(
            "train/loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=size, sync_dist=True
        )
        if self.modalities:
            for name, value in zip(self.modalities, channels, strict=True):
                self.log(f"train/loss_{name}", value, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return loss

    def configure_optimizers(self) -> Any:
        """Return AdamW with one warm-up and one cosine decay over all steps."""
        optimiser = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        steps = max(2, int(self.trainer.estimated_stepping_batches))
        # With ten steps, a tenth is a warm-up of length zero, and PyTorch divides by zero.
        warm_up = 0.1 if steps != 10 else 0.11
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.learning_rate, total_steps=steps, pct_start=warm_up
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _errors(
        self, output: torch.Tensor, volume: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return masked_errors(output, volume, mask, power=1 if self.loss == "l1" else 2)

    def _corrupt(self, volume: torch.Tensor, mask: torch.Tensor, step: int) -> torch.Tensor:
        if self.corruption == 0:
            return volume
        coarse = [max(2, size // 8) for size in volume.shape[2:]]
        generator = np.random.default_rng([self.seed, self.global_rank, step])
        noise = torch.from_numpy(generator.standard_normal((*volume.shape[:2], *coarse), np.float32)).to(volume)
        return torch.addcmul(volume, _enlarged(noise, volume.shape[2:]), mask, value=self.corruption)

    def _not_finite(self, batch: Batch) -> BrainCaeError:
        broken = [
            name
            for name, volume in zip(batch["subject"], batch["volume"], strict=True)
            if not torch.isfinite(volume).all()
        ]
        if broken:
            return ScanError(
                "non-finite values", where=f"subject {', '.join(broken)}", advice="Check this scan, or exclude it."
            )
        return BrainCaeError(
            "The loss became NaN or infinite, although the scans are finite.",
            where=f"epoch {self.current_epoch}, subjects {', '.join(batch['subject'])}",
            advice="Lower model.learning_rate, or set trainer.precision=32-true.",
        )


def _enlarged(volumes: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Interpolate (N, C, x, y, z) linearly to (N, C, *size).

    A matrix product per axis gives the result of ``functional.interpolate``, which takes a tenth of a training step.
    """
    x, y, z = (
        functional.interpolate(torch.eye(old).to(volumes)[None], size=new, mode="linear", align_corners=False)[0]
        for old, new in zip(volumes.shape[2:], size, strict=True)
    )
    with torch.autocast(volumes.device.type, enabled=False):
        lines = y.T @ (volumes @ z)
        return (x.T @ lines.flatten(3)).unflatten(3, lines.shape[3:])
