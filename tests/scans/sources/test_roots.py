"""A wrong root names the folder and the source that fit."""

import itertools
import zipfile
from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources import roots
from brain_cae.scans.sources.bids import Bids
from brain_cae.scans.sources.brats import Brats
from brain_cae.scans.sources.dicom import Dicom
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.ixi import Ixi
from brain_cae.scans.sources.rsna_miccai import RsnaMiccai
from tests.scans.sources.hospital import EXAM, flat, write_exam
from tests.scans.sources.layouts import touch

SOURCES = {"bids": Bids, "brats": Brats, "folder": Folder, "ixi": Ixi, "rsna_miccai": RsnaMiccai}
ONE = {"t1": EXAM["t1"] | {"slices": 1}}
LAYOUTS = {
    "bids": lambda root: touch(root, "sub-01/anat/sub-01_T1w.nii.gz"),
    "brats": lambda root: touch(root, "BraTS2021_00000/BraTS2021_00000_flair.nii.gz"),
    "folder": lambda root: touch(root, "p1/t1.nii.gz", "p2/flair.nii.gz"),
    "ixi": lambda root: touch(root, "IXI002-Guys-0828-T1.nii.gz"),
    "rsna_miccai": lambda root: touch(root, "train/00000/FLAIR/Image-1.dcm"),
    "dicom": lambda root: write_exam(root, exam=ONE, place=lambda *where: "p1/T1 - SE extrp - 601/IM1"),
}


def message(source, root):
    with pytest.raises(DatasetError) as raised:
        SOURCES[source](root=str(root)).locate()
    return str(raised.value)


def said_of_dicom(root):
    with pytest.raises(DatasetError, match="contains no DICOM image") as raised:
        Dicom(root=str(root), key_file=str(root.parent / "key"), progress=False).locate()
    return str(raised.value)


