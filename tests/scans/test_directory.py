"""Images that a DICOMDIR lists and a copy of the disc lacks."""

import pytest
from pydicom.fileset import FileSet

from brain_cae.scans.directory import missing
from brain_cae.scans.sources.dicom import Dicom
from tests.scans.sources.hospital import EXAM, write_exam


def write_disc(folder):
    """Write a disc with a DICOMDIR; return its files."""

    def change(header, _):
        header.StudyTime, header.StudyID = "101500", "1"

    write_exam(folder / "from", exam={"t1": EXAM["t1"]}, change=change)
    disc = FileSet()
    for path in sorted((folder / "from").rglob("IM*")):
        disc.add(path)
    disc.write(folder / "disc")
    return sorted(path for path in (folder / "disc").rglob("*") if path.is_file())


def test_a_file_that_was_not_copied_is_missed(tmp_path):
    files = write_disc(tmp_path)
    assert missing(files) == (12, 0)
    images = [path for path in files if path.name != "DICOMDIR"]
    assert missing([path for path in files if path != images[-1]]) == (12, 1)


@pytest.mark.parametrize("rename", [str.lower, lambda name: f"{name}.dcm", lambda name: f"{name}.DCM"])
def test_names_may_be_written_in_another_way(tmp_path, rename):
    files = write_disc(tmp_path)
    renamed = [path if path.name == "DICOMDIR" else path.with_name(rename(path.name)) for path in files]
    assert missing(renamed) == (12, 0)


def test_a_directory_of_files_that_were_all_renamed_or_a_damaged_one_says_nothing(tmp_path):
    files = write_disc(tmp_path)
    directory = next(path for path in files if path.name == "DICOMDIR")
    assert missing([directory, tmp_path / "1.2.3.dcm"]) == (0, 0)
    directory.write_bytes(directory.read_bytes()[:300])
    assert missing(files) == (0, 0)
    directory.unlink()
    assert missing(files) == (0, 0)


def test_the_source_counts_what_a_copy_of_a_disc_lacks(tmp_path):
    key = tmp_path / "key"
    key.write_text("07" * 32)
    key.chmod(0o600)
    files = write_disc(tmp_path)
    one = Dicom(root=str(tmp_path / "disc"), key_file=str(key), progress=False)
    one.locate()
    assert not any("DICOMDIR" in note for note in one.notes())
    max(path for path in files if path.name != "DICOMDIR").unlink()
    one.locate()
    (note,) = [note for note in one.notes() if "DICOMDIR" in note]
    assert note.startswith("1 of 12 images that a DICOMDIR lists is not in the tree")
