import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.nn import functional

from brain_cae.data.module import BrainData
from brain_cae.errors import BrainCaeError, ScanError
from brain_cae.models.autoencoder import ConvolutionalAutoencoder
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.reshape import Clustered


@pytest.fixture
def data(make_subject):
    subjects = [make_subject(f"s{i}", shape=(24, 28, 20) if i % 2 else (16, 16, 24), seed=i) for i in range(6)]
    reshape = Clustered().fit([subject.grid for subject in subjects])
    return BrainData(subjects, reshape, stride=4, batch_size=2, seed=0)


def module(**changes):
    torch.manual_seed(0)
    return HealthyAutoencoder(ConvolutionalAutoencoder(2, (4, 8), (2, 2), 4), **{"learning_rate": 0.01, **changes})


def trainer(folder, epochs=2):
    best = pl.callbacks.ModelCheckpoint(folder, filename="best")
    return pl.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[best], logger=False, default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip


@pytest.mark.parametrize("steps", [9, 10, 11, 40])
def test_the_learning_rate_ends_near_zero_whatever_the_number_of_steps(steps):
    model = module()
    model._trainer = SimpleNamespace(estimated_stepping_batches=steps)
    configured = model.configure_optimizers()
    rates = []
    for _ in range(steps - 1):
        rates.append(configured["lr_scheduler"]["scheduler"].get_last_lr()[0])
        configured["optimizer"].step()
        configured["lr_scheduler"]["scheduler"].step()
    assert 0.008 < max(rates) <= 0.01
    assert configured["lr_scheduler"]["scheduler"].get_last_lr()[0] < 1e-4


def test_a_checkpoint_loads_with_weights_only_in_a_process_that_does_not_import_the_package(tmp_path, data):
    trainer(tmp_path).fit(module(), data)
    code = f"import torch; print(len(torch.load({str(tmp_path / 'best.ckpt')!r}, weights_only=True)['state_dict']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 4


def test_training_lowers_the_loss(tmp_path, data):
    model, first, runs = module(), trainer(tmp_path, epochs=1), trainer(tmp_path, epochs=25)
    first.fit(module(), data)
    runs.fit(model, data)
    assert float(runs.callback_metrics["train/loss"]) < 0.5 * float(first.callback_metrics["train/loss"])


def test_the_loss_is_computed_only_inside_the_mask():
    model = module()
    volume, mask = torch.rand(1, 2, 8, 8, 8), torch.zeros(1, 1, 8, 8, 8)
    mask[..., :4] = 1
    output = volume.clone()
    output[..., 4:] += 100
    assert model._errors(output, volume, mask)[0] == 0
    output[..., :4] += 0.5
    assert float(model._errors(output, volume, mask)[0]) == pytest.approx(0.5, abs=1e-5)


def test_corruption_is_new_each_time_and_repeats_by_seed():
    model = module(corruption=0.3)
    volume, mask = torch.ones(1, 2, 16, 16, 16), torch.ones(1, 1, 16, 16, 16)
    drawn = [model._corrupt(volume, mask, step) for step in range(6)]
    assert len({float(item.sum()) for item in drawn}) == 6
    assert torch.equal(module(corruption=0.3)._corrupt(volume, mask, 4), drawn[4])
    assert not torch.equal(module(corruption=0.3, seed=1)._corrupt(volume, mask, 4), drawn[4])
    assert torch.equal(module()._corrupt(volume, mask, 0), volume)


@pytest.mark.parametrize("half", [False, True])
def test_corruption_is_coarse_noise_inside_the_mask_interpolated_in_single_precision(half):
    volume, mask = torch.rand(2, 2, 24, 40, 16), (torch.rand(2, 1, 24, 40, 16) > 0.5).float()
    noise = np.random.default_rng([0, 0, 3]).standard_normal((2, 2, 3, 5, 2), np.float32)
    smooth = functional.interpolate(torch.from_numpy(noise), size=(24, 40, 16), mode="trilinear", align_corners=False)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        corrupted = module(corruption=0.3)._corrupt(volume, mask, 3)
    torch.testing.assert_close(corrupted, volume + 0.3 * smooth * mask, rtol=1e-5, atol=1e-5)


def test_input_that_is_not_finite_names_the_subject(tmp_path, data):
    data.train[1]["volume"][0, 5, 5, 5] = float("nan")
    with pytest.raises(ScanError, match=data.train[1]["subject"]):
        trainer(tmp_path).fit(module(), data)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path, data):
    model = module()
    with torch.no_grad():
        next(model.network.parameters()).fill_(float("inf"))
    with pytest.raises(BrainCaeError, match="NaN or infinite"):
        trainer(tmp_path).fit(model, data)


def test_two_runs_of_one_seed_end_in_the_same_weights(tmp_path, data):
    ends = []
    for name in "ab":
        model = module()
        trainer(tmp_path / name).fit(model, data)
        ends.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(*ends)