def pack(folder, path, *others):
    """Write a zip of a folder, and of other files."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in (one for one in folder.rglob("*") if one.is_file()):
            archive.writestr(file.relative_to(folder.parent).as_posix(), file.read_bytes() or b"content")
        for name in others:
            archive.writestr(name, b"PK")


def test_a_root_of_broken_links_says_so(tmp_path):
    for name in ("p1", "p2"):
        (tmp_path / name).symlink_to(tmp_path / "not-mounted" / name)
    said = message("folder", tmp_path)
    assert "links that lead nowhere: p1, p2" in said and "Mount or fetch" in said


FITS = {(name, name) for name in SOURCES} | {("ixi", "brats")}


@pytest.mark.parametrize(("source", "layout"), sorted(set(itertools.product(SOURCES, LAYOUTS)) - FITS))
def test_the_source_that_fits_is_named(tmp_path, source, layout):
    LAYOUTS[layout](tmp_path / "scans")
    assert f"dataset={layout} dataset.root={tmp_path / 'scans'}" in message(source, tmp_path / "scans")


@pytest.mark.parametrize("source", ["bids", "folder", "rsna_miccai"])
def test_a_root_too_high_or_too_low_is_corrected(tmp_path, source):
    LAYOUTS[source](tmp_path / "download" / "scans")
    right = tmp_path / "download" / "scans"
    assert f"1 level lower: dataset.root={right}\n" in message(source, right.parent) + "\n"
    subject = next(path for path in right.iterdir() if path.is_dir())
    assert f"1 level higher: dataset.root={right}\n" in message(source, subject) + "\n"


def test_groups_in_folders_of_their_own_are_all_named(tmp_path):
    for group in ("healthy controls", "patients", "site-3"):
        LAYOUTS["folder"](tmp_path / group)
        LAYOUTS["bids"](tmp_path / "bids" / group)
    text = message("folder", tmp_path)
    assert "in 3 folders: healthy controls, patients, site-3." in text and "subject,session,modality,path" in text
    parts = f"dataset.parts.healthy_controls.root={tmp_path}/healthy controls +dataset@dataset.parts.patients=folder"
    assert f"dataset=combined +dataset@dataset.parts.healthy_controls=folder {parts}" in text
    assert "+dataset@dataset.parts.patients=bids" in message("folder", tmp_path / "bids")


def test_one_folder_of_everything_is_read_by_headers(tmp_path):
    write_exam(tmp_path / "scans", exam=ONE, place=flat("1"))
    assert "dataset=dicom" in message("folder", tmp_path / "scans")


def test_nifti_with_other_names_are_listed(tmp_path):
    touch(tmp_path / "scans", "p1/p1_scan.nii.gz", "p2/p2_scan.nii.gz")
    text = message("folder", tmp_path / "scans")
    assert "p1/p1_scan.nii.gz" in text and "dataset.table" in text
    with pytest.raises(DatasetError, match="dataset=folder"):
        LAYOUTS["folder"](tmp_path / "other")
        Dicom(root=str(tmp_path / "other"), key_file=str(tmp_path / "key"), progress=False).locate()


def test_the_folder_of_a_subject_with_sessions_is_not_the_root(tmp_path):
    touch(tmp_path / "scans", "Patient-001/week-000/T1.nii", "Patient-001/week-044/T1.nii")
    text = message("folder", tmp_path / "scans")
    assert "subject,session,modality,path" in text and "level lower" not in text


def test_one_folder_per_contrast_is_not_taken_for_a_subject(tmp_path):
    touch(tmp_path / "mri" / "scans", "T1/a.nii", "T1/b.nii", "FLAIR scans/a.nii", "FLAIR scans/b.nii", "notes/x.txt")
    text = message("folder", tmp_path / "mri" / "scans")
    assert "one folder per contrast: FLAIR scans with 2 files, T1 with 2 files" in text and "dataset.table" in text
    assert "level higher" not in text


def test_the_only_folder_of_a_contrast_is_not_taken_for_a_subjects_beside_others(tmp_path):
    touch(tmp_path / "mri", "one/T1/a.nii", "one/T1/b.nii", "other/T1/a.nii", "other/T1/b.nii")
    text = message("folder", tmp_path / "mri" / "one")
    assert "one folder per contrast: T1 with 2 files" in text and "List the scans in a table" in text
    assert "level higher" not in text


@pytest.mark.parametrize("source", SOURCES)
def test_a_near_miss_is_suggested(tmp_path, source):
    (tmp_path / "Patients" / "scans").mkdir(parents=True)
    assert f"Did you mean {tmp_path / 'Patients' / 'scans'}?" in message(source, tmp_path / "patient" / "scans")
    assert "Did you mean" not in message(source, tmp_path / "elsewhere" / "scans")


@pytest.mark.parametrize("source", SOURCES)
def test_an_archive_or_a_file_is_no_root(tmp_path, source):
    (tmp_path / "scans.zip").write_bytes(b"PK")
    text = message(source, tmp_path / "scans.zip")
    assert "a zip file" in text and "dataset=dicom reads a zip" in text and "Remove" not in text


@pytest.mark.parametrize("layout", ["bids", "brats", "folder", "ixi"])
def test_of_a_zip_without_dicom_the_content_and_the_source_that_fits_are_named(tmp_path, layout):
    LAYOUTS[layout](tmp_path / "scans")
    pack(tmp_path / "scans", tmp_path / "scans.zip", "deep/inner.zip")
    text = said_of_dicom(tmp_path / "scans.zip")
    assert "The zip file contains no DICOM image." in text and ": NIfTI" in text
    assert "not opened: an archive inside of an archive (1)" in text
    assert f"unpack it, and name the folder: dataset={layout} dataset.root=" in text


def test_an_archive_in_a_folder_counts_as_what_it_holds(tmp_path):
    LAYOUTS["dicom"](tmp_path / "scans")
    (tmp_path / "text").mkdir()
    pack(tmp_path / "scans", tmp_path / "zipped" / "scans.zip")
    pack(tmp_path / "text", tmp_path / "other" / "text.zip", "readme.txt")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "x.zip").write_bytes(b"PK")
    assert "dataset=dicom" in message("folder", tmp_path / "zipped")
    assert "dataset=dicom" not in message("folder", tmp_path / "other")
    assert "1 file: not DICOM" in said_of_dicom(tmp_path / "other")
    assert "not opened: a damaged or incomplete one (1)" in said_of_dicom(tmp_path / "damaged")


def test_of_a_file_the_folder_of_its_layout_is_named(tmp_path):
    for layout in ("folder", "bids", "dicom"):
        LAYOUTS[layout](tmp_path / layout)
    bids, dicom = f"dataset=bids dataset.root={tmp_path}/bids", f"dataset=dicom dataset.root={tmp_path}/dicom/p1/T1"
    assert (
        f"dataset=folder dataset.root={tmp_path}/folder\n" in message("folder", tmp_path / "folder/p1/t1.nii.gz") + "\n"
    )
    assert bids in message("folder", tmp_path / "bids/sub-01/anat/sub-01_T1w.nii.gz")
    assert dicom in message("folder", tmp_path / "dicom/p1/T1 - SE extrp - 601/IM1")


def test_a_path_of_windows_is_said_to_be_one(tmp_path):
    text = message("folder", Path(roots.as_path(r"C:\scans\new")))
    assert "path of Windows" in text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [('"/scans/a b"', "/scans/a b"), ("'/scans' ", "/scans"), (r"data\scans", "data/scans"),
     ("file:///scans", "/scans"), ("/scans", "/scans")],
)  # fmt: skip
def test_a_path_is_read_as_it_was_meant(typed, meant):
    assert roots.as_path(typed) == meant


def test_the_home_and_a_mounted_drive_are_resolved(monkeypatch):
    assert roots.as_path("~/scans") == str(Path.home() / "scans")
    monkeypatch.setattr(roots.Path, "is_dir", lambda path: str(path) == "/mnt/d")
    assert roots.as_path(r"D:\scans\new") == "/mnt/d/scans/new"
