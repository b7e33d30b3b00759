"""A folder of subjects."""

import os
import shutil
from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.sources import folder
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.store import import_series, inspect_series

from ..synthesise import voxels, write_series
from .layouts import lock, touch, write_volume
from .test_table import write_xlsx


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
    (root / "labels.csv").write_text("subject,label\na,Healthy\n")
    source = Folder(root, modalities=["t1"])
    assert {one.subject: one.label for one in source.locate()} == {"a": "healthy", "b": "unknown"}
    assert "1 subject has no label and is treated as unknown: b." in source.notes()
    (root / "labels.csv").write_text("subject,label\na,Healthy\nb,abnormal\nc,healthy\nz,abnormal\n")
    assert {one.subject: one.label for one in source.locate()} == {"a": "healthy", "b": "abnormal"}
    assert "2 labelled subjects have no scans and are left out: c, z." in source.notes()


def test_a_table_of_labels_without_a_line_is_noted(tmp_path):
    touch(tmp_path, "a/t1.nii.gz", "b/t1.nii.gz")
    (tmp_path / "labels.csv").write_text("subject,label\n")
    source = Folder(tmp_path, modalities=["t1"])
    source.locate()
    assert source.notes() == ["2 subjects have no label and are treated as unknown: a, b."]


def test_the_table_of_labels_may_give_age_sex_and_site(root):
    (root / "labels.csv").write_text(
        "subject,label,Age,Gender,Site,note\na,healthy,30,M,Bonn,x\nb,abnormal,old,F,n/a,y\n"
    )
    source = Folder(root, modalities=["t1"])
    assert {one.subject: (one.label, one.age, one.sex, one.site) for one in source.locate()} == {
        "a": ("healthy", 30, "M", "Bonn"), "b": ("abnormal", None, "F", ""),
    }  # fmt: skip
    assert "1 column of the table of labels is unknown and is ignored: note." in source.notes()
    assert any("age that is not a number of years" in note and note.endswith(": b.") for note in source.notes())


def test_labels_and_scans_that_do_not_find_each_other_stop_the_run(root):
    (root / "labels.csv").write_text("subject,label\na,healthy\nz,abnormal\n")
    with pytest.raises(DatasetError, match=r"labels without scans \(1\): z \(line 3\); subjects without labels .*: b"):
        Folder(root).locate()
    # A name of a folder without scans is not lost.
    (root / "labels.csv").write_text("subject,label\na,healthy\nc,abnormal\n")
    assert {one.subject: one.label for one in Folder(root).locate()} == {"a": "healthy", "b": "unknown"}


@pytest.mark.parametrize(
    "name",
    [
        "Labels.csv",
        "LABELS.TSV",
        "label.csv",
        "labels.csv.txt",
        "labels (1).csv",
        "Copy of labels.csv",
        "labels_v2.csv",
    ],
)
def test_a_table_of_labels_with_a_near_name_is_read(root, name):
    (root / name).write_text("Subject,LABEL\na,healthy\nb,abnormal\n".replace(",", "\t" if "TSV" in name else ","))
    source = Folder(root, modalities=["t1"])
    assert {one.subject: one.label for one in source.locate()} == {"a": "healthy", "b": "abnormal"}
    assert f"{name} is read as labels.csv." in source.notes()


def test_a_spreadsheet_of_labels_is_read_although_it_drops_zeros(tmp_path):
    touch(tmp_path, "001/t1.nii", "0012/t1.nii")
    write_xlsx(tmp_path / "labels.xlsx", [["subject", "label"], [1, "healthy"], [12.0, "abnormal"]])
    labels = {one.subject: one.label for one in Folder(tmp_path, modalities=["t1"]).locate()}
    assert labels == {"001": "healthy", "0012": "abnormal"}


def test_several_tables_of_labels_are_named_and_others_noted(root):
    for name in ("Labels.csv", "label.csv"):
        (root / name).write_text("subject,label\na,healthy\nb,abnormal\n")
    with pytest.raises(DatasetError, match=r"Labels\.csv, label\.csv"):
        Folder(root).locate()
    (root / "labels.csv").write_text("subject,label\na,abnormal\nb,healthy\n")
    (root / "train_labels.csv").write_text("x\n")
    source = Folder(root)
    assert {one.subject: one.label for one in source.locate()} == {"a": "abnormal", "b": "healthy"}
    assert "Not read, beside labels.csv: Labels.csv, label.csv, train_labels.csv." in source.notes()


