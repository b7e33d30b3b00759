"""A training whose loss is known, for tests of what is shown and recorded of it."""

import pytorch_lightning as pl
import torch


class Known(pl.LightningModule):
    """Logs a loss that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, number):
        self.log("train/loss", batch.mean(), on_step=False, on_epoch=True)
        return self.weight.square()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
