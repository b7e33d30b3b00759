"""Clusters of a brain with their place, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from brain_cae.detector.lesions import lesions_of, shown_clusters
from brain_cae.scoring.calibration import Calibration

CALIBRATION = Calibration(np.arange(9.0), 2.0, masses=np.array([0.0, 0.0, 0.1, 0.2, 1.0, 1.0, 2.0, 3.0, 4.0]))


def described(brain, joint_map, calibration, alpha, share=0.0):
    return lesions_of(brain, *shown_clusters(brain, joint_map, calibration, alpha, share), calibration)


@pytest.fixture
def bright(ill):
    """Return a brain whose joint map is 4 in its lesion and 3 in one voxel elsewhere."""
    grid = np.zeros(ill.mask.shape)
    grid[ill.lesion] = 4.0
    single = tuple(np.argwhere(ill.mask & ~ill.lesion)[-1])
    grid[single] = 3.0
    return ill, grid[ill.mask], single


def test_a_cluster_has_volume_place_and_p_value(bright):
    brain, joint_map, single = bright
    lesions, counts = described(brain, joint_map, CALIBRATION, 1.0)
    voxel_ml = np.prod(brain.spacing) / 1000
    first, second = lesions
    assert first.volume_ml == pytest.approx(brain.lesion.sum() * voxel_ml)
    assert first.mass == pytest.approx(2 * first.volume_ml) and (first.peak_z, second.peak_z) == (4.0, 3.0)
    assert second.mass == pytest.approx(voxel_ml)
    assert first.p_value == (1 + np.sum(CALIBRATION.masses >= first.mass)) / 10
    assert second.p_value == (1 + np.sum(CALIBRATION.masses >= second.mass)) / 10
    centre = brain.affine @ [*np.argwhere(brain.lesion).mean(axis=0), 1]
    np.testing.assert_allclose(first.centre_mm, centre[:3], atol=0.06)
    np.testing.assert_allclose(second.centre_mm, (brain.affine @ [*single, 1])[:3], atol=0.06)
    assert (counts.lesions, counts.found, counts.clusters, counts.hits) == (1, 1, 2, 1)


def test_the_side_is_that_of_the_template_or_else_of_the_brains_middle(bright):
    brain, joint_map, _ = bright
    moved = np.eye(4)
    middle = brain.affine @ [*np.argwhere(brain.lesion).mean(axis=0), 1]
    moved[0, 3] = -middle[0] - 30  # the lesion's centre comes to x = -30
    there = replace(brain, to_template=moved)
    lesion = described(there, joint_map, CALIBRATION, 0.1)[0][0]
    assert lesion.hemisphere == "left" and lesion.mni_mm[0] == pytest.approx(-30, abs=0.1)
    lesion = described(replace(brain, to_template=None), joint_map, CALIBRATION, 0.1)[0][0]
    assert lesion.mni_mm is None and lesion.tissue == ""
    middle_mm = (brain.affine @ [*np.argwhere(brain.mask).mean(axis=0), 1])[0]
    side = lesion.centre_mm[0] - middle_mm
    assert lesion.hemisphere == ("midline" if abs(side) <= 5 else "left" if side < 0 else "right")


@pytest.mark.parametrize(("place", "tissue"), [((-28.0, -20.0, 28.0), "white"), ((-9.0, -10.0, 21.0), "fluid")])
def test_the_tissue_is_that_of_most_voxels_in_the_template(bright, place, tissue):
    brain, joint_map, _ = bright
    centre = brain.affine @ [*np.argwhere(brain.lesion).mean(axis=0), 1]
    shrunk = np.diag([0.1, 0.1, 0.1, 1.0])  # so that all of the lesion lies at this place
    shrunk[:3, 3] = np.array(place) - 0.1 * centre[:3]
    assert described(replace(brain, to_template=shrunk), joint_map, CALIBRATION, 0.1)[0][0].tissue == tissue


def test_without_measured_masses_there_is_no_p_value(bright):
    brain, joint_map, _ = bright
    assert described(brain, joint_map, replace(CALIBRATION, masses=np.empty(0)), 0.1)[0][0].p_value is None


def test_of_the_clusters_only_the_largest_and_those_that_few_healthy_brains_have_are_shown(bright):
    brain, joint_map, _ = bright
    lesions, counts = described(brain, joint_map, CALIBRATION, 0.1)
    assert [lesion.peak_z for lesion in lesions] == [4.0]
    assert (counts.clusters, counts.hits) == (1, 1)
    rare = replace(CALIBRATION, masses=np.zeros(9))
    assert len(described(brain, joint_map, rare, 0.1)[0]) == 2
    assert len(described(brain, joint_map, rare, 0.1, share=0.9)[0]) == 1
    common = replace(CALIBRATION, masses=np.full(9, 1e6))
    assert [lesion.p_value for lesion in described(brain, joint_map, common, 0.1)[0]] == [1.0]
