"""Checkpoints that an interrupted training leaves, and what a resumed one makes of them."""

from types import SimpleNamespace

import pytest
import torch

from brain_cae.models.checkpoints import KeptCheckpoint, Patience, WholeCheckpoint


@pytest.mark.parametrize(("waited", "stops"), [(2, False), (3, True)])
def test_patience_that_ran_out_before_the_interruption_stops_the_resumed_training(waited, stops):
    callback = Patience("validation/loss", patience=3)
    callback.load_state_dict(callback.state_dict() | {"wait_count": waited, "patience": 3})
    trainer = SimpleNamespace(should_stop=False)
    callback.on_train_start(trainer, None)
    assert trainer.should_stop is stops


def test_a_checkpoint_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_text("an older checkpoint")
    WholeCheckpoint().save_checkpoint({"weights": torch.full((2,), 7.0)}, path)
    assert torch.load(path, weights_only=True)["weights"].tolist() == [7.0, 7.0]
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_text("an older checkpoint")
    with pytest.raises(Exception, match="local object"):
        WholeCheckpoint().save_checkpoint({"weights": lambda: None}, path)
    assert path.read_text() == "an older checkpoint"


def test_the_best_of_a_resumed_run_lies_in_the_new_folder(tmp_path):
    before, after = (
        KeptCheckpoint(tmp_path / name, filename="best", monitor="validation/loss") for name in ("old", "new")
    )
    old = str(tmp_path / "old" / "best.ckpt")
    before.best_model_path = before.kth_best_model_path = old
    before.best_k_models = {old: torch.tensor(0.25)}
    before.best_model_score = torch.tensor(0.25)
    after.load_state_dict(before.state_dict())
    new = str(tmp_path / "new" / "best.ckpt")
    assert after.best_model_path == after.kth_best_model_path == new
    assert after.best_k_models == {new: torch.tensor(0.25)}
    assert after.last_model_path == ""
    assert after.best_model_score == pytest.approx(0.25)
