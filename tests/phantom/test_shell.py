"""Skull and scalp: around the brain, in that order, with the brain itself unchanged."""

import numpy as np
import pytest
from scipy import ndimage

from brain_cae.phantom.anatomy import VOXEL_MM, Anatomy
from brain_cae.phantom.shell import SHELL_MM, add_shell


@pytest.fixture(scope="module")
def shelled(built: Anatomy) -> tuple[Anatomy, np.ndarray]:
    tumour = (np.linalg.norm(built.points, axis=0) < 10).astype(np.float32)
    return add_shell(built, tumour, np.random.default_rng(0))


def test_tissues_still_fill_every_point(shelled) -> None:
    shell, _ = shelled
    np.testing.assert_allclose(sum(shell.fractions.values()), 1, atol=1e-3)
    assert shell.points.shape[1] == shell.near.sum() == len(shell.fractions["scalp"])


def test_scalp_lies_outside_of_skull_and_both_outside_of_the_brain(shelled, built: Anatomy) -> None:
    shell, _ = shelled
    outside = ndimage.distance_transform_edt(~built.brain, sampling=VOXEL_MM)[shell.near]
    skull, scalp = (float(np.average(outside, weights=shell.fractions[name])) for name in ("skull", "scalp"))
    assert 3 < skull < scalp - 3 and outside.max() < SHELL_MM + 6
    inside = outside == 0
    assert shell.fractions["skull"][inside].max() == shell.fractions["scalp"][inside].max() == 0


def test_the_brain_and_its_tumour_stay_where_they_were(shelled, built: Anatomy) -> None:
    shell, tumour = shelled
    inside = built.brain[shell.near]
    for name in ("white", "grey"):
        np.testing.assert_allclose(
            shell.fractions[name][inside], built.fractions[name][built.brain[built.near]], atol=1e-6
        )
    assert tumour.sum() == (np.linalg.norm(built.points, axis=0) < 10).sum() > 100
    assert np.linalg.norm(shell.points[:, tumour > 0], axis=0).max() < 10