def test_a_table_that_another_one_replaced_is_not_read(root):
    (root / "labels_old.csv").write_text("subject,label\na,healthy\nb,abnormal\n")
    source = Folder(root)
    assert {one.label for one in source.locate()} == {"unknown"}
    said = "Not read, because the table must be called labels.csv or labels.tsv: labels_old.csv."
    assert said in source.notes()


def test_labels_and_masks_are_matched_however_programs_wrote_them(tmp_path):
    touch(tmp_path, "P-001/t1.nii", "P-002/t1.nii", "masks/p_001.nii.gz", "brain_masks/P-1.nii")
    (tmp_path / "labels.csv").write_text("subject,label\nP-1,healthy\np-002,abnormal\n")
    source = Folder(tmp_path, modalities=["t1"])
    scans = {one.subject: one for one in source.locate()}
    assert {name: one.label for name, one in scans.items()} == {"P-001": "healthy", "P-002": "abnormal"}
    assert scans["P-001"].lesion_mask == tmp_path / "masks/p_001.nii.gz"
    assert scans["P-001"].brain_mask == tmp_path / "brain_masks/P-1.nii"
    assert (
        "2 labels are matched with a subject whose name is written in another way: p-002 for P-002, P-1 for P-001."
        in source.notes()
    )


def test_a_folder_whose_name_is_not_utf8_is_a_subject(tmp_path):
    touch(tmp_path, os.fsdecode(b"M\xfcller/t1.nii"))
    (one,) = Folder(tmp_path, modalities=["t1"]).locate()
    assert one.subject == "M\\udcfcller"


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
    touch(tmp_path, "e/T1/T1.nii.gz", "e/T2_FLAIR/T2_FLAIR.nii.gz")
    source = Folder(tmp_path, modalities=["t1", "flair"])
    assert {(one.subject, one.modality): [path.name for path in one.files] for one in source.locate()} == {
        ("a", "t1"): ["T1.nii.gz"], ("a", "flair"): ["IM1"], ("b", "t1"): ["t1w.nii.gz"], ("b", "flair"): ["Fl.NII"],
        ("c", "t1"): ["IM1"], ("c", "flair"): ["t2f.nii"], ("d", "t1"): [], ("d", "flair"): [],
        ("e", "t1"): ["T1.nii.gz"], ("e", "flair"): ["T2_FLAIR.nii.gz"],
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


def test_header_and_image_of_a_pair_are_one_scan(tmp_path):
    touch(tmp_path, "a/t1.hdr", "a/t1.img", "b/T1.hdr.gz", "b/T1.img.gz", "masks/a.hdr", "masks/a.img")
    source = Folder(tmp_path, modalities=["t1"])
    scans = {one.subject: [path.name for path in one.files] for one in source.locate()}
    assert scans == {"a": ["t1.hdr", "t1.img"], "b": ["T1.hdr.gz", "T1.img.gz"]}
    assert source.notes() == [] and source.locate()[0].lesion_mask == tmp_path / "masks" / "a.hdr"
    touch(tmp_path, "a/t1.nii")
    (one, _) = source.locate()
    assert one.files == () and [path.name for path, _ in one.left_out] == ["t1.hdr", "t1.nii"]


def test_files_of_other_formats_are_named(tmp_path):
    touch(tmp_path, "a/t1.mgz", "a/t2.nii.gz", "a/t1.json", "b/t1.nii.zip", "b/t2.nii", "b/T2.img", "b/report.zip")
    scans = {(one.subject, one.modality): one for one in Folder(tmp_path, modalities=["t1", "t2"]).locate()}
    reasons = {key: [reason for _, reason in one.left_out] for key, one in scans.items()}
    assert reasons == {
        ("a", "t1"): ["another format: .mgz"], ("a", "t2"): [],
        ("b", "t1"): ["another format: .zip"], ("b", "t2"): ["half of a pair"],
    }  # fmt: skip
    assert [len(one.files) for one in scans.values()] == [0, 1, 0, 1]


def test_every_entry_is_read_or_named(tmp_path, monkeypatch):
    touch(
        tmp_path, "a/t1.nii.gz", "a/t1.text", "a/.t2/IM1", "a/.cache/IM1", "a/._t1.nii.gz", "b/t1/IM1", "b/x.mgz",
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
        "2 files have a format that is not read; convert them to .nii.gz, or unpack them: b/x.mgz, d/scan.zip.",
        "1 hidden file or folder is not read: a/.t2.",
        "1 file or folder is not named after a modality and is left out: a/t1.text.",
        "1 hidden file or folder is not read: .hidden.",
        "2 files beside the subjects' folders are not read: README.md, stray.nii.gz.",
        "1 subject has several masks in masks, none of which is used: b.",
        "1 file has a format that is not read; convert it to .nii.gz, or unpack it: masks/c.mgz.",
        "1 file in masks is not a mask: masks/old/a.nii.gz.",
        "1 link is broken; get the files: brain_masks/b.nii.",
    ]


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("t1.mgz", ".mgz"), ("t1.nii.gz.gz", ".nii.gz.gz"), ("T1w.nii.zip", ".zip"), ("T1.dcm", ".dcm"),
        ("t1/all.zip", ".zip"), ("t1/scan.nrrd", ".nrrd"),
    ],
)  # fmt: skip
def test_scans_in_formats_that_are_not_read_are_refused_by_name(tmp_path, name, ending):
    reason = f"another format: {ending}"
    touch(tmp_path / "scans", f"a/{name}")
    scans = Folder(tmp_path / "scans", modalities=["t1"]).locate()
    for report in (
        import_series(scans, tmp_path / "store", progress=False, root=tmp_path / "scans").report,
        inspect_series(scans).report,
    ):
        (refused,) = report[report["status"] == "refused"].to_dict("records")
        assert refused["reason"] == reason and refused["path"].endswith(Path(name).name)
        advice = advice_for(reason)
        assert "unpack" in advice and "Convert" in advice and "emove" not in advice


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


