"""Noise, smoothness, outline, background and fingerprint measure what their names say."""

import numpy as np
import pytest
from scipy import ndimage

from brain_cae.audit.leakage import near_duplicates
from brain_cae.data import appearance
from brain_cae.errors import ScanError

ONE = np.ones(3)


@pytest.fixture(scope="module")
def ball() -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 40)] * 3, indexing="ij"))
    return (grid**2).sum(axis=0) < 0.7


def test_the_noise_estimate_does_not_depend_on_anatomy(ball) -> None:
    rng = np.random.default_rng(0)
    anatomy = 100 * ball * (1 + 0.2 * ndimage.gaussian_filter(rng.normal(size=ball.shape), 3) * 10)
    for level in (2.0, 5.0):
        noisy = anatomy + ball * rng.normal(0, level, ball.shape)
        noise = appearance.noise_and_smoothness(noisy, ONE)["noise"]
        assert noise == pytest.approx(level / np.median(noisy[ball]), rel=0.15)


def test_smoothness_is_the_full_width_at_half_maximum_in_mm() -> None:
    rng = np.random.default_rng(0)
    spacing = np.array([1.0, 1.0, 2.0])
    field = ndimage.gaussian_filter(rng.normal(size=(60, 60, 40)), 4.0 / 2.355 / spacing)
    smoothness = appearance.noise_and_smoothness(100 + field / field.std(), spacing)["smoothness_mm"]
    # White noise filtered with a FWHM of 4 mm has a smoothness of 4 mm.
    assert smoothness == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("scale", [1e-25, 1e30])
def test_noise_and_smoothness_do_not_depend_on_the_unit_of_intensities(ball, scale) -> None:
    volume = ball * (100 + ndimage.gaussian_filter(np.random.default_rng(0).normal(size=ball.shape), 1))
    expected = appearance.noise_and_smoothness(volume, ONE)
    assert appearance.noise_and_smoothness(volume * scale, ONE) == pytest.approx(expected, rel=1e-4)


def test_an_empty_scan_has_neither_noise_nor_smoothness() -> None:
    assert all(np.isnan(value) for value in appearance.noise_and_smoothness(np.zeros((9, 9, 9)), ONE).values())


def test_the_outline_measures_volume_and_extent_of_the_mask(ball) -> None:
    shape = appearance.outline(ball, np.array([2.0, 1.0, 1.0]))
    assert shape["mask_volume_ml"] == pytest.approx(ball.sum() * 2 / 1000)
    assert shape["mask_extent_x_mm"] == pytest.approx(2 * shape["mask_extent_y_mm"])
    assert shape["mask_centre_z"] == pytest.approx(0.5)
    with pytest.raises(ScanError, match="empty mask"):
        appearance.outline(np.zeros((4, 4, 4), bool), ONE)


def test_the_background_of_a_stripped_scan_is_constant(ball) -> None:
    stripped = appearance.background(100.0 * ball, ball, ONE)
    assert stripped["background_q50"] == 0 and stripped["background_same"] == 1
    noisy = appearance.background(100.0 * ball + 5.0, ball, ONE)
    assert noisy["background_q50"] == pytest.approx(5 / 105)


def test_a_fingerprint_is_robust_to_scale_noise_and_matrix_and_tells_brains_apart(ball) -> None:
    rng = np.random.default_rng(0)

    def field() -> np.ndarray:
        smooth = ndimage.gaussian_filter(rng.normal(size=ball.shape), 4)
        return smooth / smooth.std()

    common = field()
    brains = [4 + common + field() for _ in range(14)]
    prints = [appearance.fingerprint(brain, ball) for brain in brains]
    first = brains[0]
    changed = {
        "scale": (7 * first, ball),
        "noise": (first + 0.1 * rng.normal(size=ball.shape), ball),
        "matrix": (ndimage.zoom(first, 1.5, order=1), ndimage.zoom(ball.astype(float), 1.5, order=1) > 0.5),
    }
    assert near_duplicates(np.stack(prints)) == []
    for name, (volume, mask) in changed.items():
        pairs = near_duplicates(np.stack([*prints, appearance.fingerprint(volume, mask)]))
        assert [pair[:2] for pair in pairs] == [(0, 14)], name


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_that_are_brighter_in_turn_are_measured(axis):
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 40)] * 3, indexing="ij"))
    head = np.where((grid**2).sum(axis=0) < 0.8, 300 + 100 * grid[0] + 50 * grid[2], 0)
    head += np.random.default_rng(0).rayleigh(5, head.shape)
    assert appearance.alternation(head) < 0.01
    np.moveaxis(head, axis, 0)[::2] *= 0.8
    assert appearance.alternation(head) == pytest.approx(0.2, abs=0.04)


def test_too_few_slices_do_not_alternate():
    assert appearance.alternation(np.ones((4, 4, 4))) == appearance.alternation(np.zeros((40, 40, 40))) == 0


def test_the_brighter_side_is_measured(ball) -> None:
    shade = np.linspace(0.4, 1.6, 40)[:, None, None] * np.ones(ball.shape)
    ratio = appearance.side_ratio(shade, ball)
    assert ratio > 1.5 and appearance.side_ratio(shade[::-1], ball) == pytest.approx(1 / ratio, rel=0.1)
    assert appearance.side_ratio(np.ones(ball.shape), ball) == 1
    assert np.isnan(appearance.side_ratio(np.zeros(ball.shape), ball))
