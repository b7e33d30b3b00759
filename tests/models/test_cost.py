"""Cost of training: the memory that the forward pass keeps, and the time of an epoch."""

import pytest
import torch

from brain_cae.models.cost import MEBIBYTE, Cost

MODULE = torch.nn.Identity()


def step(cost: Cost, forward) -> None:
    """Run one batch, calling the callback as the trainer does."""
    cost.on_train_batch_start(None, MODULE)
    loss = forward()
    cost.on_before_backward(None, MODULE, loss)
    loss.backward()


def mebibytes(count: int) -> torch.Tensor:
    return torch.ones(count * MEBIBYTE // 4, requires_grad=True)


def test_each_kept_tensor_counts_once():
    cost = Cost()

    def forward():
        kept = mebibytes(4).exp()  # the exponential keeps its result
        return (kept * kept).sum()  # and so does the square: the same tensor

    step(cost, forward)
    assert cost.to_dict()["memory_mb"] == 4.0


def test_the_largest_batch_of_the_first_epoch_counts():
    cost = Cost()
    for count in (1, 3, 2):
        step(cost, lambda count=count: mebibytes(count).exp().sum())
    assert cost.to_dict()["memory_mb"] == 3.0
    cost.seconds.append(1.0)  # the first epoch has ended
    step(cost, lambda: mebibytes(8).exp().sum())
    assert cost.to_dict()["memory_mb"] == 3.0


def test_parameters_are_not_memory_of_the_batch():
    cost, weight = Cost(), torch.nn.Parameter(torch.ones(MEBIBYTE))
    step(cost, lambda: torch.sum(weight * weight))
    assert cost.kept_bytes == 0 and cost.to_dict()["memory_mb"] is None


def test_nothing_is_recorded_after_an_interruption():
    cost = Cost()
    cost.on_train_batch_start(None, MODULE)
    cost.on_exception(None, MODULE, KeyboardInterrupt())
    mebibytes(4).exp().sum().backward()
    assert cost._storages == {}


def test_the_time_is_the_median_over_epochs():
    cost = Cost()
    assert cost.to_dict()["seconds_per_epoch"] is None
    cost.on_train_epoch_start(None, MODULE)
    cost.on_train_epoch_end(None, MODULE)
    assert cost.seconds == [pytest.approx(0, abs=1)]
    cost.seconds = [9.0, 1.0, 2.0]
    assert cost.to_dict()["seconds_per_epoch"] == 2.0


def test_the_time_between_steps_is_a_share_of_the_epoch(monkeypatch):
    cost, clock = Cost(), iter([0.0, 2.0, 5.0, 6.0, 9.0, 12.0])  # epoch, first step, its end, second step, end, epoch
    monkeypatch.setattr("brain_cae.models.cost.time.monotonic", lambda: next(clock))
    cost.on_train_epoch_start(None, MODULE)
    for _ in range(2):
        cost.on_train_batch_start(None, MODULE)
        cost.on_train_batch_end(None, MODULE)
    cost.on_train_epoch_end(None, MODULE)
    cost.on_exception(None, MODULE)
    assert cost.to_dict()["data_wait"] == 0.25  # 2 s and 1 s of 12 s
