"""Rigid registration: known movements are recovered, and nothing is moved without need or beyond reason."""

from functools import cache

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nilearn import datasets
from scipy import ndimage
from scipy.spatial.transform import Rotation

from brain_cae.data.registration import Alignment, align
from brain_cae.errors import ScanError

TISSUES = {"t1": (0.7, 1.0, 0.3), "flair": (1.1, 0.9, 0.2)}
"""Intensities of grey matter, white matter and fluid."""


@cache
def brain(contrast: str, step: int = 1, side: int = 4) -> nibabel.Nifti1Image:
    """Return the template's brain (side of a voxel in mm) in a contrast; ``step`` leaves out slices."""
    grey, white, whole = (
        load(resolution=side)
        for load in (
            datasets.load_mni152_gm_template,
            datasets.load_mni152_wm_template,
            datasets.load_mni152_brain_mask,
        )
    )
    grey_share, white_share, inside = (np.asarray(one.dataobj, np.float32) for one in (grey, white, whole))
    shares = (grey_share, white_share, np.clip(inside - grey_share - white_share, 0, 1))
    volume = 400 * sum(value * share for value, share in zip(TISSUES[contrast], shares, strict=True))
    volume += np.random.default_rng(len(contrast)).normal(0, 8, volume.shape) * (inside > 0)
    affine = grey.affine @ np.diag([1, 1, step, 1])
    return nibabel.Nifti1Image(volume[:, :, ::step].astype(np.float32), affine)


def adult(contrast: str, *, head: bool) -> nibabel.Nifti1Image:
    """Return a stripped brain of 1.4 L, smaller than the template, or its head: bone, bright scalp, noise in air."""
    image = brain(contrast)
    volume, affine = np.pad(np.asarray(image.dataobj), 10), np.diag([0.9, 0.9, 0.9, 1]) @ image.affine
    affine[:3, 3] = apply_affine(affine, [-10, -10, -10])
    volume[volume < 40] = 0
    if head:
        away = ndimage.distance_transform_edt(volume == 0) * np.linalg.norm(affine[:3, 0])
        volume[(away > 6) & (away <= 27)] = 500
        volume += np.abs(np.random.default_rng(9).normal(0, 5, volume.shape)) * (away > 0)
    return nibabel.Nifti1Image(volume.astype(np.float32), affine)


