"""One scan that is damaged, or no scan: a line in import_report.csv that costs this scan alone."""

import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ScanError
from brain_cae.errors.reasons import WHAT_TO_DO, advice_for
from brain_cae.scans.dicom import read_series
from brain_cae.scans.nifti import read_nifti

from .document import cell

ROOT = Path(__file__).parents[2]
# The maker of DICOM lives with the tests of the scans, which are a package of their own.
write_series = runpy.run_path(str(ROOT / "tests" / "scans" / "synthesise.py"))["write_series"]


def header(name, value):
    def change(found, number):
        setattr(found, name, value)

    return lambda folder, brain: write_series(folder / "t1", change=change)


def cut_slice(size):
    def make(folder, brain):
        path = write_series(folder / "t1")[2]
        path.write_bytes(path.read_bytes()[:size])

    return make


def text_alone(folder, brain):
    (folder / "t1").mkdir(parents=True)
    (folder / "t1" / "scan.dcm").write_text("Dear colleague, the scans will follow.")


def text_among_slices(folder, brain):
    write_series(folder / "t1")
    text_alone_in = folder / "t1" / "readme.dcm"
    text_alone_in.write_text("Dear colleague, here are the scans.")


def gap(folder, brain):
    write_series(folder / "t1")[2].unlink()


def cut_nifti(folder, brain):
    path = brain(folder / "t1.nii.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def text_as_nifti(folder, brain):
    folder.mkdir(parents=True)
    (folder / "t1.nii.gz").write_text("no scan")


def voxels(change):
    return lambda folder, brain: brain(folder / "t1.nii.gz", change=change)


def nothing(folder, brain):
    brain(folder / "flair.nii.gz")


def twice(folder, brain):
    brain(folder / "t1.nii.gz")
    brain(folder / "T1.nii", seed=1)


CASES = {
    "a slice of no byte": (cut_slice(0), "truncated file"),
    "a slice cut in its pixels": (cut_slice(-20), "truncated file"),
    "a text file called .dcm, alone": (text_alone, "not DICOM"),
    "a text file called .dcm, among slices": (text_among_slices, "not DICOM"),
    "a missing slice": (gap, "gap between slices"),
    "a mosaic": (header("ImageType", ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), "mosaic"),
    "a localiser": (header("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localiser"),
    "a computed tomography": (header("Modality", "CT"), "not MR"),
    "a phase image": (header("ImageType", ["ORIGINAL", "PRIMARY", "P", "ND"]), "phase image"),
    "a .nii.gz cut at a third": (cut_nifti, "truncated file"),
    "a text file called .nii.gz": (text_as_nifti, "not NIfTI"),
    "all voxels not a number": (voxels(lambda array: array.fill(np.nan)), "non-finite"),
    "some voxels not a number": (voxels(lambda array: array[3:5, 4:6].fill(np.nan)), "non-finite"),
    "the same value in every voxel": (voxels(lambda array: array.fill(7)), "constant volume"),
    "a modality that this subject lacks": (nothing, "no files"),
    "a modality twice": (twice, "several candidates"),
}

# What a source says before any file is read.
OF_NAMES = ("several candidates",)


def test_each_is_a_line_of_the_report_and_the_others_go_on(run, says, tmp_path, brain, folder_dataset):
    names = {case: f"{number:02d}" for number, case in enumerate(CASES)}
    for case, (make, _) in CASES.items():
        make(tmp_path / "scans" / names[case], brain)
    brain(tmp_path / "scans" / "whole" / "t1.nii.gz")
    brain(tmp_path / "scans" / "whole" / "flair.nii.gz", seed=1)
    done = run("train", "stop_after=import", "hydra.run.dir=run", *folder_dataset)
    assert done.code == 0
    report = pd.read_csv(tmp_path / "run" / "import_report.csv", dtype=str, keep_default_na=False)
    assert report.loc[report["subject"] == "whole", "status"].tolist() == ["imported", "imported"]
    report = report[report["modality"] == "t1"]
    for case, (_, expected) in CASES.items():
        lost = report[(report["subject"] == names[case]) & (report["status"] != "imported")]
        assert expected in set(lost["reason"]), case
        line = lost[lost["reason"] == expected].iloc[0]
        assert line["status"] == "missing" or (tmp_path / "scans" / line["path"]).exists()
        says("scan", case, [cell(f"{line['status']}: {expected}"), *details(tmp_path, line, names[case])])
        assert expected in done.text.replace("\n", " ")
    assert report.loc[report["subject"] == names["a text file called .dcm, among slices"], "status"].tolist() == [
        "imported", "refused",
    ]  # fmt: skip


def details(folder, line, name):
    """Expected, found, where and what to do, from the reader itself."""
    where = line["path"].replace(name, "<subject>", 1)
    path = folder / "scans" / line["path"]
    found = [path] if path.name.endswith(".nii.gz") or line["reason"] == "not DICOM" else sorted(path.parent.iterdir())
    expected, seen = "", ""
    if line["status"] != "missing" and line["reason"] not in OF_NAMES:
        with pytest.raises(ScanError) as caught:
            read_nifti(path) if path.name.endswith(".nii.gz") else read_series(found)
        assert caught.value.reason == line["reason"]
        expected, seen = caught.value.expected or "", caught.value.found or ""
    return [cell(expected), cell(seen), cell(where), cell(advice_for(line["reason"]) or "")]


def test_every_reason_says_what_to_do():
    named = re.compile(r'(?:ScanError|Refused)\(\s*"([^"{]+)"|refuse\(\s*file,\s*"([^"{]+)"')
    sources = [*ROOT.glob("brain_cae/scans/*.py"), *ROOT.glob("brain_cae/data/*.py")]
    reasons = {one or other for path in sources for one, other in named.findall(path.read_text(encoding="utf-8"))}
    assert len(reasons) > 25
    # What sources and the import say of files that no reader has opened.
    reasons |= {"no usable scan", "no such file", "several candidates", "after contrast agent", "another suffix"}
    reasons |= {"another scan was taken", "another session was taken"}
    assert sorted(reasons - set(WHAT_TO_DO)) == []


def test_a_reason_that_goes_on_is_known_by_its_beginning():
    assert advice_for("another series was taken: it has more slices") == WHAT_TO_DO["another series was taken"]
    assert advice_for("cannot be read (ZeroDivisionError)") == WHAT_TO_DO["cannot be read"]
    assert advice_for("never heard of") is None
