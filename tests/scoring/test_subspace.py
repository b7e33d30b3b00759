"""The space must follow what varies in healthy brains, and nothing that one brain alone shows."""

import numpy as np
import pytest

from brain_cae.scoring.subspace import HealthySubspace, left_out

FRAME = (10, 12, 8)
GENERATOR = np.random.default_rng(4)
PATTERNS = GENERATOR.standard_normal((3, 2, *FRAME)).astype(np.float32)
MEAN = GENERATOR.uniform(0.8, 1.2, (2, *FRAME)).astype(np.float32)
MASK = np.ones(FRAME, bool)
MASK[0] = False


def brains(count, seed=0, noise=0.02):
    generator = np.random.default_rng(seed)
    amounts = generator.normal(0, 0.2, (count, 3))
    maps = MEAN + np.tensordot(amounts, PATTERNS, axes=1) + noise * generator.standard_normal((count, 2, *FRAME))
    return (maps * MASK).astype(np.float32), np.repeat(MASK[None], count, axis=0)


def test_it_reconstructs_a_new_healthy_brain():
    maps, masks = brains(30)
    space = HealthySubspace.fit(maps, masks, 5)
    new, _ = brains(4, seed=1)
    left = np.array([(one - space.expected(one, MASK))[:, MASK] for one in new])
    assert np.sqrt(np.mean(left**2)) < 0.03
    assert np.std((new - MEAN)[:, :, MASK]) > 0.15


def test_a_lesion_moves_neither_the_projection_nor_the_space():
    maps, masks = brains(30)
    space = HealthySubspace.fit(maps, masks, 3)
    new, _ = brains(1, seed=2)
    lesion = np.zeros((2, *FRAME), np.float32)
    lesion[1, 3:6, 3:6, 3:6] = 3
    healthy, ill = space.expected(new[0], MASK), space.expected(new[0] + lesion, MASK)
    plain = np.tensordot((lesion * MASK).ravel() @ space.directions.reshape(3, -1).T, space.directions, axes=1)
    assert np.abs(ill - healthy).max() < 0.25 * np.abs(plain).max()
    maps[0] += lesion
    with_outlier = HealthySubspace.fit(maps, masks, 3)
    moved = with_outlier.expected(new[0] + lesion, MASK) - space.expected(new[0] + lesion, MASK)
    assert np.abs(moved[:, MASK]).max() < 0.5


def test_voxels_outside_of_a_mask_are_filled_from_the_rest():
    maps, masks = brains(30)
    space = HealthySubspace.fit(maps, masks, 3)
    new, _ = brains(1, seed=3)
    half = MASK.copy()
    half[5:] = False
    np.testing.assert_allclose(space.expected(new[0] * half, half)[:, MASK], new[0][:, MASK], atol=0.15)


def test_no_more_directions_than_the_brains_can_bear():
    maps, masks = brains(9)
    assert len(HealthySubspace.fit(maps, masks, 16).directions) == 3
    single = HealthySubspace.fit(maps[:1], masks[:1], 16)
    np.testing.assert_allclose(single.expected(maps[1], MASK), maps[0], atol=1e-5)


def test_each_brain_is_left_out_of_its_space():
    maps, masks = brains(12)
    maps[3, :, 4:7, 4:7, 4:7] += 2
    spaces = left_out(maps, masks, 3)
    assert len(spaces) == 12
    without = HealthySubspace.fit(np.delete(maps, [3], axis=0), np.delete(masks, [3], axis=0), 3)
    fold = [number for number in range(12) if spaces[number] is spaces[3]]
    assert 3 in fold and len(fold) <= 2
    assert np.abs(spaces[3].mean - without.mean)[:, 4:7, 4:7, 4:7].max() < 0.2


@pytest.mark.parametrize("count", [1, 2])
def test_few_brains_give_their_mean(count):
    maps, masks = brains(count)
    space = HealthySubspace.fit(maps, masks, 16)
    assert space.directions.shape == (0, 2, *FRAME)
    np.testing.assert_allclose(space.expected(maps[0], MASK)[:, MASK], maps.mean(axis=0)[:, MASK], atol=1e-5)
