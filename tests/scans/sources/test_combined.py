"""Several data sets as one."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.combined import Combined
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.ixi import Ixi
from brain_cae.scans.store import import_series

from ..synthesise import voxels, write_series
from .layouts import touch


@pytest.fixture
def parts(tmp_path):
    touch(tmp_path, "north/a/t1.nii.gz", "south/a/t1.nii.gz", "south/b/t1.nii.gz", "ixi/IXI002-Guys-0828-T1.nii.gz")
    (tmp_path / "south" / "labels.csv").write_text("subject,label\na,abnormal\nb,unknown\nz,healthy\n")
    return {
        "north": Folder(tmp_path / "north", ["t1"], label="healthy"),
        "south": Folder(tmp_path / "south", ["t1"]),
        "ixi": Ixi(tmp_path / "ixi", ["t1"]),
    }


def test_subjects_of_two_parts_never_share_a_name(parts):
    scans = Combined(parts).locate()
    assert [(one.subject, one.source, one.label) for one in scans] == [
        ("north-a", "north", "healthy"), ("south-a", "south", "abnormal"), ("south-b", "south", "unknown"),
        ("ixi-IXI002", "ixi", "healthy"),
    ]  # fmt: skip


def test_notes_name_their_part(parts):
    source = Combined(parts)
    source.locate()
    assert [note.split(":")[0] for note in source.notes()] == ["south", "ixi"]


def test_an_error_names_the_part_and_its_keys(parts, tmp_path):
    parts["north"] = Folder(tmp_path / "dataset.old" / "gone", ["t1"])
    with pytest.raises(DatasetError, match="Part north: The data set's folder does not exist") as raised:
        Combined(parts).locate()
    text = str(raised.value)
    assert "Set dataset.parts.north.root to" in text and "/dataset.old/gone" in text
    assert raised.value.advice and raised.value.advice in text and text.count("What to do") == 1


def test_the_advice_for_a_part_with_another_layout_names_the_part_of_that_kind(parts, tmp_path):
    touch(tmp_path / "x", "BraTS2021_00000/BraTS2021_00000_t1.nii")
    parts["ixi"] = Ixi(str(tmp_path / "x"), ["t1"])
    with pytest.raises(DatasetError) as raised:
        Combined(parts).locate()
    assert raised.value.advice.endswith(f": dataset.parts.brats.root={tmp_path / 'x'}")


def test_a_line_of_the_report_selects_a_series_of_its_part(tmp_path):
    for number, part in enumerate(("north", "south"), 3):
        write_series(tmp_path / part / "a" / "t1" / "S1", voxels((9, 5, 4)), series=f"1.2.{number}.1")
        write_series(tmp_path / part / "a" / "t1" / "S2", voxels((4, 5, 4)), series=f"1.2.{number}.2")

    def run_import():
        source = Combined({part: Folder(tmp_path / part, ["t1"]) for part in ("north", "south")})
        return import_series(source.locate(), tmp_path / "store", progress=False)

    report = run_import().report
    left = report[report["status"] == "refused"].set_index("subject")
    assert left["path"].to_dict() == {"north-a": "north/a/t1/S2/Image-1.dcm", "south-a": "south/a/t1/S2/Image-1.dcm"}
    line = left.loc[["south-a"]].reset_index()[["subject", "modality", "path"]]
    line.to_csv(tmp_path / "south" / "series.csv", index=False)
    assert run_import().index["slices"].tolist() == [9, 4]
    # In the wrong part, the same line is an error.
    line.to_csv(tmp_path / "north" / "series.csv", index=False)
    with pytest.raises(DatasetError, match=r"no file of this scan at 'south/a/t1/S2/Image-1\.dcm'"):
        run_import()
