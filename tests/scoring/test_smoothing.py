import numpy as np
import pytest

from brain_cae.scoring.smoothing import smooth_inside


def test_a_constant_stays_one_up_to_the_edge_of_the_mask():
    mask = np.zeros((20, 20, 10), bool)
    mask[4:15, 3:17, 2:8] = True
    maps = np.where(mask, 3.0, 999.0)[None]
    smoothed = smooth_inside(maps, mask, (2.0, 2.0, 4.0), 4.0)
    assert smoothed[0][mask] == pytest.approx(3.0, abs=1e-4)
    assert not smoothed[0][~mask].any()


def test_the_width_is_in_mm():
    mask = np.ones((41, 41, 41), bool)
    point = np.zeros((1, 41, 41, 41))
    point[0, 20, 20, 20] = 1
    smoothed = smooth_inside(point, mask, (1.0, 2.0, 4.0), 4.0)[0]
    for axis, side in enumerate((1.0, 2.0, 4.0)):
        profile = np.moveaxis(smoothed, axis, 0).sum(axis=(1, 2))
        width = np.sqrt((profile * (np.arange(41) - 20) ** 2).sum() / profile.sum()) * side
        assert width == pytest.approx(4.0, rel=0.05)
