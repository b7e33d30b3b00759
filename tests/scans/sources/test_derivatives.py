"""Masks in BIDS derivatives: which match the scans, and which subjects have none."""

from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.derivatives import find_masks

from .layouts import lock, touch

SCANS = {
    ("sub-01", ""): {Path("sub-01_run-1_T1w.nii.gz"): False, Path("sub-01_run-2_T1w.nii.gz"): True},
    ("sub-02", "ses-1"): {Path("sub-02_ses-1_T1w.nii.gz"): True},
    ("sub-02", "ses-2"): {Path("sub-02_ses-2_T1w.nii.gz"): True},
}
ONE, TWO = "m/sub-01/anat/sub-01", "m/sub-02"


def assigned(root, *names, folders=("m",), scans=SCANS):
    touch(root / "derivatives", *names)
    masks, notes = find_masks(root, folders).assign(scans)
    return {key: path.name for key, path in masks.items()}, notes


def test_masks_of_functional_images_are_not_used(tmp_path):
    masks, notes = assigned(
        tmp_path,
        f"{ONE}_task-rest_desc-brain_mask.nii.gz",
        "m/sub-01/dwi/sub-01_desc-brain_mask.nii.gz",
        "m/sub-02/ses-1/func/sub-02_ses-1_task-rest_space-T1w_desc-brain_mask.nii.gz",
    )
    assert masks == {}
    assert notes[0].startswith("3 masks of derivatives are not used (in another space, of a task or outside anat/): ")
    assert notes[1] == "3 subjects or sessions have no brain mask: sub-01, sub-02 ses-1, sub-02 ses-2."


def test_what_a_pipeline_writes_beside_the_masks_is_named_only_where_a_mask_is_missing(tmp_path):
    names = [f"{ONE}_desc-brain_mask.nii.gz", f"{TWO}/anat/sub-02_desc-brain_mask.nii.gz"]
    names += [f"{ONE}_space-MNI152NLin6Asym_desc-brain_mask.nii.gz", f"{ONE}_dseg.nii.gz"]
    masks, notes = assigned(tmp_path, *names)
    assert set(masks) == {(*place, "brain") for place in SCANS} and notes == []


def test_missing_masks_are_noted_only_if_there_are_masks(tmp_path):
    assert find_masks(tmp_path, []).assign(SCANS) == ({}, [])
    _, notes = assigned(tmp_path, f"{ONE}_desc-brain_mask.nii.gz")
    assert notes == ["2 subjects or sessions have no brain mask: sub-02 ses-1, sub-02 ses-2."]


def test_a_missing_lesion_mask_is_noted_only_if_one_does_not_match(tmp_path):
    _, notes = assigned(tmp_path, f"{ONE}_space-MNI152NLin6Asym_label-lesion_mask.nii.gz")
    assert notes[1:] == ["1 subject or session has no lesion mask: sub-01."]


def test_masks_find_their_subject_and_session_although_they_are_written_in_another_way(tmp_path):
    name = "m/sub-2/ses-01/anat/sub-2_ses-01_desc-brain_mask.nii.gz"
    masks, notes = assigned(tmp_path, name)
    assert masks == {("sub-02", "ses-1", "brain"): Path(name).name} and "sub-02 ses-2" in notes[0]
    with pytest.raises(DatasetError, match="subjects sub-02, sub-002"):
        find_masks(tmp_path, ["m"]).assign({("sub-02", ""): {}, ("sub-002", ""): {}})


def test_a_mask_goes_to_the_scan_that_its_entities_name(tmp_path):
    masks, notes = assigned(tmp_path, *(f"{ONE}_run-0{run}_label-lesion_mask.nii.gz" for run in (1, 2)))
    assert masks == {("sub-01", "", "lesion"): "sub-01_run-02_label-lesion_mask.nii.gz"}
    assert notes == [
        "1 mask of derivatives is not used (of another scan than the one in use): "
        "sub-01_run-01_label-lesion_mask.nii.gz."
    ]


def test_a_mask_goes_to_the_session_of_its_folder(tmp_path):
    masks, _ = assigned(tmp_path, f"{TWO}/ses-2/anat/sub-02_label-lesion_mask.nii.gz")
    assert set(masks) == {("sub-02", "ses-2", "lesion")}
    masks, notes = assigned(tmp_path, f"{TWO}/ses-3/anat/sub-02_ses-3_label-lesion_mask.nii.gz")
    assert set(masks) == {("sub-02", "ses-2", "lesion")}
    assert "(of a subject or session without scans): sub-02_ses-3_label-lesion_mask.nii.gz." in notes[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("m/sub-01/anat/sub-02_desc-brain_mask.nii.gz", "contradictory name: sub-02 in sub-01"),
        ("m/sub-02/ses-1/anat/sub-02_ses-2_desc-brain_mask.nii.gz", "contradictory name: ses-2 in ses-1"),
    ],
)
def test_a_mask_whose_name_contradicts_its_folder_is_not_used(tmp_path, name, reason):
    masks, notes = assigned(tmp_path, name)
    assert masks == {} and f"1 mask of derivatives is not used ({reason}): {Path(name).name}." in notes


