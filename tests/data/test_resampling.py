"""Resampling: what a volume covers, and its values there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.affines import apply_affine
from scipy.spatial.transform import Rotation

from brain_cae.data.resampling import isotropic, resample, same_grid


def oblique(angles: tuple[float, ...], sizes: tuple[float, ...], origin: tuple[float, ...]) -> np.ndarray:
    """Return an affine of these rotations (degrees), voxel sizes and origin (mm)."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * sizes
    affine[:3, 3] = origin
    return affine


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 2, shape).astype(np.float32)


triples = st.tuples(*[st.floats(-1, 1)] * 3)


@given(angles=triples, sizes=triples, origin=triples, jitter=triples, turn=triples)
def test_two_scans_on_the_same_oblique_planes_keep_every_value(angles, sizes, origin, jitter, turn) -> None:
    """Affines that were stored with rounding differ by fractions of a voxel, and no edge slice is lost by that."""
    affine = oblique(tuple(180 * a for a in angles), tuple(2.5 + 2 * s for s in sizes), tuple(150 * o for o in origin))
    nudge = np.eye(4)
    nudge[:3, 3] = 1e-4 * np.asarray(jitter)
    nudge[:3, :3] += 1e-6 * np.asarray(turn)[:, None]
    volume = noise(9, 8, 5)
    values, covered = resample(volume, affine, volume.shape, affine @ nudge)
    assert covered.all()
    np.testing.assert_allclose(values, volume, atol=1e-3)
    # A smaller grid inside the volume: never taken for the same grid, and interpolated.
    inner = affine @ nudge
    inner[:3, 3] = apply_affine(inner, [1, 0, 1])
    values, covered = resample(volume, affine, (7, 8, 4), inner)
    assert covered.all()
    np.testing.assert_allclose(values, volume[1:8, :, 1:], atol=1e-3)


def test_a_voxel_reaches_half_a_voxel_beyond_its_centre() -> None:
    volume = noise(4, 4, 4)
    shifted = np.eye(4)
    reached_by = {0.4: [False, True, True, True, True, False], 0.6: [True, True, True, True, False, False]}
    for shift, reached in reached_by.items():
        shifted[0, 3] = -1 + shift
        values, covered = resample(volume, np.eye(4), (6, 4, 4), shifted)
        assert covered.all(axis=(1, 2)).tolist() == reached
        assert (values[covered] >= 1).all()  # nothing is mixed with zeros from outside


def test_values_between_voxels_are_interpolated_and_labels_are_not() -> None:
    volume = np.arange(4.0).reshape(4, 1, 1) * np.ones((4, 3, 3))
    grid = np.eye(4)
    grid[0, 3] = 0.25
    values, _ = resample(volume, np.eye(4), (3, 3, 3), grid)
    np.testing.assert_allclose(values[:, 1, 1], [0.25, 1.25, 2.25])
    labels, _ = resample(volume.astype(np.uint8), np.eye(4), (3, 3, 3), grid, order=0)
    assert labels.dtype == np.uint8 and labels[:, 1, 1].tolist() == [0, 1, 2]


def test_equal_grids_are_copied() -> None:
    volume, affine = noise(5, 6, 7), oblique((10, 20, 30), (1, 2, 3), (4, 5, 6))
    values, covered = resample(volume, affine, volume.shape, affine.copy())
    assert values is volume and covered.all()
    assert not same_grid((5, 6, 7), affine, (5, 6, 8), affine)
    assert not same_grid((5, 6, 7), affine, (5, 6, 7), oblique((10, 20, 30.1), (1, 2, 3), (4, 5, 6)))


@pytest.mark.parametrize("spacing", [2.0, 4.0])
def test_a_sheared_oblique_volume_stands_upright_at_the_same_place(spacing) -> None:
    affine = oblique((20, -15, 40), (1.0, 1.0, 3.0), (-30, 12, 7))
    affine[:3, 2] += 0.4 * affine[:3, 1]  # a tilted gantry
    centres = np.argwhere(np.ones((50, 60, 20)))
    place = apply_affine(affine, centres)
    middle = place.mean(axis=0) + np.array([3, -2, 1])
    volume = np.exp(-((place - middle) ** 2).sum(axis=1) / (2 * 8.0**2)).reshape(50, 60, 20)
    values, grid, covered = isotropic(volume, affine, spacing)
    np.testing.assert_allclose(grid[:3, :3], spacing * np.eye(3))
    weights = np.where(covered, values, 0)
    centre = (apply_affine(grid, np.argwhere(np.ones(values.shape))) * weights.reshape(-1, 1)).sum(0) / weights.sum()
    np.testing.assert_allclose(centre, middle, atol=0.3)
    assert 0.2 < covered.mean() < 1  # the corners of the box lie outside of the tilted volume


def test_a_volume_thinner_than_a_voxel_of_the_grid_gets_one_layer() -> None:
    values, grid, covered = isotropic(np.full((8, 8, 3), 7.0), np.eye(4), 4.0)
    assert covered.shape[2] == 1 and covered.any() and np.allclose(values[covered], 7)
    assert grid[2, 3] == pytest.approx(1)  # the middle slice
