"""The training loss of each epoch is kept, also over an interruption."""

from types import SimpleNamespace

import torch

from brain_cae.models.history import LossHistory


def test_losses_continue_after_an_interruption_in_plain_values():
    first, second = LossHistory(), LossHistory()
    for value in (0.5, 0.25):
        first.on_train_epoch_end(SimpleNamespace(callback_metrics={"train/loss": torch.tensor(value)}), None)
    second.load_state_dict(first.state_dict())
    second.on_train_epoch_end(SimpleNamespace(callback_metrics={"train/loss": torch.tensor(0.125)}), None)
    assert second.table().to_dict("list") == {"epoch": [1, 2, 3], "loss": [0.5, 0.25, 0.125]}
    assert all(type(value) is float for value in second.losses)
