"""Fine volumes are blurred to the resolution of the coarsest, and coarser ones are not changed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brain_cae.harmonise import Brain
from brain_cae.harmonise.spacing import FWHM, Spacing


def brain(spacing_mm, *, seed=0, shape=(30, 32, 28), voxel_mm=(1.0, 1.0, 1.0), blur_mm=(0.0, 0.0, 0.0)):
    noise = np.random.default_rng(seed).normal(size=shape)
    volume = 1 + gaussian_filter(noise, np.asarray(blur_mm) / FWHM / voxel_mm)
    mask = np.zeros(shape, bool)
    mask[3:-3, 3:-3, 3:-3] = True
    volume = np.where(mask, volume, 0)[None].astype(np.float32)
    return Brain(volume, mask, np.asarray(voxel_mm), np.asarray([spacing_mm], dtype=float))


def roughness(volume, mask):
    """Return the mean squared difference of neighbours along each axis, divided by the variance."""
    inside = volume[0][3:-3, 3:-3, 3:-3]
    return np.array([(np.diff(inside, axis=axis) ** 2).mean() for axis in range(3)]) / inside.var()


def test_target_is_the_coarsest_along_each_axis():
    step = Spacing().fit([brain((1, 1, 5)), brain((4, 1, 1))])
    assert step.target_mm.tolist() == [[4, 1, 5]]


def test_a_fine_volume_becomes_as_smooth_as_a_coarse_one():
    fine, coarse = brain((1, 1, 1)), brain((1, 1, 5), blur_mm=(0, 0, np.sqrt(24)), seed=1)
    step = Spacing().fit([fine, coarse])
    before, after, aim = (roughness(volume, fine.mask) for volume in (fine.volume, step.apply(fine), coarse.volume))
    assert before[2] / aim[2] > 5
    assert after[2] == pytest.approx(aim[2], rel=0.15)
    assert after[0] == pytest.approx(before[0], rel=0.1)
    np.testing.assert_array_equal(step.apply(coarse), coarse.volume)


def test_a_volume_coarser_than_the_target_passes_unchanged():
    step = Spacing().fit([brain((1, 1, 3))])
    coarser = brain((1, 1, 6))
    assert not step.reaches(coarser)
    np.testing.assert_array_equal(step.apply(coarser), coarser.volume)
    assert step.reaches(brain((1, 1, 3.1)))


def test_background_does_not_leak_into_the_mask():
    step = Spacing().fit([brain((6, 6, 6))])
    one = brain((1, 1, 1))
    flat = Brain(np.where(one.mask, 2.0, 0)[None], one.mask, one.voxel_mm, one.spacing_mm)
    blurred = step.apply(flat)
    np.testing.assert_allclose(blurred[0][one.mask], 2.0, rtol=1e-5)
    assert (blurred[0][~one.mask] == 0).all()


def test_the_blur_in_mm_does_not_depend_on_the_grid():
    """On a coarser grid, the same width in mm is fewer voxels."""
    step = Spacing().fit([brain((1, 1, 6))])
    impulses = []
    for side in (1.0, 2.0):
        size = int(48 / side)
        volume = np.zeros((1, 4, 4, size), np.float32)
        volume[..., size // 2] = 1 / side
        given = Brain(volume, np.ones((4, 4, size), bool), np.array([1, 1, side]), np.array([[1.0, 1, 1]]))
        line = step.apply(given)[0, 2, 2]
        place = (np.arange(size) - size // 2) * side
        impulses.append(np.sqrt((line * place**2).sum() / line.sum()))
    assert impulses[0] == pytest.approx(np.sqrt(35) / FWHM, rel=0.03)
    assert impulses[1] == pytest.approx(impulses[0], rel=0.03)


def test_round_trip():
    step = Spacing().fit([brain((1, 2, 3))])
    again = Spacing().restore(step.state())
    np.testing.assert_array_equal(again.apply(brain((1, 1, 1))), step.apply(brain((1, 1, 1))))
