"""Masks in a folder beside the scans."""

import gzip

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.mask_folder import read_masks

from .layouts import touch


def test_masks_find_their_subject_in_every_form_of_file(tmp_path):
    touch(tmp_path, "masks/a.nii.gz", "masks/B.nii", "masks/c.hdr", "masks/c.img", "masks/d.nii.gz/mask.nii")
    masks, notes = read_masks(tmp_path / "masks", ["a", "b", "c", "d", "e"])
    assert {name: path.relative_to(tmp_path / "masks").as_posix() for name, path in masks.items()} == {
        "a": "a.nii.gz", "b": "B.nii", "c": "c.hdr", "d": "d.nii.gz/mask.nii"
    }  # fmt: skip
    assert notes == ["1 file in masks has the name of its subject written in another way: B for b."]


def test_a_name_may_say_behind_the_subject_that_it_is_a_mask(tmp_path):
    touch(
        tmp_path, "masks/a_seg.nii.gz", "masks/b_Lesion-mask.nii.gz", "masks/c.nii", "masks/c_mask.nii",
        "masks/d_seg.nii", "masks/d_mask.nii", "masks/e_brain.nii", "brain_masks/a_brain_mask.nii",
    )  # fmt: skip
    masks, notes = read_masks(tmp_path / "masks", "abcde")
    assert {name: path.name for name, path in masks.items()} == {
        "a": "a_seg.nii.gz", "b": "b_Lesion-mask.nii.gz", "c": "c.nii"
    }  # fmt: skip
    assert notes == [
        "2 files in masks have the name of their subject written in another way: a_seg for a, b_Lesion-mask for b.",
        "4 files in masks are not named after a subject: c_mask, d_mask, d_seg, e_brain.",
    ]
    assert read_masks(tmp_path / "brain_masks", "abc")[0]["a"].name == "a_brain_mask.nii"
    # A subject that is called so has its mask under its whole name.
    assert set(read_masks(tmp_path / "masks", ["a", "a_seg"])[0]) == {"a_seg"}


def test_a_name_may_say_on_which_contrast_a_mask_was_drawn(tmp_path):
    touch(
        tmp_path, "masks/a_flair_seg.nii.gz", "masks/b_mask_T1.nii", "masks/c_FLAIR.nii", "masks/d_t1_seg.nii",
        "masks/d_flair_seg.nii",
    )  # fmt: skip
    masks, notes = read_masks(tmp_path / "masks", "abcd")
    assert {name: path.name for name, path in masks.items()} == {
        "a": "a_flair_seg.nii.gz", "b": "b_mask_T1.nii", "c": "c_FLAIR.nii"
    }  # fmt: skip
    assert notes[-1] == "2 files in masks are not named after a subject: d_flair_seg, d_t1_seg."


def test_everything_else_is_noted(tmp_path):
    touch(
        tmp_path, "masks/a.nii", "masks/a.nii.gz", "masks/z.nii", "masks/b.img", "masks/c.mgz", "masks/old/a.nii"
    )  # fmt: skip
    (tmp_path / "masks/d.nii").symlink_to(tmp_path / "gone")
    masks, notes = read_masks(tmp_path / "masks", ["a", "b", "c", "d"])
    assert masks == {}
    assert notes == [
        "1 file in masks is not named after a subject: z.",
        "1 subject has several masks in masks, none of which is used: a.",
        "1 file has a format that is not read; convert it to .nii.gz, or unpack it: masks/c.mgz.",
        "1 link is broken; get the files: masks/d.nii.",
        "2 files in masks are not masks: masks/b.img, masks/old/a.nii.",
    ]


def test_a_mask_for_two_subjects_stops_the_run(tmp_path):
    touch(tmp_path, "masks/1.nii")
    with pytest.raises(DatasetError, match="001, 01"):
        read_masks(tmp_path / "masks", ["001", "01"])
    assert read_masks(tmp_path / "nowhere", ["a"]) == ({}, [])


def test_a_mask_beside_its_archive_is_one_mask(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.nii").write_bytes(b"voxels")
    (tmp_path / "masks" / "a.nii.gz").write_bytes(gzip.compress(b"voxels"))
    assert read_masks(tmp_path / "masks", ["a"]) == ({"a": tmp_path / "masks" / "a.nii"}, [])


def test_a_mask_may_lie_in_a_folder_of_its_subject(tmp_path):
    touch(tmp_path, "masks/P-01/seg.nii.gz", "masks/P2/a.nii", "masks/P2/b.nii", "masks/old/P3.nii", "masks/P3/x.txt")
    masks, notes = read_masks(tmp_path / "masks", ["P1", "P2", "P3"])
    assert masks == {"P1": tmp_path / "masks/P-01/seg.nii.gz"}
    assert "1 subject has several masks in masks, none of which is used: P2." in notes
    assert "2 files in masks are not masks: masks/P3/x.txt, masks/old/P3.nii." in notes