def test_of_several_masks_of_a_scan_none_is_used_and_all_are_named(tmp_path):
    masks, notes = assigned(tmp_path, *(f"{ONE}_desc-{number}_label-lesion_mask.nii.gz" for number in "12"))
    assert masks == {}
    assert notes[0].startswith("2 masks of derivatives are not used (several for one scan): sub-01_desc-1_label-lesion")


def test_one_mask_in_two_spaces_and_masks_of_two_folders_are_no_contradiction(tmp_path):
    names = [f"{ONE}_space-{space}_desc-brain_mask.nii.gz" for space in ("T1w", "orig")]
    names += ["n/sub-01/anat/sub-01_desc-brain_mask.nii.gz", f"{ONE}_label-lesion_mask.nii.gz"]
    masks, _ = assigned(tmp_path, *names, folders=("m", "n"))
    assert masks["sub-01", "", "brain"] == "sub-01_space-T1w_desc-brain_mask.nii.gz"
    masks, _ = assigned(tmp_path, folders=("n", "m"))
    assert masks["sub-01", "", "brain"] == "sub-01_desc-brain_mask.nii.gz"


def test_masks_that_are_not_there_or_called_otherwise_are_named_with_the_reason(tmp_path, monkeypatch):
    link = touch(tmp_path, f"derivatives/{TWO}/anat/x.txt") / f"derivatives/{ONE}_label-lesion_mask.nii.gz"
    link.parent.mkdir(parents=True)
    link.symlink_to("gone")
    lock(monkeypatch, tmp_path / "derivatives" / TWO / "anat")
    _, notes = assigned(
        tmp_path, "n/sub-01/anat/sub-01_dseg.nii.gz", f"{ONE}_label-core_mask.nii.gz", folders=("m", "n")
    )
    for part in (
        "(a broken link; get the file): sub-01_label-lesion_mask.nii.gz.", ": sub-01_label-core_mask.nii.gz.",
        "1 folder of derivatives holds no mask called", "n (sub-01_dseg.nii.gz).", "the permissions: m/sub-02/anat.",
    ):  # fmt: skip
        assert part in " ".join(notes)


def test_a_folder_that_cannot_be_read_is_not_said_to_hold_no_mask(tmp_path, monkeypatch):
    touch(tmp_path, f"derivatives/{ONE}_desc-brain_mask.nii.gz")
    lock(monkeypatch, tmp_path / "derivatives/m/sub-01/anat")
    assert find_masks(tmp_path, ["m"]).assign(SCANS)[1] == [
        "1 folder cannot be read and is left out; check the permissions: m/sub-01/anat."
    ]


def test_a_mask_in_the_space_of_a_template_is_of_scans_in_that_space(tmp_path):
    """ATLAS has T1 and masks in the space of a template, others only the masks."""
    scans = {
        ("sub-01", ""): {Path("sub-01_space-MNI_T1w.nii.gz"): True},
        ("sub-02", ""): {Path("sub-02_T1w.nii"): True},
    }
    names = [f"{ONE}_space-MNI_label-L_desc-T1lesion_mask.nii.gz", f"{ONE}_space-MNI_desc-brain_mask.nii.gz"]
    names += [f"{ONE}_desc-brain_mask.nii.gz", "m/sub-02/anat/sub-02_space-MNI_label-L_mask.nii.gz"]
    touch(tmp_path, *names)
    found, notes = find_masks(tmp_path, ["m"]).assign(scans)
    assert {key: path.name for key, path in found.items()} == {
        ("sub-01", "", "lesion"): "sub-01_space-MNI_label-L_desc-T1lesion_mask.nii.gz",
        ("sub-01", "", "brain"): "sub-01_space-MNI_desc-brain_mask.nii.gz",
    }
    assert "(in another space, of a task or outside anat/): sub-02_space-MNI_label-L_mask.nii.gz." in notes[0]


def test_a_segmentation_of_a_lesion_is_a_mask(tmp_path):
    masks, _ = assigned(tmp_path, f"{ONE}_desc-tumor_dseg.nii.gz")
    assert masks == {("sub-01", "", "lesion"): "sub-01_desc-tumor_dseg.nii.gz"}
    (tmp_path / f"derivatives/{ONE}_desc-tumor_dseg.nii.gz").unlink()
    for name in ("T1w_label-lesion_seg", "T1w_lesion-manual"):
        assert list(assigned(tmp_path, f"{ONE}_{name}.nii.gz")[0].values()) == [f"sub-01_{name}.nii.gz"]
        (tmp_path / f"derivatives/{ONE}_{name}.nii.gz").unlink()
    assert assigned(tmp_path, f"{ONE}_label-L_dseg.nii.gz", f"{ONE}_label-GM_probseg.nii.gz")[0] == {}
