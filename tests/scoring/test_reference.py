"""Voxelwise mean and spread of healthy brains."""

import numpy as np
import pytest

from brain_cae.scoring.reference import HealthyReference


def test_a_noisier_group_gets_a_wider_spread_and_a_small_one_does_not():
    generator = np.random.default_rng(5)
    maps = generator.standard_normal((23, 1, 6, 6, 6))
    maps[10:20] *= 3
    groups = ["a"] * 10 + ["b"] * 10 + ["c"] * 3
    reference = HealthyReference.fit(maps, np.ones((23, 6, 6, 6), bool), groups, shrinkage=4.0)
    assert reference.factor("b") > 1.2 > 0.8 > reference.factor("a")
    assert reference.factor("c") == 1.0
    assert reference.factor("never seen") == 1.0


def test_mean_and_spread_use_only_the_brains_that_cover_a_voxel():
    maps = np.array([1.0, 3.0, 99.0]).reshape(3, 1, 1, 1, 1)
    masks = np.array([True, True, False]).reshape(3, 1, 1, 1)
    reference = HealthyReference.fit(maps, masks, ["a"] * 3, shrinkage=0.0)
    assert reference.mean.item() == 2
    assert reference.spread.item() == pytest.approx(np.sqrt(2))  # of 1 and 3, over n - 1


def test_the_spread_is_shrunk_to_the_global_one():
    maps = np.zeros((4, 1, 2, 1, 1))
    maps[:, 0, 0, 0, 0] = [-2, 2, -2, 2]  # variance 16 / 3 here, none at the other voxel
    masks = np.ones((4, 2, 1, 1), bool)
    spread = HealthyReference.fit(maps, masks, ["a"] * 4, shrinkage=4.0).spread.ravel()
    everywhere = 16 / 3 / 2
    assert spread**2 == pytest.approx([(16 / 3 + everywhere) / 2, everywhere / 2])
