"""What scorers share about a brain is made once, and again only for something else."""

import numpy as np

from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.signal import HealthyBrains, Signal

MASK = np.zeros((8, 8, 8), bool)
MASK[1:7, 1:7, 1:7] = True


def test_volume_of_a_voxel_and_values_inside_the_mask() -> None:
    maps = np.arange(2 * MASK.size, dtype=np.float32).reshape(2, *MASK.shape) * MASK
    signal = Signal(maps, MASK, "a", spacing=(1.0, 2.0, 4.0))
    assert signal.voxel_ml == 0.008
    assert np.array_equal(signal.values, maps[:, MASK])
    framed = signal.framed((6, 6, 6))
    assert framed.maps.shape == (2, 6, 6, 6) and framed.mask.all() and framed.group == "a"


def test_equal_references_are_brought_to_the_voxels_once() -> None:
    signal = Signal(np.zeros((1, *MASK.shape), np.float32), MASK, "a")
    one = HealthyReference(np.full((1, 6, 6, 6), 2.0, np.float32), np.ones((1, 6, 6, 6), np.float32), {})
    equal = HealthyReference(one.mean.copy(), one.spread.copy(), {})
    other = HealthyReference(one.mean + 1, one.spread, {})
    first, again, another = (signal.normal(reference)[0] for reference in (one, equal, other))
    assert np.shares_memory(first, again) and not np.shares_memory(first, another)
    np.testing.assert_allclose(first, 2)
    np.testing.assert_allclose(another, 3)


def test_what_scorers_fit_is_made_again_only_for_other_details() -> None:
    calls: list[int] = []
    brains = HealthyBrains.of([])
    assert HealthyBrains.of(brains) is brains

    def made(details: int) -> int:
        return brains.made("what", details, lambda: calls.append(details) or details)

    assert [made(1), made(1), made(2), made(2)] == [1, 1, 2, 2] and calls == [1, 2]
