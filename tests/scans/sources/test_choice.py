"""``series.csv``: a line copied from the import report selects a series."""

import pandas as pd
import pytest

from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.store import import_series

from ..synthesise import voxels, write_series
from .layouts import write_volume


@pytest.fixture
def root(tmp_path):
    scans = tmp_path / "scans"
    write_series(scans / "a" / "t1" / "S1", voxels((9, 5, 4)), series="1.2.3.1")
    write_series(scans / "a" / "t1" / "S2", voxels((4, 5, 4)), series="1.2.3.2")
    write_series(scans / "b" / "t1" / "S1", series="1.2.3.3")
    return scans


def run_import(root):
    return import_series(Folder(root, modalities=["t1"]).locate(), root.parent / "store", progress=False)


def choose(root, text):
    (root / "series.csv").write_text(f"subject,modality,path\n{text}\n")


def test_a_line_of_the_report_selects_a_series(root):
    by_rule = run_import(root)
    assert by_rule.index["slices"].tolist() == [9, 6]
    left = by_rule.report[by_rule.report["status"] == "refused"]
    assert left["reason"].tolist() == ["another series was taken: it has more slices"]
    left[["subject", "modality", "path"]].to_csv(root / "series.csv", index=False)
    chosen = run_import(root)
    assert chosen.index["slices"].tolist() == [4, 6]
    assert chosen.report["reason"].tolist() == ["", "another series was taken: it was chosen", ""]
    assert chosen.report.loc[0, "path"] == left["path"].iloc[0]
    # Without the file, the rule applies again: the store has both series.
    (root / "series.csv").unlink()
    pd.testing.assert_frame_equal(run_import(root).report, by_rule.report)


@pytest.mark.parametrize("path", ["a/t1/S2", "S2/Image-1.dcm", "t1\\S2\\Image-3.dcm"])
def test_a_folder_or_the_end_of_a_path_is_enough(root, path):
    choose(root, f"a,T1,{path}")
    assert run_import(root).index["slices"].tolist() == [4, 6]


def test_a_modality_that_is_not_in_use_is_ignored(root):
    choose(root, "a,flair,a/flair/S7")
    assert run_import(root).index["slices"].tolist() == [9, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("z,t1,z/t1/S1", "subject 'z'"),
        ("a,pd,a/t1/S1", "modality 'pd'"),
        ("a,t1,", "path ''"),
        ("a,t1,a/t1/S9", "no file of this scan at 'a/t1/S9'"),
        ("a,t1,b/t1/S1", "no file of this scan"),
        ("a,t1,Image-1.dcm", "matches 2 places"),
        ("a,t1,S1\na,t1,S2", "a t1 again"),
    ],
)
def test_a_choice_without_a_match_is_an_error_with_its_line(root, text, message):
    choose(root, text)
    with pytest.raises(DatasetError, match=r"series\.csv, line \d") as raised:
        run_import(root)
    assert message in str(raised.value)


def test_other_columns_are_an_error(root):
    (root / "series.csv").write_text("subject,series\na,2\n")
    with pytest.raises(DatasetError, match="columns subject, series"):
        run_import(root)


def several(root):
    """One subject with three files for T1, of which none is named plainly, and one with a plain one."""
    for number, name in enumerate(("c/T1w.nii", "c/t1n.nii.gz", "d/t1.nii", "d/T1w.nii.gz")):
        write_volume(root / name, seed=number)
    write_series(root / "c" / "T1W_again" / "S1", series="1.2.3.9")
    (root / "c" / "T1W_again").rename(root / "c" / "T1W")
    return {one.subject: one for one in Folder(root, modalities=["t1"]).locate() if one.subject in "cd"}


def test_one_of_several_candidates_is_selected(root):
    by_rule = several(root)
    assert [reason for _, reason in by_rule["c"].left_out] == ["several candidates"] * 3
    assert by_rule["d"].files == (root / "d/t1.nii",)
    (root / "series.csv").write_text("subject,modality,path\nc,t1,c/t1n.nii.gz\nd,t1,T1w.nii.gz\n")
    chosen = {one.subject: one for one in Folder(root, modalities=["t1"]).locate() if one.subject in "cd"}
    assert [chosen[name].files for name in "cd"] == [(root / "c/t1n.nii.gz",), (root / "d/T1w.nii.gz",)]
    assert {path.name for path, _ in chosen["c"].left_out} == {"T1w.nii", "Image-1.dcm"}
    assert chosen["d"].left_out == ((root / "d/t1.nii", "another scan was taken: it was chosen"),)
    result = run_import(root)
    assert set(result.index["subject"]) == {"a", "b", "c", "d"}
    assert advice_for("another scan was taken: it was chosen")


def test_a_folder_of_dicom_among_the_candidates_is_selected(root):
    several(root)
    choose(root, "C,t1,c/T1W")
    (one,) = [one for one in Folder(root, modalities=["t1"]).locate() if one.subject == "c"]
    assert {path.parent.name for path in one.files} == {"S1"} and len(one.left_out) == 2
    choose(root, "c,t1,c")
    with pytest.raises(DatasetError, match="several candidates lie at 'c'"):
        run_import(root)


def test_one_of_several_nifti_files_in_a_folder_is_selected(root):
    for number in (1, 2):
        write_volume(root / "c" / "t1" / f"run{number}.nii.gz", seed=number)
    assert "several NIfTI files" in set(run_import(root).report["reason"])
    choose(root, "c,t1,c/t1/run2.nii.gz")
    report = run_import(root).report
    assert report.loc[report["subject"] == "c", ["status", "reason", "path"]].to_numpy().tolist() == [
        ["imported", "", "c/t1/run2.nii.gz"], ["refused", "another scan was taken: it was chosen", "c/t1/run1.nii.gz"],
    ]  # fmt: skip


def test_of_several_nifti_files_the_one_named_as_its_folder_is_taken(tmp_path):
    for seed, name in enumerate(("T1", "T1_brain", "T1_brain_mask", "T1_unbiased", "T1_fast/T1_brain_bias")):
        write_volume(tmp_path / "a" / "T1" / f"{name}.nii.gz", seed)
    (tmp_path / "a" / "T1" / "T1_to_MNI.mat").write_text("1 0 0 0")
    (one,) = Folder(tmp_path, modalities=["t1"]).locate()
    assert [path.name for path in one.files] == ["T1.nii.gz"] and len(one.left_out) == 4
    assert {reason for _, reason in one.left_out} == {"several candidates: the one named plainly was taken"}
    choose(tmp_path, "a,t1,a/T1/T1_unbiased.nii.gz")
    (one,) = Folder(tmp_path, modalities=["t1"]).locate()
    assert [path.name for path in one.files] == ["T1_unbiased.nii.gz"]


def test_beside_dicom_a_nifti_file_is_not_taken_by_its_name(tmp_path):
    write_series(tmp_path / "a" / "T1")
    before = len(list((tmp_path / "a" / "T1").iterdir()))
    for seed, name in enumerate(("T1", "T1_brain")):
        write_volume(tmp_path / "a" / "T1" / f"{name}.nii.gz", seed)
    (one,) = Folder(tmp_path, modalities=["t1"]).locate()
    assert len(one.files) == before + 2
