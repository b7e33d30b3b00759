"""Checkpoints that an interrupted training leaves, and what a resumed one makes of them."""

import pytest
import torch

from brain_cae.models.checkpoints import KeptCheckpoint, WholeCheckpoint


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


def test_the_checkpoint_of_a_resumed_run_lies_in_the_new_folder(tmp_path):
    before, after = (KeptCheckpoint(tmp_path / name, filename="last") for name in ("old", "new"))
    old = str(tmp_path / "old" / "last.ckpt")
    before.best_model_path = before.kth_best_model_path = old
    before.best_k_models = {old: torch.tensor(0.25)}
    after.load_state_dict(before.state_dict())
    new = str(tmp_path / "new" / "last.ckpt")
    assert after.best_model_path == after.kth_best_model_path == new
    assert after.best_k_models == {new: torch.tensor(0.25)}
    assert after.last_model_path == ""
