"""A folder of subjects."""

from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.store import import_series, inspect_series

from ..synthesise import voxels, write_series
from .layouts import lock, touch, write_volume


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


def test_every_entry_is_read_or_named(tmp_path, monkeypatch):
    touch(
        tmp_path, "a/t1.nii.gz", "a/t1.json", "a/.t2/IM1", "a/.cache/IM1", "a/._t1.nii.gz", "b/t1/IM1", "b/x.mgz",
        "c/IM1", "d/scan.zip", "masks/a.nii.gz", "masks/b.nii", "masks/b.nii.gz", "masks/c.mgz", "masks/old/a.nii.gz",
        "labels.csv", "brain_masks/a.nii.gz/mask.nii", "stray.nii.gz", "README.md", ".DS_Store", ".hidden/x",
    )  # fmt: skip
    (tmp_path / "labels.csv").write_text("subject,label\na,healthy\nb,healthy\n")
    (tmp_path / "brain_masks/b.nii").symlink_to(tmp_path / "gone")
    source = Folder(tmp_path, modalities=["t1"])
    scans = {one.subject: one for one in source.locate()}
    assert scans["a"].brain_mask == tmp_path / "brain_masks/a.nii.gz/mask.nii"
    assert scans["b"].lesion_mask is None
    assert source.notes() == [
        "2 folders contain no known modality and are left out: c (IM1), d (scan.zip).",
        "1 subject has several masks in masks, none of which is used: b.",
        "1 file is packed and not read; unpack it: d/scan.zip.",
        "1 file has a format that is not read; convert it to .nii.gz: b/x.mgz.",
        "1 hidden file or folder is not read: a/.t2.",
        "1 file or folder is not named after a modality and is left out: a/t1.json.",
        "1 hidden file or folder is not read: .hidden.",
        "2 files beside the subjects' folders are not read: README.md, stray.nii.gz.",
        "1 file has a format that is not read; convert it to .nii.gz: masks/c.mgz.",
        "1 file in masks is not a mask: masks/old/a.nii.gz.",
        "1 link is broken; get the files: brain_masks/b.nii.",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("t1.mgz", "another format: .mgz"), ("t1.nii.gz.gz", "packed file: .gz"), ("T1w.nii.zip", "packed file: .zip"),
        ("t1/all.zip", "packed file: .zip"), ("t1/scan.nrrd", "another format: .nrrd"),
    ],
)  # fmt: skip
def test_scans_in_formats_that_are_not_read_are_refused_by_name(tmp_path, name, reason):
    touch(tmp_path / "scans", f"a/{name}")
    scans = Folder(tmp_path / "scans", modalities=["t1"]).locate()
    for report in (
        import_series(scans, tmp_path / "store", progress=False, root=tmp_path / "scans").report,
        inspect_series(scans).report,
    ):
        (refused,) = report[report["status"] == "refused"].to_dict("records")
        assert refused["reason"] == reason and refused["path"].endswith(Path(name).name)
        advice = advice_for(reason)
        assert ("Unpack" in advice or "convert" in advice) and "Remove" not in advice


def test_a_folder_named_like_a_nifti_file_is_read(tmp_path):
    write_volume(tmp_path / "scans/a/t1.nii/image.nii")
    scans = Folder(tmp_path / "scans", modalities=["t1"]).locate()
    assert len(import_series(scans, tmp_path / "store", progress=False).index) == 1


def test_half_of_a_scan_is_not_taken_for_the_whole(tmp_path, monkeypatch):
    root = tmp_path / "scans"
    for subject, disc in (
        ("half", "t1/DISC1"),
        ("half", "t1/DISC2"),
        ("none", "t1"),
        ("closed", "t1"),
        ("whole", "t1"),
    ):
        names = [f"{disc[-1]}{number}" for number in range(6)]
        first = 18 if disc.endswith("2") else 0
        write_series(root / subject / disc, voxels(seed=first), origin=(0, 0, first), names=names)
    write_series(root / "dead" / "t1", voxels(), names=list("abcdef"))
    (root / "dead/t1/g").symlink_to(root / "gone")
    lock(monkeypatch, root / "half/t1/DISC2", root / "none/t1", root / "closed")
    scans = Folder(root, modalities=["t1"]).locate()
    for report in (
        import_series(scans, tmp_path / "store", progress=False, root=root).report, inspect_series(scans).report
    ):  # fmt: skip
        assert report.set_index("subject")["reason"].to_dict() == {
            "closed": "unreadable folder", "dead": "no such file", "half": "unreadable folder",
            "none": "unreadable folder", "whole": "",
        }  # fmt: skip


def test_dicom_beside_the_folders_of_modalities_is_an_error_that_says_so(tmp_path):
    touch(tmp_path, "p1/IM0000")
    (tmp_path / "p1/IM0000").write_bytes(bytes(128) + b"DICM" + bytes(20))
    with pytest.raises(DatasetError, match=r"no folder of a modality(.|\n)*p1/IM0000(.|\n)*named after its modality"):
        Folder(tmp_path).locate()
    (tmp_path / "p1/IM0000").write_bytes(b"text")
    with pytest.raises(DatasetError, match="p1; p1 with IM0000"):
        Folder(tmp_path).locate()
