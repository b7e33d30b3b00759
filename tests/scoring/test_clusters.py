"""Clusters above the voxel threshold, by hand."""

import numpy as np
import pytest

from brain_cae.scoring.clusters import Cluster, LesionCounts, count_lesions, find_clusters, largest_mass


@pytest.fixture
def mask():
    mask = np.ones((6, 5, 4), bool)
    mask[0] = False
    return mask


@pytest.fixture
def grid(mask):
    grid = np.zeros(mask.shape)
    grid[1, 1, 1:3] = 5, 4  # two voxels, mass (3 + 2)
    grid[4, 3, 0] = 9  # one voxel, mass 7
    grid[5, 4, 0] = 2.5  # touches the other by an edge only
    return grid


def test_clusters_are_sorted_by_mass_with_volume_peak_and_centre(grid, mask):
    labels, found = find_clusters(grid[mask], mask, 2.0, 0.5)
    assert found == [
        Cluster(3.5, 0.5, 9.0, (4, 3, 0)),
        Cluster(2.5, 1.0, 5.0, (1, 1, pytest.approx(1.4))),
        Cluster(0.25, 0.5, 2.5, (5, 4, 0)),
    ]
    assert labels[4, 3, 0] == 1 and labels[1, 1, 2] == 2 and labels[5, 4, 0] == 3
    assert np.count_nonzero(labels) == 4
    assert largest_mass(grid[mask], mask, 2.0, 0.5) == 3.5


def test_nothing_above_the_threshold_is_no_cluster(grid, mask):
    labels, found = find_clusters(grid[mask], mask, 9.0, 0.5)
    assert found == [] and not labels.any()
    assert largest_mass(grid[mask], mask, 9.0, 0.5) == largest_mass(grid[mask], mask, np.inf, 0.5) == 0


def test_a_lesion_is_found_if_any_voxel_of_it_is(grid, mask):
    labels, _ = find_clusters(grid[mask], mask, 2.0, 0.5)
    truth = np.zeros(mask.shape, bool)
    truth[1, 1, 2:], truth[3, 0, 0] = True, True
    assert count_lesions(labels, truth, 0.5) == LesionCounts(2, found=1, clusters=3, hits=1, lesion_ml=truth.sum() / 2)
    assert count_lesions(labels * 0, truth, 0.5) == LesionCounts(2, 0, clusters=0, hits=0, lesion_ml=truth.sum() / 2)
