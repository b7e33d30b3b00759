"""A method that defines only how it changes a brain has every other part of the interface."""

import numpy as np
import pytest

from brain_cae.harmonise import ImageHarmoniser

from .test_spacing import brain


class Doubled(ImageHarmoniser):
    def apply(self, brain):
        return 2 * brain.volume


def test_apply_is_all_that_a_method_without_parameters_needs():
    first = brain((1, 1, 1))
    stored = Doubled().fit([first]).state()
    assert stored == {}
    restored = Doubled().restore(stored)
    assert restored.reaches(first)
    np.testing.assert_array_equal(restored.apply(first), 2 * first.volume)


def test_a_method_without_apply_cannot_be_created():
    with pytest.raises(TypeError, match="apply"):
        ImageHarmoniser()
