"""The panel of training brains: when it is drawn, for how many brains, and what it shows."""

from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.loggers import TensorBoardLogger

from brain_cae.models.panel import BRAINS, TrainingPanel


class Log(TensorBoardLogger):
    """A logger that keeps the figures that it receives."""

    def __init__(self, folder):
        super().__init__(folder)
        self.kept = []

    @property
    def experiment(self):
        return SimpleNamespace(add_figure=lambda name, figure, epoch: self.kept.append((name, figure, epoch)))


def item(number: int) -> dict:
    mask = torch.zeros(1, 4, 4, 4)
    mask[..., :2] = 1
    return {"volume": torch.full((2, 4, 4, 4), float(number)), "mask": mask, "spacing": torch.tensor([1.0, 2.0, 3.0])}


@pytest.fixture
def trained(tmp_path):
    data = SimpleNamespace(train=[item(number) for number in range(1, 6)])
    return SimpleNamespace(current_epoch=0, max_epochs=6, is_global_zero=True, logger=Log(tmp_path), datamodule=data)


MODULE = SimpleNamespace(network=lambda volumes: 0.25 * volumes, device="cpu")


def test_it_draws_every_few_epochs_and_the_last_one(trained):
    panel = TrainingPanel(lambda *stacks, **told: None, modalities=["t1", "flair"], every=2)
    for trained.current_epoch in range(6):
        panel.on_train_epoch_end(trained, MODULE)
    assert sorted({epoch for _, _, epoch in trained.logger.kept}) == [0, 2, 4, 5]
    assert [name for name, _, epoch in trained.logger.kept if epoch == 5] == [
        f"train/brain_{number}" for number in range(BRAINS)
    ]


def test_the_residual_uses_the_output_inside_the_mask_only(trained):
    told = []
    panel = TrainingPanel(lambda *stacks, **names: told.append((stacks, names)), modalities=["t1", "flair"], every=1)
    panel.on_train_epoch_end(trained, MODULE)
    (volume, output, residual), names = told[1]
    assert names == {"modalities": ["t1", "flair"], "spacing": [1.0, 2.0, 3.0]}
    assert volume.shape == output.shape == residual.shape == (1, 2, 4, 4, 4)
    assert (output[..., :2] == 0.5).all() and (output[..., 2:] == 0).all()
    assert (residual[..., :2] == 1.5).all()


def test_other_processes_and_other_loggers_draw_nothing(trained):
    panel = TrainingPanel(lambda *stacks, **told: pytest.fail("drawn"), modalities=["t1", "flair"], every=1)
    trained.is_global_zero = False
    panel.on_train_epoch_end(trained, MODULE)
    trained.is_global_zero, trained.logger = True, None
    panel.on_train_epoch_end(trained, MODULE)
