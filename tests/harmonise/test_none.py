"""Without harmonisation every volume stays unchanged, regardless of the others."""

import numpy as np

from brain_cae.harmonise.none import Unharmonised

from .test_spacing import brain


def test_a_volume_stays_unchanged():
    first, other = brain((1, 1, 1)), brain((1, 1, 5), seed=1)
    step = Unharmonised().fit([other])
    np.testing.assert_array_equal(step.apply(first), first.volume)
    assert step.apply(first).dtype == first.volume.dtype
