"""A folder for each contrast, with an entry for each subject."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.store import inspect_series

from .layouts import touch


def by_contrast(root, *names):
    touch(root, *names)
    return {(one.subject, one.modality): [path.relative_to(root).as_posix() for path in one.files] for one in
            Folder(root, modalities=["t1", "flair"]).locate()}  # fmt: skip


def test_folders_may_be_contrasts_with_an_entry_for_each_subject(tmp_path):
    (tmp_path / "labels.csv").write_text("subject,label\nP1,healthy\nP2,abnormal\nP3,healthy\n")
    names = (
        "T1/P1.nii.gz", "T1/P2_T1.nii", "T1/P3/SE1/IM1", "T1/readme.txt", "FLAIR/P1_flair.nii.gz", "FLAIR/P2.nii.gz",
        "masks/P2.nii.gz", "old/scan.nii.gz",
    )  # fmt: skip
    assert by_contrast(tmp_path, *names) == {
        ("P1", "t1"): ["T1/P1.nii.gz"], ("P1", "flair"): ["FLAIR/P1_flair.nii.gz"],
        ("P2", "t1"): ["T1/P2_T1.nii"], ("P2", "flair"): ["FLAIR/P2.nii.gz"],
        ("P3", "t1"): ["T1/P3/SE1/IM1"], ("P3", "flair"): [],
    }  # fmt: skip
    source = Folder(tmp_path, modalities=["t1"])
    found = {one.subject: (one.label, one.lesion_mask) for one in source.locate()}
    assert found == {
        "P1": ("healthy", None), "P2": ("abnormal", tmp_path / "masks" / "P2.nii.gz"), "P3": ("healthy", None),
    }  # fmt: skip
    assert source.notes() == [
        "2 folders are read as contrasts, each with an entry for each subject: FLAIR, T1.",
        "1 folder contains no known modality and is left out: old (scan.nii.gz).",
        "1 file or folder is not named after a modality and is left out: T1/readme.txt.",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("t1/DICOM/IM1", "flair/DICOM/IM1"),  # one subject
        ("t1/a.nii.gz", "flair/a.nii.gz"),
        ("t1/a.nii.gz", "t1/b.nii.gz", "flair/c.nii.gz", "flair/d.nii.gz"),  # nothing in common
        ("t1/a.nii.gz", "t1/b.nii.gz"),
        ("T1 scans/a.nii.gz", "T1 scans/b.nii.gz", "FLAIR scans/a.nii.gz", "FLAIR scans/b.nii.gz"),
    ],
)
def test_folders_without_common_subjects_are_not_read_as_contrasts(tmp_path, names):
    with pytest.raises(DatasetError, match="contains no scan"):
        by_contrast(tmp_path, *names)


def test_a_contrast_may_be_called_t2_flair(tmp_path):
    names = ("T1/P1_T1.nii.gz", "T1/P2.nii.gz", "T2_FLAIR/P1_T2_FLAIR.nii.gz", "T2_FLAIR/P2_t2flair.nii.gz")
    assert by_contrast(tmp_path, *names) == {
        ("P1", "t1"): ["T1/P1_T1.nii.gz"], ("P1", "flair"): ["T2_FLAIR/P1_T2_FLAIR.nii.gz"],
        ("P2", "t1"): ["T1/P2.nii.gz"], ("P2", "flair"): ["T2_FLAIR/P2_t2flair.nii.gz"],
    }  # fmt: skip


def test_the_contrast_may_stand_before_the_subject(tmp_path):
    names = ("T1/T1_P1.nii.gz", "T1/T1_P2.nii.gz", "T2_FLAIR/T2_FLAIR_P1.nii.gz", "T2_FLAIR/flair-P2.nii.gz")
    assert {subject for subject, _ in by_contrast(tmp_path, *names)} == {"P1", "P2"}


def test_two_entries_of_a_subject_in_one_folder_of_a_contrast_are_several_candidates(tmp_path):
    names = [f"{folder}/{name}.nii.gz" for folder in ("T1", "FLAIR") for name in "ab"]
    touch(tmp_path, *names, "T1/a_t1.nii.gz", "FLAIR/b.mgz")
    report = inspect_series(Folder(tmp_path, modalities=["t1", "flair"]).locate()).report
    lines = {(line["subject"], line["modality"], line["reason"]) for line in report.to_dict("records")}
    assert ("a", "t1", "several candidates") in lines and ("b", "flair", "another format: .mgz") in lines


def test_a_processed_copy_of_a_scan_is_not_another_subject(tmp_path):
    names = [f"{folder}/P{number}_{folder}.nii.gz" for folder in ("T1", "FLAIR") for number in (0, 1)]
    copies = ["T1/P0_T1_brain.nii.gz", "T1/P0_T1_brain_mask.nii.gz", "T1/P1_n4_T1.nii.gz", "FLAIR/P0_Warped.nii.gz"]
    scans = by_contrast(tmp_path, *names, *copies, "T1/P2_brain.nii.gz")
    assert {subject for subject, _ in scans} == {"P0", "P1", "P2_brain"}
    assert scans["P0", "t1"] == ["T1/P0_T1.nii.gz"]
    source = Folder(tmp_path, modalities=["t1"])
    source.locate()
    (note,) = [note for note in source.notes() if "named like a processed copy of a scan" in note]
    assert note.startswith("4 files or folders are") and "T1/P0_T1_brain.nii.gz" in note
