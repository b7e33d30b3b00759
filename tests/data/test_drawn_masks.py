"""Masks come to the grid of the reference, and what is odd in them is measured."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data.drawn_masks import Places, drawn_mask
from brain_cae.data.strippers import smallest_ml

SHAPE = (40, 48, 36)
AFFINE = nibabel.affines.from_matvec(np.diag([4.0, 4.0, 4.0]), [-70, -90, -60])
WORLD = nibabel.affines.apply_affine(AFFINE, np.moveaxis(np.indices(SHAPE), 0, -1))
BRAIN = np.linalg.norm(WORLD - [8, 4, 10], axis=-1) < 60
LESION = np.linalg.norm(WORLD - [30, 20, 10], axis=-1) < 16


def facts(tmp_path, marked, affine, kind="lesion"):
    scan = nibabel.Nifti1Image(BRAIN.astype(np.float32), AFFINE)
    nibabel.save(nibabel.Nifti1Image(marked.astype(np.uint8), affine), tmp_path / "mask.nii.gz")
    paths = pd.Series({"t1": str(tmp_path / "mask.nii.gz")})
    drawn = drawn_mask(kind, scan, paths, Places({"t1": scan}, "t1", {}))
    return drawn.facts(BRAIN, AFFINE)


def moved(*shift, turn=0.0):
    rotation = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(x=turn), shift)
    return rotation @ AFFINE


def test_a_mask_on_the_grid_of_the_scan_has_nothing_odd(tmp_path):
    one = facts(tmp_path, LESION, AFFINE)
    assert (one.beside, one.apart_mm, one.outside) == ("", 0, 0)


def test_the_same_voxels_in_another_order_lie_on_the_grid(tmp_path):
    flipped = AFFINE @ nibabel.affines.from_matvec(np.diag([-1, 1, 1]), [SHAPE[0] - 1, 0, 0])
    assert facts(tmp_path, LESION[::-1], flipped).beside == ""


@pytest.mark.parametrize(
    ("affine", "distance"),
    [(moved(0, 6, 12), 13.4), (moved(0, 6, 12, turn=0.12), 27.2), (np.diag([-1, -1, 1, 1]) @ AFFINE, 17.9)],
)
def test_a_mask_with_as_many_voxels_elsewhere_has_a_distance(tmp_path, affine, distance):
    """Such as one written with the qform of a scan that lies by its sform, or with x and y reversed."""
    one = facts(tmp_path, LESION, affine)
    assert one.beside == "t1" and one.apart_mm == pytest.approx(distance, abs=0.1)


def test_a_mask_less_than_half_a_voxel_away_or_on_a_grid_of_its_own_is_not_elsewhere(tmp_path):
    assert facts(tmp_path, LESION, moved(1.5, 0, 0)).beside == ""
    assert facts(tmp_path, LESION[1:], moved(4, 0, 0)).beside == ""


@pytest.mark.parametrize("finer", [1, 2])
def test_the_share_of_a_lesion_outside_the_brain_is_that_of_its_voxels(tmp_path, finer):
    """On any grid, also of voxels that lie outside the scan."""
    affine = moved(-88, 0, 0) @ np.diag([1 / finer, 1 / finer, 1 / finer, 1])
    fine = LESION.repeat(finer, 0).repeat(finer, 1).repeat(finer, 2)
    places = WORLD[LESION] + [-88, 0, 0]
    truth = (np.linalg.norm(places - [8, 4, 10], axis=-1) >= 60).mean()
    assert 0.5 < truth < 0.9
    assert facts(tmp_path, fine, affine).outside == pytest.approx(truth, abs=0.1)


def test_the_share_of_a_brain_mask_outside_the_scan_is_measured(tmp_path):
    assert facts(tmp_path, BRAIN, AFFINE, "brain").outside == 0
    assert facts(tmp_path, BRAIN[1:], moved(-100, 0, 0), "brain").outside > 0.5


def test_a_brain_mask_has_the_volume_of_a_brain_or_of_a_slab_of_one(tmp_path):
    whole = facts(tmp_path, BRAIN, AFFINE, "brain")
    assert whole.plausible and whole.volume_ml == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    tumour = facts(tmp_path, LESION, AFFINE, "brain")
    assert not tumour.plausible and tumour.volume_ml == pytest.approx(4 / 3 * np.pi * 1.6**3, rel=0.1)
    assert facts(tmp_path, LESION, AFFINE, "lesion").plausible
    assert smallest_ml((200, 200, 40), (1, 1, 3)) == pytest.approx(600 * 0.8**2)
    assert smallest_ml((200, 200, 200), (1, 1, 1)) == 600


def test_the_holes_of_a_brain_mask_are_measured(tmp_path):
    assert facts(tmp_path, BRAIN, AFFINE, "brain").hole_ml == 0
    hole = LESION & BRAIN
    found = facts(tmp_path, BRAIN & ~hole, AFFINE, "brain").hole_ml
    assert found == pytest.approx(hole.sum() * 64 / 1000)
    assert facts(tmp_path, BRAIN & ~hole, AFFINE).hole_ml == 0


def test_a_lesion_smaller_than_a_voxel_of_the_scan_marks_that_voxel(tmp_path):
    """Between the centres of coarser voxels it was not sampled, and the subject was left out."""
    fine = AFFINE @ nibabel.affines.from_matvec(np.eye(3) / 4, [-0.375] * 3)
    marked = np.zeros([size * 4 for size in SHAPE], bool)
    marked[4 * 25 + 3, 4 * 24, 4 * 18 + 3] = True
    one = facts(tmp_path, marked, fine)
    assert one.volume_ml == pytest.approx(4**3 / 1000) and one.outside == 0
