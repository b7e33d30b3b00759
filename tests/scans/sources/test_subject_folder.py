"""The folder of a subject: which of its entries are scans."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.subject_folder import look

from .layouts import touch


def found(root, *names):
    touch(root, *names)
    return {modality: sorted(path.name for path in files) for modality, files in look(root).candidates.items()}


def test_plain_names_go_before_names_with_the_subject(tmp_path):
    assert found(tmp_path / "P1", "t1.nii", "P1_flair.nii", "FLAIR.nii") == {"t1": ["t1.nii"], "flair": ["FLAIR.nii"]}


@pytest.mark.parametrize(
    ("folder", "name", "modality"),
    [
        ("P1", "P1_T1.nii.gz", "t1"),
        ("p1", "P1-t2f.nii", "flair"),
        ("P1", "P1_T2_FLAIR.hdr", "flair"),
        ("P1", "CT1.nii.gz", "t1ce"),
        ("P1", "3DFLAIR.nii.gz", "flair"),
        ("UCSF-PDGM-0004_nifti", "UCSF-PDGM-0004_T1c.nii.gz", "t1ce"),
        ("TCGA-02-0006", "TCGA-02-0006_1996.08.23_t1Gd.nii.gz", "t1ce"),
        ("P1", "P1_T2_to_T1.nii.gz", None),
        ("P1", "P1_brain_T1.nii.gz", None),
        ("P1", "P2_T1.nii.gz", None),
        ("P10", "P1_T1.nii.gz", None),
        ("P1", "P10_T1.nii.gz", None),
        ("T1", "T1-01_T1.nii.gz", None),  # a folder of a contrast
        ("P1", "P1_T1_seg.nii.gz", None),
    ],
)
def test_a_modality_behind_the_name_of_the_subject_is_a_scan(tmp_path, folder, name, modality):
    assert list(found(tmp_path / folder, name)) == ([modality] if modality else [])


def test_scans_of_two_dates_are_several_candidates(tmp_path):
    touch(tmp_path, "P1/P1_2019_t1.nii", "P1/P1_2020_t1.nii", "P2/P2_t1.nii")
    scans = {one.subject: one for one in Folder(str(tmp_path), modalities=["t1"]).locate()}
    assert [reason for _, reason in scans["P1"].left_out] == ["several candidates"] * 2 and not scans["P1"].files
    assert [path.name for path in scans["P2"].files] == ["P2_t1.nii"]


def test_masks_among_the_scans_are_named(tmp_path):
    touch(tmp_path, "P1/P1_t1.nii", "P1/P1_tumor_segmentation.nii", "P1/adc.nii")
    source = Folder(str(tmp_path), modalities=["t1"])
    source.locate()
    assert source.notes() == [
        "1 file or folder is not named after a modality and is left out: P1/adc.nii.",
        "1 file is named like a mask and not read; to use it, name it masks/<subject>.nii.gz (lesions) or "
        "brain_masks/<subject>.nii.gz: P1/P1_tumor_segmentation.nii.",
    ]


def test_brats_without_labels_is_left_to_its_source(tmp_path):
    touch(tmp_path, "BraTS20_Training_001/BraTS20_Training_001_flair.nii")
    with pytest.raises(DatasetError, match="dataset=brats"):
        Folder(str(tmp_path), modalities=["flair"]).locate()
    (tmp_path / "labels.csv").write_text("subject,label\nBraTS20_Training_001,abnormal\n")
    assert [one.label for one in Folder(str(tmp_path), modalities=["flair"]).locate()] == ["abnormal"]
