"""Masks in BIDS derivatives: which match the scans, and which subjects have none."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.derivatives import find_masks

from .layouts import touch

SCANS = [("sub-01", ""), ("sub-02", "ses-a")]


def test_masks_of_functional_images_are_not_used(tmp_path):
    touch(
        tmp_path,
        "derivatives/fmriprep/sub-01/anat/sub-01_task-rest_desc-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-01/dwi/sub-01_desc-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-01/func/sub-01_task-rest_desc-brain_mask.nii.gz",
        "derivatives/fmriprep/sub-02/ses-a/func/sub-02_ses-a_task-rest_space-T1w_desc-brain_mask.nii.gz",
    )
    masks = find_masks(tmp_path, ["fmriprep"])
    assert {masks.of(subject, session, "brain") for subject, session in SCANS} == {None}
    (note,) = masks.notes(SCANS)
    assert note.startswith("2 subjects or sessions have no brain mask") and note.endswith(": sub-01, sub-02 ses-a.")


def test_missing_masks_are_noted_only_if_there_are_masks(tmp_path):
    touch(tmp_path, "derivatives/other/sub-01/anat/sub-01_label-GM_mask.nii.gz")
    assert find_masks(tmp_path, []).notes(SCANS) == find_masks(tmp_path, ["other"]).notes(SCANS) == []
    touch(tmp_path, "derivatives/other/sub-01/anat/sub-01_desc-brain_mask.nii.gz")
    (note,) = find_masks(tmp_path, ["other"]).notes(SCANS)
    assert note.endswith(": sub-02 ses-a.")


def test_a_missing_lesion_mask_is_noted_only_if_one_does_not_match(tmp_path):
    touch(tmp_path, "derivatives/masks/sub-01/anat/sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz")
    (note,) = find_masks(tmp_path, ["masks"]).notes(SCANS)
    assert note.startswith("1 subjects or sessions have no lesion mask") and note.endswith(": sub-01.")


def test_masks_find_their_subject_although_it_is_written_in_another_way(tmp_path):
    touch(tmp_path, "derivatives/m/sub-1/anat/sub-1_desc-brain_mask.nii.gz")
    masks = find_masks(tmp_path, ["m"])
    assert masks.of("sub-001", "", "brain") is None
    assert masks.matched(["sub-001", "sub-002"]).of("sub-001", "", "brain").name == "sub-1_desc-brain_mask.nii.gz"
    with pytest.raises(DatasetError, match="subjects sub-001, sub-01"):
        masks.matched(["sub-001", "sub-01"])
