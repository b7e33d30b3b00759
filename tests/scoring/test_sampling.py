"""A smooth map says the same at every second voxel as at all of them."""

import numpy as np
import pytest

from brain_cae.scoring.sampling import Sampling
from brain_cae.scoring.signal import Signal
from brain_cae.scoring.smoothing import smooth_inside

SPACING = (1.0, 0.9, 3.0)
SHAPE = (41, 44, 15)


def ball() -> np.ndarray:
    grid = np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    return ((grid / (np.array(SHAPE)[:, None, None, None] / 2.2)) ** 2).sum(axis=0) < 1


@pytest.mark.parametrize(
    ("spacing", "sigma_mm", "density", "steps"),
    [
        ((1.0, 1.0, 1.0), 4.0, 2.0, (2, 2, 2)),
        ((0.5, 0.9, 3.0), 4.0, 2.0, (4, 2, 1)),
        ((1.00000001, 0.99999999, 1.0), 4.0, 2.0, (2, 2, 2)),  # as after a rotation
        ((1.1, 1.1, 1.1), 4.0, 2.0, (1, 1, 1)),
        ((1.0, 1.0, 1.0), 0.0, 2.0, (1, 1, 1)),
        ((0.5, 0.5, 0.5), 4.0, 0.0, (1, 1, 1)),
    ],
)
def test_steps_follow_the_smoothing_and_the_voxels(spacing, sigma_mm, density, steps):
    assert Sampling.of(ball(), spacing, sigma_mm, density).steps == steps


def test_a_mask_that_the_samples_miss_is_taken_whole():
    mask = np.zeros(SHAPE, bool)
    mask[4, 4, 4] = True
    assert Sampling.of(mask, SPACING, 4.0, 2.0).is_whole


def test_samples_are_those_of_the_whole_smoothed_map():
    mask = ball()
    sampling = Sampling.of(mask, SPACING, 4.0, 2.0)
    assert sampling.steps == (2, 2, 1)
    maps = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    whole = smooth_inside(maps, mask, SPACING, 4.0)
    some = smooth_inside(maps, mask, SPACING, 4.0, sampling)
    np.testing.assert_allclose(some, whole[(slice(None), *sampling.places)], atol=1e-6)
    back = sampling.at_all_voxels(some[:, sampling.inside])
    assert back.shape == (2, mask.sum())
    error = np.abs(back - whole[:, mask]) / whole[:, mask].std()
    assert error.mean() < 0.05 and np.quantile(error, 0.99) < 0.4  # the rest is at the rim


def test_beyond_the_last_sample_the_nearest_one_counts():
    mask = np.zeros((7, 6, 4), bool)
    mask[1:6] = True
    sampling = Sampling(mask, (3, 2, 1))
    values = np.indices(mask.shape)[0][sampling.places][sampling.inside]
    back = np.zeros(mask.shape)
    back[mask] = sampling.at_all_voxels(values[None])[0]
    np.testing.assert_allclose(back[:, 0, 0], [0, 1, 2, 3, 4, 4, 0], atol=1e-6)


def test_a_voxel_of_every_part_of_the_mask_gets_a_value():
    mask = ball()
    mask[0, 0, 0] = True  # no sample
    sampling = Sampling.of(mask, SPACING, 4.0, 2.0)
    assert not sampling.inside[0, 0, 0]
    assert np.isfinite(sampling.at_all_voxels(np.ones((1, sampling.inside.sum())))).all()


def test_a_signal_keeps_its_place_in_the_frame_and_its_volume():
    mask = ball()
    maps = np.indices(SHAPE)[:1].astype(np.float32) * mask
    dense, sampled = (
        Signal.smoothed(maps, mask, "a", None, spacing=SPACING, sigma_mm=4.0, density=density) for density in (0, 2.0)
    )
    assert sampled.voxel_ml == pytest.approx(dense.voxel_ml) and np.array_equal(sampled.brain, mask)
    frame = (12, 12, 12)
    one, other = dense.framed(frame), sampled.framed(frame)
    both = one.mask & other.mask
    assert both.sum() > 0.9 * one.mask.sum()
    assert np.abs(one.maps - other.maps)[:, both].mean() < 0.3
    assert sampled.at_all_voxels(sampled.values).shape == dense.values.shape
    assert sampled.at_all_voxels(sampled.values[0]).shape == dense.values[0].shape
