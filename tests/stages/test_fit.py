"""A short training: seeds, files on disk, and the checkpoints of a resumed run."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment

from brain_cae.configuration.schema import Logger
from brain_cae.errors import BrainCaeError, StorageError
from brain_cae.stages import fit
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.fit import assemble, copy_checkpoints, environment, learn, members

from ..conftest import INTERRUPTED, TINY_NETWORK

SPLITS = pd.DataFrame({"subject": list("dcba"), "role": ["train", "validation", "train", "test"]})


@pytest.fixture
def cohort(make_subject):
    prepared = {name: make_subject(name, shape=(16, 16, 16), seed=number) for number, name in enumerate("abcd")}
    return Cohort(pd.DataFrame(), pd.DataFrame(), [], ["t1", "flair"], "flair", prepared=prepared)


@pytest.fixture
def config(make_config):
    return make_config("modality=t1_flair", *TINY_NETWORK, "trainer=cpu", "trainer.max_epochs=2",
                       "trainer.precision=32-true", "trainer.progress=false")  # fmt: skip


def train(config, assembly, folder):
    return learn(config.trainer, assembly, folder, modalities=config.modality.names, logger=Logger("csv"))


def test_members_of_a_role_are_in_the_order_of_the_splits():
    assert members(SPLITS, "train") == ["d", "b"] and members(SPLITS, "classifier") == []


def test_the_same_seed_gives_the_same_network_and_reshape_is_fitted_on_training_brains_only(config, cohort):
    first, second = (assemble(config, cohort, SPLITS) for _ in range(2))
    for one, other in zip(first.modules[""].network.parameters(), second.modules[""].network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert sum(group["members"] for group in first.reshape.groups()) == 2
    few = assemble(replace(config, overfit_subjects=1), cohort, SPLITS)
    assert sum(group["members"] for group in few.reshape.groups()) == 1


def test_the_last_weights_are_in_the_module_and_on_disk(config, cohort, tmp_path):
    assembly = assemble(config, cohort, SPLITS)
    cost = train(config, assembly, tmp_path)
    kept = tmp_path / "checkpoints"
    assert (kept / "best.ckpt").read_bytes() == (kept / "last.ckpt").read_bytes()
    best = torch.load(kept / "best.ckpt", weights_only=True)["state_dict"]
    for name, value in assembly.modules[""].network.state_dict().items():
        assert torch.equal(value, best[f"network.{name}"])
    assert len(cost.seconds) == 2
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert (tmp_path / "tensorboard" / "metrics.csv").is_file()


def test_a_loss_that_is_not_finite_stops_the_training(config, cohort, tmp_path):
    assembly = assemble(config, cohort, SPLITS)
    with torch.no_grad():
        next(iter(assembly.modules[""].network.parameters())).fill_(float("nan"))
    with pytest.raises(BrainCaeError, match="loss"):
        train(config, assembly, tmp_path)


def test_a_resumed_run_copies_the_checkpoints(make_config, interrupted, tmp_path):
    (interrupted / "checkpoints" / "best.ckpt").write_text("best")
    (interrupted / "checkpoints" / ".last.ckpt.part1").write_text("partial")
    (tmp_path / "new").mkdir()
    path = copy_checkpoints(make_config(*INTERRUPTED, f"resume={interrupted}"), tmp_path / "new")
    assert path == interrupted / "checkpoints" / "last.ckpt"
    copied = [file.name for file in (tmp_path / "new" / "checkpoints").iterdir()]
    assert sorted(copied) == ["best.ckpt", "last.ckpt"]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["checkpoints"]


def test_a_new_run_has_no_checkpoint(make_config, interrupted, tmp_path, caplog):
    assert copy_checkpoints(make_config(*INTERRUPTED), tmp_path) is None and not caplog.records
    (interrupted / "checkpoints" / "last.ckpt").unlink()
    assert copy_checkpoints(make_config(*INTERRUPTED, f"resume={interrupted}"), tmp_path) is None
    assert "training starts again" in caplog.text


def test_lightning_puts_no_job_back_into_the_queue_of_slurm(make_config, monkeypatch):
    for name, value in {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    (alone,) = environment(make_config("trainer=cpu").trainer)
    (several,) = environment(make_config("trainer=ddp", "trainer.devices=2").trainer)
    assert isinstance(alone, LightningEnvironment)
    assert isinstance(several, SLURMEnvironment) and not several.auto_requeue


@pytest.mark.parametrize(
    "text",
    [
        "unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. The workers may be out of shared memory.",
    ],
)
def test_a_full_shared_memory_is_named(text):
    with pytest.raises(StorageError, match=r"trainer\.workers=0"), fit._naming_shared_memory():
        raise RuntimeError(f"Caught in a worker.\n{text}")
    with pytest.raises(RuntimeError, match="another"), fit._naming_shared_memory():
        raise RuntimeError("another error")
