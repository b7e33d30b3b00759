"""Noise, smoothness, outline, background and fingerprint measure what they are named after."""

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


def test_noise_is_measured_whatever_lies_under_it(ball) -> None:
    rng = np.random.default_rng(0)
    anatomy = 100 * ball * (1 + 0.2 * ndimage.gaussian_filter(rng.normal(size=ball.shape), 3) * 10)
    for level in (2.0, 5.0):
        noisy = anatomy + ball * rng.normal(0, level, ball.shape)
        found = appearance.noise_and_smoothness(noisy, ONE)["noise"]
        assert found == pytest.approx(level / np.median(noisy[ball]), rel=0.15)


def test_smoothness_is_the_width_of_a_gaussian_in_mm() -> None:
    rng = np.random.default_rng(0)
    spacing = np.array([1.0, 1.0, 2.0])
    field = ndimage.gaussian_filter(rng.normal(size=(60, 60, 40)), 4.0 / 2.355 / spacing)
    found = appearance.noise_and_smoothness(100 + field / field.std(), spacing)["smoothness_mm"]
    # Filtering noise with a width of 4 mm makes a field of that smoothness.
    assert found == pytest.approx(4.0, rel=0.15)


def test_an_empty_scan_has_neither() -> None:
    assert all(np.isnan(value) for value in appearance.noise_and_smoothness(np.zeros((9, 9, 9)), ONE).values())


def test_outline_knows_size_and_nothing_inside(ball) -> None:
    found = appearance.outline(ball, np.array([2.0, 1.0, 1.0]))
    assert found["mask_volume_ml"] == pytest.approx(ball.sum() * 2 / 1000)
    assert found["mask_extent_x_mm"] == pytest.approx(2 * found["mask_extent_y_mm"])
    assert found["mask_centre_z"] == pytest.approx(0.5)
    with pytest.raises(ScanError, match="empty mask"):
        appearance.outline(np.zeros((4, 4, 4), bool), ONE)


def test_background_of_a_stripped_scan_is_the_same_for_all(ball) -> None:
    stripped = appearance.background(100.0 * ball, ball, ONE)
    assert stripped["background_q50"] == 0 and stripped["background_same"] == 1
    noisy = appearance.background(100.0 * ball + 5.0, ball, ONE)
    assert noisy["background_q50"] == pytest.approx(5 / 105)


def test_a_fingerprint_outlives_scale_noise_and_matrix_and_tells_brains_apart(ball) -> None:
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
        found = near_duplicates(np.stack([*prints, appearance.fingerprint(volume, mask)]))
        assert [pair[:2] for pair in found] == [(0, 14)], name
