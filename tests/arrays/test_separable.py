import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from brain_cae.arrays.separable import along_axes, between, gaussian, resizing

SHAPE = (13, 9, 22)


@pytest.fixture
def volume():
    return torch.from_numpy(np.random.default_rng(0).random((2, *SHAPE), np.float32))


@pytest.mark.parametrize("shape", [(13, 9, 22), (20, 5, 3), (6, 31, 40), (1, 1, 1)])
def test_resizing_is_trilinear_interpolation(volume, shape):
    resized = along_axes(volume, [resizing(*sizes) for sizes in zip(SHAPE, shape, strict=True)])
    expected = torch.nn.functional.interpolate(volume[None], size=shape, mode="trilinear", align_corners=False)[0]
    np.testing.assert_allclose(resized, expected, atol=2e-6)


@pytest.mark.parametrize("sigma", [0.4, 1.7, 9.0])
def test_gaussian_has_the_weights_of_scipy(volume, sigma):
    smoothed = along_axes(volume, [gaussian(size, sigma) for size in SHAPE])
    expected = [gaussian_filter(channel.numpy(), sigma, mode="constant") for channel in volume]
    np.testing.assert_allclose(smoothed, np.stack(expected), atol=2e-6)


def test_an_axis_without_matrix_stays(volume):
    assert along_axes(volume, [None, None, None]) is volume
    turned = along_axes(volume, [None, np.eye(9)[::-1].copy(), None])
    np.testing.assert_array_equal(turned, volume.flip(2))


@pytest.mark.parametrize("size", [1, 6, 7, 22])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_between_samples_a_straight_line_stays_straight(size, step):
    matrix = between(size, step)
    samples = 2.0 + 3.0 * step * np.arange(matrix.shape[1])
    np.testing.assert_allclose(matrix @ samples, 2.0 + 3.0 * np.arange(size), rtol=1e-6)