def movement(shift_mm: tuple[float, ...], turn_deg: tuple[float, ...]) -> np.ndarray:
    """Return a rigid movement (4, 4) about the middle of the brain."""
    matrix, centre = np.eye(4), np.array([0, -20, 0])
    matrix[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    matrix[:3, 3] = centre + shift_mm - matrix[:3, :3] @ centre
    return matrix


def moved(image: nibabel.Nifti1Image, matrix: np.ndarray) -> nibabel.Nifti1Image:
    """Return the scan with a header that is wrong by this movement."""
    return nibabel.Nifti1Image(image.dataobj, matrix @ image.affine)


@pytest.mark.parametrize(
    ("shift_mm", "turn_deg"), [((3, -1, 2), (1, -2, 0)), ((10, 12, -25), (8, -3, 6))], ids=["small", "far"]
)
def test_a_header_that_was_shifted_and_turned_is_put_right(shift_mm, turn_deg) -> None:
    true = movement(shift_mm, turn_deg)
    alignment = align(brain("flair", step=2), moved(brain("t1"), true))
    error = np.linalg.inv(true) @ np.asarray(alignment.transform)
    places = np.random.default_rng(0).uniform(-60, 60, (200, 3)) + np.array([0, -20, 0])
    assert np.linalg.norm(apply_affine(error, places) - places, axis=1).mean() < 1
    assert np.degrees(Rotation.from_matrix(error[:3, :3]).magnitude()) < 1
    expected = np.linalg.norm(apply_affine(true, places) - places, axis=1).mean()
    assert alignment.moved and alignment.shift_mm == pytest.approx(expected, abs=1.5)
    assert alignment.overlap > 0.95 > alignment.overlap_before
    back = alignment.affine(moved(brain("t1"), true).affine)
    assert np.abs(back - brain("t1").affine)[:3, 3].max() < 1.5


def test_scans_that_lie_where_their_headers_say_are_not_moved_by_a_hair() -> None:
    alignment = align(brain("flair", step=2), brain("t1"))
    assert not alignment.moved and alignment.transform == np.eye(4).tolist()
    assert alignment.overlap == alignment.overlap_before > 0.95


@pytest.mark.extras
@pytest.mark.parametrize("stripped", [{"t1", "flair"}, set(), {"t1"}, {"flair"}], ids=["both", "none", "t1", "flair"])
def test_scans_that_were_turned_far_find_each_other_stripped_or_not(stripped) -> None:
    """The foregrounds of a head and of a brain overlap by half, wherever they lie."""
    true = movement((10, 5, -15), (20, -20, 10))
    flair, t1 = (adult(contrast, head=contrast not in stripped) for contrast in ("flair", "t1"))
    alignment = align(flair, moved(t1, true))
    error = np.linalg.inv(true) @ np.asarray(alignment.transform)
    places = np.random.default_rng(0).uniform(-60, 60, (200, 3)) + np.array([0, -20, 0])
    assert np.linalg.norm(apply_affine(error, places) - places, axis=1).mean() < 1
    assert (alignment.overlap < 0.7) == (len(stripped) == 1)


def test_slabs_that_do_not_touch_where_their_headers_put_them_are_found() -> None:
    slabs = [brain(contrast, side=5).slicer[:, :, 15:20] for contrast in ("flair", "t1")]
    true = movement((0, 0, 34), (0, 0, 0))
    alignment = align(slabs[0], moved(slabs[1], true))
    assert alignment.overlap_before == 0 and alignment.overlap > 0.95
    assert alignment.shift_mm == pytest.approx(34, abs=1)


def test_the_same_scans_give_the_same_bytes() -> None:
    pair = brain("flair", side=5), moved(brain("t1", side=5), movement((4, 0, 3), (0, 2, 1)))
    assert align(*pair) == align(*pair)


@pytest.mark.parametrize("shift_mm", [130, 500], ids=["some places shared", "no place shared"])
def test_scans_that_no_movement_of_a_head_brings_together_are_refused(shift_mm) -> None:
    with pytest.raises(ScanError, match="not aligned") as raised:
        align(brain("flair", side=5), moved(brain("t1", side=5), movement((0, shift_mm, 0), (0, 0, 0))))
    assert "mm and" in str(raised.value)


def test_an_alignment_survives_being_stored() -> None:
    alignment = Alignment(movement((1, 2, 3), (4, 5, 6)).tolist(), 3.9, 8.8, 0.8, 0.97)
    assert Alignment.from_dict(alignment.to_dict()) == alignment


def individual(image: nibabel.Nifti1Image, contrast: float) -> nibabel.Nifti1Image:
    """Return the brain with structures of its own of about 10 mm, of this contrast."""
    volume = np.asarray(image.dataobj)
    structures = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=volume.shape), 1.5)
    return nibabel.Nifti1Image(volume * (1 + contrast * structures / structures.std()), image.affine)


def test_a_mirrored_scan_is_found() -> None:
    # The template is nearly symmetric; no head is.
    flair, t1 = individual(brain("flair"), -0.2), individual(brain("t1"), 0.2)
    mirrored = nibabel.Nifti1Image(np.asarray(t1.dataobj)[::-1], t1.affine)
    assert align(flair, mirrored).is_mirrored
    right = align(flair, t1)
    assert not right.is_mirrored and right.mirrored_gain < 1


def test_a_scan_of_another_size_is_found() -> None:
    t1 = brain("t1")
    larger = nibabel.Nifti1Image(t1.dataobj, np.diag([1.12, 1.08, 1.15, 1]) @ t1.affine)
    alignment = align(brain("flair"), larger)
    assert alignment.is_scaled and alignment.scale == pytest.approx([1.12, 1.08, 1.15], abs=0.04)
    right = align(brain("flair"), t1)
    assert not right.is_scaled and right.scaled_gain < 1.03
