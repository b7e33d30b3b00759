import numpy as np
import pytest

from brain_cae.arrays.voxels import at_voxels


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_values_are_those_of_indexing_with_the_mask(order):
    generator = np.random.default_rng(0)
    maps = np.asarray(generator.normal(size=(2, 5, 4, 3)), order=order)
    mask = generator.random((5, 4, 3)) < 0.4
    assert np.array_equal(at_voxels(maps, mask), maps[:, mask])
    assert at_voxels(maps, np.zeros_like(mask)).shape == (2, 0)
