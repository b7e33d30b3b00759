"""White-matter hyperintensities increase with age, begin at the ventricles, and replace only white matter."""

from dataclasses import replace

import numpy as np

from brain_cae.phantom.anatomy import Anatomy
from brain_cae.phantom.hyperintensity import add_hyperintensities


def load(anatomy: Anatomy, age: int, seed: int) -> float:
    """Return the load of the same brain at an age, in voxels."""
    fresh = replace(anatomy, fractions=dict(anatomy.fractions))
    add_hyperintensities(fresh, age, np.random.default_rng(seed))
    return float(fresh.fractions["hyperintensity"].sum())


def test_only_white_matter_is_replaced(anatomy: Anatomy, built: Anatomy) -> None:
    add_hyperintensities(anatomy, 70, np.random.default_rng(0))
    bright, white = anatomy.fractions["hyperintensity"], anatomy.fractions["white"]
    np.testing.assert_allclose(white + bright, built.fractions["white"], atol=1e-6)
    assert bright.min() >= 0 and white.min() > -1e-6 and bright.max() > 0.5
    np.testing.assert_array_equal(anatomy.fractions["grey"], built.fractions["grey"])


def test_the_load_increases_with_age(built: Anatomy) -> None:
    young, old = (np.mean([load(built, age, seed) for seed in range(4)]) for age in (35, 80))
    assert old > 2 * young > 0


def test_it_is_densest_beside_the_ventricles(anatomy: Anatomy, built: Anatomy) -> None:
    add_hyperintensities(anatomy, 75, np.random.default_rng(2))
    white, distance = built.fractions["white"] > 0.5, anatomy.ventricle_distance_mm
    shares = [
        float(anatomy.fractions["hyperintensity"][white & (distance > low) & (distance <= high)].mean())
        for low, high in ((0, 3), (12, 40))
    ]
    assert shares[0] > 3 * shares[1]