def test_folders_without_a_modality_are_named_with_what_they_hold(tmp_path):
    touch(tmp_path, "p1/IM0000")
    (tmp_path / "p1/IM0000").write_bytes(b"text")
    with pytest.raises(DatasetError, match="p1; p1 with IM0000"):
        Folder(tmp_path).locate()


def test_a_subject_that_is_removed_while_the_folder_is_listed_has_no_scans(root, monkeypatch):
    usual = folder.look

    def disturbed(path):
        if path.name == "b":
            shutil.rmtree(path)
        return usual(path)

    monkeypatch.setattr(folder, "look", disturbed)
    assert {one.subject for one in Folder(root, modalities=["t1"]).locate()} == {"a"}


def test_the_folder_of_a_processed_copy_is_no_subject(tmp_path):
    """``P1_brain`` beside ``P1`` would be another person, who may be tested with a network that learned from ``P1``."""
    touch(tmp_path, "P1/t1.nii.gz", "P1_brain/t1.nii.gz", "P2_brain/t1.nii.gz", "P3_n4_reg/t1.nii.gz", "P3/t1.nii.gz")
    source = Folder(tmp_path, modalities=["t1"])
    assert [one.subject for one in source.locate()] == ["P1", "P2_brain", "P3"]
    assert source.notes() == [
        "2 files or folders are named like a processed copy of a scan and are left out: P1_brain, P3_n4_reg."
    ]


def test_subjects_that_may_be_one_are_named(tmp_path):
    touch(tmp_path, "P01/t1.nii.gz", "P1/t1.nii.gz", "P2/t1.nii.gz")
    (tmp_path / "labels.csv").write_text("subject,label\nP01,healthy\nP1,healthy\nP2,abnormal\np02,healthy\n")
    source = Folder(tmp_path, modalities=["t1"])
    source.locate()
    text = " ".join(source.notes())
    assert "count as different subjects: P01 and P1." in text
    assert "2 groups of names in labels.csv have" in text and "may be one subject: P01 and P1, P2 and p02." in text


def test_folders_of_masks_may_be_called_in_capitals(tmp_path):
    touch(tmp_path, "a/t1.nii", "Masks/a_mask.nii", "Brain_Masks/a_brain.nii", "masks_old/a.nii")
    source = Folder(str(tmp_path), modalities=["t1"])
    (scan,) = source.locate()
    assert scan.lesion_mask == tmp_path / "Masks/a_mask.nii" and scan.brain_mask == tmp_path / "Brain_Masks/a_brain.nii"
    assert "1 folder contains no known modality and is left out: masks_old (a.nii)." in source.notes()
    touch(tmp_path, "masks/a.nii")
    assert source.locate()[0].lesion_mask == tmp_path / "masks/a.nii"
    assert any("Masks (a_mask.nii)" in note for note in source.notes())
