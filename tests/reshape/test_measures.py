import numpy as np
import pytest
import torch

from brain_cae.reshape import Group
from brain_cae.reshape.measures import anisotropy_mm, network_spacing, round_trip_l1, scale_ratio, size_spread_mm


def test_scale_ratio_in_voxels():
    assert scale_ratio((10, 20, 30), (20, 40, 60)) == 1
    assert scale_ratio((10, 10, 10), (10, 10, 20)) == pytest.approx(2)


def test_network_voxel_keeps_the_size_of_the_head():
    assert network_spacing((64, 80, 30), (32, 80, 60), (2.0, 2.0, 5.0)) == pytest.approx([4.0, 2.0, 2.5])
    assert anisotropy_mm((64, 80, 30), (32, 80, 60), (2.0, 2.0, 5.0)) == pytest.approx(2.0)


def test_the_spread_is_zero_if_all_voxels_have_the_same_size():
    assert size_spread_mm(np.full((4, 3), 2.5)) == pytest.approx([0, 0, 0, 0])
    assert size_spread_mm(np.array([[1.0, 2, 2], [4.0, 2, 2]])) == pytest.approx([np.log(2)] * 2)


def test_the_round_trip_is_exact_on_the_native_grid_and_lossy_on_a_coarser_one():
    volume, mask = torch.rand(1, 16, 16, 16), torch.ones(16, 16, 16, dtype=torch.bool)
    assert round_trip_l1(volume, mask, Group("a", (16, 16, 16)), 8) == 0
    assert round_trip_l1(volume, mask, Group("a", (8, 8, 8)), 8) > 0.1
