"""Batches in two real processes (gloo), as PyTorch Lightning runs them."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
import pytorch_lightning as pl
import torch
from brain_cae.data.module import BrainData
from brain_cae.data.subject import PreparedSubject
from brain_cae.reshape import Clustered


class Watch(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen = []

    def training_step(self, batch, number):
        shapes = {tuple(volume.shape) for volume in batch["volume"]}
        self.seen.append([self.current_epoch, batch["subject"], len(shapes)])
        return self.layer(batch["volume"].mean().reshape(1, 1)).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def subject(number):
    shape = (16, 8, 8) if number < 7 else (8, 16, 24)
    mask = np.ones(shape, bool)
    volume = mask[None].astype(np.float32)
    return PreparedSubject(
        subject=f"s{number}",
        volume=volume,
        mask=mask,
        affine=np.eye(4),
        lesion=None,
        source_affine=np.eye(4),
        source_shape=shape,
    )


if __name__ == "__main__":
    subjects = [subject(number) for number in range(12)]
    reshape = Clustered().fit([one.grid for one in subjects])
    data = BrainData(subjects, reshape, stride=8, batch_size=2, seed=1)
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=0,
    )
    watch = Watch()
    trainer.fit(watch, data)
    (Path(sys.argv[1]) / f"{trainer.global_rank}.json").write_text(json.dumps(watch.seen))
"""


@pytest.mark.extras
def test_two_processes_share_each_epoch(tmp_path):
    (tmp_path / "watch.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "watch.py"), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    epochs = []
    for epoch in (0, 1):
        parts = [[subjects for e, subjects, _ in rank if e == epoch] for rank in ranks]
        assert len(parts[0]) == len(parts[1]) == 4  # 4 + 3 batches, one of them twice
        counts = Counter(tuple(sorted(batch)) for part in parts for batch in part)
        assert sorted(counts.values()) == [1] * 6 + [2]
        assert sorted({name for batch in counts for name in batch}) == sorted(f"s{n}" for n in range(12))
        assert sum(len(batch) for batch in counts) == 12
        epochs.append(parts)
    assert epochs[0] != epochs[1]
    for rank in ranks:
        assert {shapes for _, _, shapes in rank} == {1}
