"""One line of the log for each epoch."""

import logging
import re
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar
from torch.utils.data import DataLoader

from brain_cae.models.epochs import EpochBar, EpochLines

from ..known import Known


def fit(tmp_path):
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, callbacks=[EpochLines()], logger=False, default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(Known(), DataLoader(torch.tensor([1.0, 2.0, 6.0]), batch_size=1))
    return trainer


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="brain_cae.models.epochs")
    return lambda: [one.getMessage() for one in caplog.records if one.name == "brain_cae.models.epochs"]


def test_a_line_gives_the_loss_of_its_epoch(tmp_path, lines):
    fit(tmp_path)
    assert [re.sub(r"\(.*\)", "", line) for line in lines()] == [
        "epoch 1 of 2: training loss 3 ",
        "epoch 2 of 2: training loss 3 ",
    ]


def test_a_line_gives_the_time_of_its_epoch(tmp_path, lines, monkeypatch):
    clock = iter([100.0, 107.0, 107.0, 200.0, 263.0, 263.0])
    monkeypatch.setattr("brain_cae.models.epochs.time", type("Clock", (), {"monotonic": lambda: next(clock)}))
    fit(tmp_path)
    assert [line.rpartition(" (")[2] for line in lines()] == ["7 s, about 7 s left)", "1 min 3 s)"]


def test_the_bar_counts_from_one_and_tells_the_time_left_for_all_epochs(monkeypatch):
    clock = iter([0.0, 10.0, 10.0, 30.0, 30.0])
    monkeypatch.setattr("brain_cae.models.epochs.time", type("Clock", (), {"monotonic": lambda: next(clock)}))
    bar, trainer = EpochBar(), SimpleNamespace(max_epochs=10, current_epoch=4)  # resumed in its fifth epoch
    bar._trainer = trainer
    bar.disable()
    shown = []
    for trainer.current_epoch in (4, 5, 6):
        bar.on_train_epoch_start(trainer, None)
        shown.append(bar._get_train_description(trainer.current_epoch))
    assert shown == ["epoch 5 of 10", "epoch 6 of 10, about 50 s left", "epoch 7 of 10, about 1 min 0 s left"]


def test_the_bar_shows_no_version(monkeypatch):
    monkeypatch.setattr(RichProgressBar, "get_metrics", lambda *_: {"v_num": "oard", "train/loss": 0.5})
    assert EpochBar().get_metrics(None, None) == {"train/loss": 0.5}
