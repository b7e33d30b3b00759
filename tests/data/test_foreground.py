import numpy as np
import pytest

from brain_cae.data.foreground import foreground_mask, intensity_scale
from brain_cae.errors import ScanError


def ball(size=32, radius=10):
    grid = np.stack(np.meshgrid(*[np.arange(size) - size / 2] * 3, indexing="ij"))
    return (grid**2).sum(axis=0) < radius**2


@pytest.mark.parametrize("background", [0.0, -3.5])
def test_a_stripped_brain_is_what_is_not_background(background):
    truth = ball()
    volume = np.where(truth, 100.0, background)
    volume[16, 16, 16] = background  # a hole
    assert np.array_equal(foreground_mask(volume, np.eye(4)), truth)


def test_a_head_in_noise_is_found():
    generator = np.random.default_rng(0)
    truth = ball(40, 13)
    volume = np.abs(generator.normal(0, 4, truth.shape)) + np.where(truth, 100, 0)
    found = foreground_mask(volume, np.eye(4))
    assert (found & truth).sum() * 2 / (found.sum() + truth.sum()) > 0.95


def test_nothing_but_background_is_refused():
    with pytest.raises(ScanError, match="empty mask"):
        foreground_mask(np.zeros((8, 8, 8)), np.eye(4))


@pytest.mark.parametrize("method", ["median", "white_matter"])
def test_a_tumour_does_not_move_the_scale(method):
    generator = np.random.default_rng(0)
    healthy = np.concatenate([generator.normal(60, 4, 3000), generator.normal(100, 4, 6000)])
    tumour = np.concatenate([healthy, generator.normal(220, 10, 900)])
    plain, changed = intensity_scale(healthy, method), intensity_scale(tumour, method)
    assert abs(changed / plain - 1) < 0.02
    assert np.percentile(tumour, 99) / np.percentile(healthy, 99) > 1.9


def test_a_scale_that_is_not_positive_is_refused():
    with pytest.raises(ScanError, match="no positive intensity scale"):
        intensity_scale(np.zeros(10), "median")
