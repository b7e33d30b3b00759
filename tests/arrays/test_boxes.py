import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_cae.arrays.boxes import box_of


def test_the_box_ends_after_the_last_voxel():
    mask = np.zeros((5, 6, 7), bool)
    mask[1, 2, 3] = mask[3, 2, 6] = True
    assert box_of(mask) == (slice(1, 4), slice(2, 3), slice(3, 7))


@pytest.mark.parametrize("value", [False, True])
def test_an_empty_or_full_mask_gives_the_whole_volume(value):
    assert box_of(np.full((2, 3, 4), value)) == (slice(0, 2), slice(0, 3), slice(0, 4))


def test_nonzero_numbers_count_as_true():
    mask = np.zeros((4, 4, 4), np.float32)
    mask[1, 1, 1], mask[2, 3, 1] = 0.25, -300
    assert box_of(mask) == (slice(1, 3), slice(1, 4), slice(1, 2))


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_box_is_the_tightest_around_all_voxels(seed, transposed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 9, 3)) < 0.1
    mask.flat[rng.integers(mask.size)] = True
    mask = mask.T if transposed else mask
    places = np.argwhere(mask)
    box = box_of(mask)
    assert [part.start for part in box] == places.min(axis=0).tolist()
    assert [part.stop for part in box] == (places.max(axis=0) + 1).tolist()
