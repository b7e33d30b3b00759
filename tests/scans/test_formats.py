"""Names of files."""

import gzip
from pathlib import Path

import pytest

from brain_cae.scans.formats import (
    DICOM,
    has_header,
    is_nifti,
    nifti_files,
    nifti_stem,
    unread_format,
    without_copies,
)

from .sources.layouts import touch


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("t1.MGZ", ".mgz"), ("t1.mgh.gz", ".mgh.gz"), ("T1.NRRD", ".nrrd"), ("t1.nii.gz.gz", ".nii.gz.gz"),
        ("t1.nii.zip", ".zip"), ("x.tar.gz", ".tar.gz"), ("IM0001.gz", ".gz"),
    ],
)  # fmt: skip
def test_images_and_archives_that_are_not_read_are_told_from_their_ending(name, ending):
    assert unread_format(Path(name)) == f"another format: {ending}"


@pytest.mark.parametrize(
    "name", ["t1.nii.gz", "t1.nii", "t1.hdr.gz", "T1.IMG.GZ", "IM0001", "1.2.840", "t1.json", "a.dcm"]
)
def test_other_names_say_nothing_against_a_file(name):
    assert unread_format(Path(name)) == ""


def test_dicom_is_told_from_its_ending_where_its_place_is_wrong():
    assert unread_format(Path("t1.DCM"), endings=DICOM) == "another format: .dcm"


def test_the_header_of_a_pair_stands_for_both_files(tmp_path):
    touch(tmp_path, "a.hdr", "a.img", "b.img", "C.HDR.gz", "C.IMG")
    pairs = {name: nifti_files(tmp_path / name) for name in ("a.hdr", "a.img", "C.IMG")}
    assert {name: [path.name for path in files] for name, files in pairs.items()} == {
        "a.hdr": ["a.hdr", "a.img"], "a.img": ["a.hdr", "a.img"], "C.IMG": ["C.HDR.gz", "C.IMG"]
    }  # fmt: skip
    assert [path.name for path in sorted(tmp_path.iterdir()) if has_header(path)] == ["C.IMG", "a.img"]
    assert is_nifti(tmp_path / "a.hdr") and not is_nifti(tmp_path / "a.img")


def test_the_stem_of_a_scan():
    names = ("T1.NII.gz", "t1.hdr", "t1.v2.nii", "notes.txt")
    assert [nifti_stem(Path(name)) for name in names] == ["T1", "t1", "t1.v2", "notes.txt"]


def test_an_unpacked_file_beside_its_archive_is_a_copy(tmp_path):
    content = bytes(range(256)) * 100
    plain, packed, other = (tmp_path / name for name in ("t1.nii", "t1.nii.gz", "T1.NII"))
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    assert without_copies([plain, packed]) == [plain]
    packed.write_bytes(gzip.compress(content[:-1] + b"x" * 3))
    assert without_copies([plain, packed]) == [plain, packed]
    packed.write_bytes(gzip.compress(b"x" + content[1:]))
    assert without_copies([plain, packed]) == [plain, packed]
    for broken in (b"", b"\x1f", gzip.compress(content)[:20]):
        packed.write_bytes(broken)
        assert without_copies([plain, packed]) == [plain, packed]
    other.write_bytes(content)
    assert without_copies([plain, other]) == [plain, other]  # of another name
    plain.write_bytes(b"")
    packed.write_bytes(b"")
    assert without_copies([plain, packed]) == [plain, packed]  # nothing to compare
