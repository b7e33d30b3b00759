import numpy as np
import pytest
import torch
from monai.metrics.regression import compute_ssim_and_cs

from brain_cae.scoring.similarity import WINDOW, structural_similarity

SHAPE = (30, 26, 20)


def brain(seed=0):
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in SHAPE], indexing="ij"))
    mask = (grid**2).sum(axis=0) < 0.9
    truth = np.where(mask, 1 + 0.3 * generator.standard_normal((2, *SHAPE)), 0).astype(np.float32)
    return truth, (truth + 0.2 * generator.standard_normal(truth.shape)).astype(np.float32), mask


def of_monai(output, truth, mask):
    values = (torch.from_numpy(np.where(mask, maps, 0)[None]) for maps in (output, truth))
    local, _ = compute_ssim_and_cs(
        *values,
        spatial_dims=3,
        kernel_size=(WINDOW,) * 3,
        kernel_sigma=(1.5,) * 3,
        data_range=float(truth.max()),
        kernel_type="uniform",
    )
    half = WINDOW // 2
    return float(local[0].numpy()[:, mask[half:-half, half:-half, half:-half]].mean())


def test_the_value_is_that_of_monai():
    truth, output, mask = brain()
    assert structural_similarity(output, truth, mask) == pytest.approx(of_monai(output, truth, mask), abs=1e-5)


def test_a_box_of_the_scan_gives_the_value_of_the_whole():
    truth, output, mask = brain()
    mask[:5], mask[25:], mask[:, :1] = False, False, False
    truth = np.where(mask, truth, 0)
    box = (slice(5, 25), slice(1, 26), slice(0, 20))
    of_box = structural_similarity(
        output[(slice(None), *box)], truth[(slice(None), *box)], mask[box], whole=SHAPE, start=(5, 1, 0)
    )
    assert of_box == pytest.approx(structural_similarity(output, truth, mask), abs=1e-6)


def test_a_scan_thinner_than_the_window_has_none():
    truth, output, mask = (part[..., :6] for part in brain())
    assert np.isnan(structural_similarity(output, truth, mask))
    assert structural_similarity(truth, truth, mask, whole=SHAPE, start=(0, 0, 6)) == pytest.approx(1)
