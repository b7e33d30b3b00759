"""Several data sets as one."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.combined import Combined
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.ixi import Ixi

from .layouts import touch


@pytest.fixture
def parts(tmp_path):
    touch(tmp_path, "north/a/t1.nii.gz", "south/a/t1.nii.gz", "south/b/t1.nii.gz", "ixi/IXI002-Guys-0828-T1.nii.gz")
    (tmp_path / "south" / "labels.csv").write_text("subject,label\na,abnormal\nz,healthy\n")
    return {
        "north": Folder(tmp_path / "north", ["t1"], label="healthy"),
        "south": Folder(tmp_path / "south", ["t1"]),
        "ixi": Ixi(tmp_path / "ixi", ["t1"]),
    }


def test_subjects_of_two_parts_never_meet(parts):
    found = Combined(parts).locate()
    assert [(one.subject, one.source, one.label) for one in found] == [
        ("north-a", "north", "healthy"), ("south-a", "south", "abnormal"), ("south-b", "south", "unknown"),
        ("ixi-IXI002", "ixi", "healthy"),
    ]  # fmt: skip


def test_notes_name_their_part(parts):
    source = Combined(parts)
    source.locate()
    assert [note.split(":")[0] for note in source.notes()] == ["south", "south", "ixi"]


def test_an_error_names_the_part_and_its_keys(parts, tmp_path):
    parts["north"] = Folder(tmp_path / "dataset.old" / "gone", ["t1"])
    with pytest.raises(DatasetError, match="Part north: The data set's folder does not exist") as raised:
        Combined(parts).locate()
    text = str(raised.value)
    assert "Set dataset.parts.north.root to" in text and "/dataset.old/gone" in text
