"""A folder of subjects."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.store import import_series

from .layouts import touch


@pytest.fixture
def root(tmp_path):
    for name in ("a/t1.nii.gz", "a/flair/IM0001", "a/flair/.DS_Store", "b/t1.nii", "c/notes.txt", "masks/a.nii.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_files_and_folders_are_modalities(root):
    source = Folder(root, modalities=["t1", "flair"])
    scans = {(one.subject, one.modality): [path.name for path in one.files] for one in source.locate()}
    assert scans == {
        ("a", "t1"): ["t1.nii.gz"], ("a", "flair"): ["IM0001"], ("b", "t1"): ["t1.nii"], ("b", "flair"): []
    }  # fmt: skip
    assert {one.label for one in source.locate()} == {"unknown"}
    assert source.notes() == ["1 folder contains no known modality and is left out: c (notes.txt)."]
    assert {one.subject for one in source.locate() if one.lesion_mask} == {"a"}


def test_labels(root):
    (root / "labels.csv").write_text("subject,label\na,Healthy\nz,abnormal\n")
    source = Folder(root, modalities=["t1"])
    assert {one.subject: one.label for one in source.locate()} == {"a": "healthy", "b": "unknown"}
    assert len(source.notes()) == 3


def test_labels_may_be_tab_separated_but_not_in_two_files(root):
    (root / "labels.tsv").write_text("subject\tlabel\na\thealthy\nb\tabnormal\n")
    assert {one.subject: one.label for one in Folder(root).locate()} == {"a": "healthy", "b": "abnormal"}
    (root / "labels.csv").write_text("subject,label\n")
    with pytest.raises(DatasetError, match=r"labels\.csv or labels\.tsv"):
        Folder(root).locate()


def test_label_and_skull_apply_to_subjects_without_other_information(root):
    (root / "labels.csv").write_text("subject,label\na,abnormal\n")
    source = Folder(root, modalities=["t1"], label="healthy", skull="on")
    assert {one.subject: (one.label, one.skull) for one in source.locate()} == {
        "a": ("abnormal", "on"), "b": ("healthy", "on")
    }  # fmt: skip
    assert any("no label and is treated as healthy: b" in note for note in source.notes())


def test_brain_masks_and_masks_without_a_subject(root):
    for name in ("brain_masks/a.nii", "brain_masks/z.nii.gz", "brain_masks/notes.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    source = Folder(root, modalities=["t1"])
    assert {one.subject: one.brain_mask for one in source.locate()} == {"a": root / "brain_masks" / "a.nii", "b": None}
    assert "1 file in brain_masks is not named after a subject: z." in source.notes()


@pytest.mark.parametrize("content", ["subject,label\na,ill\n", "a,healthy\n", "subject,label\na,healthy\na,healthy\n"])
def test_wrong_labels_are_an_error(root, content):
    (root / "labels.csv").write_text(content)
    with pytest.raises(DatasetError, match=r"labels\.csv"):
        Folder(root).locate()


def test_other_spellings_are_understood(tmp_path):
    touch(tmp_path, "a/T1.nii.gz", "a/FLAIR/IM1", "b/t1w.nii.gz", "b/Fl.NII", "c/t1n/IM1", "c/t2f.nii", "d/T1Gd.nii")
    source = Folder(tmp_path, modalities=["t1", "flair"])
    assert {(one.subject, one.modality): [path.name for path in one.files] for one in source.locate()} == {
        ("a", "t1"): ["T1.nii.gz"], ("a", "flair"): ["IM1"], ("b", "t1"): ["t1w.nii.gz"], ("b", "flair"): ["Fl.NII"],
        ("c", "t1"): ["IM1"], ("c", "flair"): ["t2f.nii"], ("d", "t1"): [], ("d", "flair"): [],
    }  # fmt: skip
    assert source.notes() == []


def test_a_subject_without_the_modalities_in_use_is_reported_as_missing(root, tmp_path):
    touch(root, "d/t2.nii.gz", "d/adc.nii.gz", "d/scout/IM1", "d/t1/.DS_Store")
    source = Folder(root, modalities=["t1"])
    report = import_series(source.locate(), tmp_path / "store", progress=False).report
    assert report.loc[report["subject"] == "d", ["status", "reason"]].to_numpy().tolist() == [["missing", "no files"]]
    assert source.notes() == [
        "1 folder contains no known modality and is left out: c (notes.txt).",
        "2 files or folders are not named after a modality and are left out: d/adc.nii.gz, d/scout.",
    ]


def test_a_modality_given_twice_costs_only_that_subject(root, tmp_path):
    touch(root, "a/T1/IM1", "a/t1w.nii", "b/t1w/IM1")
    scans = {one.subject: one for one in Folder(root, modalities=["t1"]).locate()}
    assert [len(scans[name].files) for name in "ab"] == [0, 1]
    assert scans["b"].left_out == ((root / "b/t1w/IM1", "several candidates: the one named plainly was taken"),)
    report = import_series([scans["a"]], tmp_path / "store", progress=False, root=root).report
    assert report[["status", "reason", "path"]].to_numpy().tolist() == [
        ["missing", "no usable scan", ""], ["refused", "several candidates", "a/T1/IM1"],
        ["refused", "several candidates", "a/t1.nii.gz"], ["refused", "several candidates", "a/t1w.nii"],
    ]  # fmt: skip


def test_a_folder_without_scans_is_an_error(root, tmp_path):
    with pytest.raises(DatasetError, match="contains no scan"):
        Folder(root / "c").locate()
    with pytest.raises(DatasetError, match="does not exist"):
        Folder(root / "nowhere").locate()
