"""A damaged or missing scan is a line in import_report.csv, and only this scan is left out."""

import gzip
import re
import runpy
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pydicom
import pytest

from brain_cae.data.registration import align
from brain_cae.errors import ScanError
from brain_cae.errors.reasons import WHAT_TO_DO, advice_for
from brain_cae.scans import entry
from brain_cae.scans.dicom import read_series
from brain_cae.scans.formats import is_nifti
from brain_cae.scans.nifti import read_nifti

from .document import cell

ROOT = Path(__file__).parents[2]
# The DICOM writer is in the tests of the scans, which are a separate package.
WRITERS = runpy.run_path(str(ROOT / "tests" / "scans" / "synthesise.py"))
write_series, write_enhanced = WRITERS["write_series"], WRITERS["write_enhanced"]


def header(name, value):
    def change(dataset, number):
        setattr(dataset, name, value)

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
    (folder / "t1" / "readme.dcm").write_text("Dear colleague, here are the scans.")


def comma(folder, brain):
    for path in write_series(folder / "t1", spacing=(1.5, 11.5)):
        path.write_bytes(path.read_bytes().replace(b"1.5\\11.5", b"4,50000 "))


def scaled_in_part(folder, brain):
    def change(dataset, number):
        if number > 1:
            dataset.RescaleSlope = 3

    write_series(folder / "t1", change=change)


def gap(folder, brain):
    write_series(folder / "t1")[2].unlink()


def missing_frames(folder, brain):
    (folder / "t1").mkdir(parents=True)
    path = write_enhanced(folder / "t1" / "enhanced.dcm", np.zeros((4, 8, 8), np.int16))
    header = pydicom.dcmread(path)
    header.NumberOfFrames = 6
    header.save_as(path)


def cut_nifti(folder, brain):
    path = brain(folder / "t1.nii.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def pointer_of_annex(folder, brain):
    folder.mkdir(parents=True)
    (folder / "t1.nii.gz").write_text("/annex/objects/MD5E-s9--0.nii.gz\n")


def text_as_nifti(folder, brain):
    folder.mkdir(parents=True)
    (folder / "t1.nii.gz").write_text("no scan")


def voxels(change):
    return lambda folder, brain: brain(folder / "t1.nii.gz", change=change)


def header_field(**fields):
    def make(folder, brain):
        path = brain(folder / "t1.nii.gz")
        content = gzip.decompress(path.read_bytes())
        header = nibabel.Nifti1Header(content[:348])
        for name, value in fields.items():
            header[name] = value
        path.write_bytes(gzip.compress(header.binaryblock + content[348:]))

    return make


def series_in_time(folder, brain):
    path = brain(folder / "t1.nii.gz")
    image = nibabel.load(path)
    values = np.stack([np.asarray(image.dataobj)] * 3, axis=-1)
    nibabel.save(nibabel.Nifti1Image(values, image.affine), path)


def header_alone(folder, brain):
    nibabel.save(nibabel.Nifti1Pair.from_image(nibabel.load(brain(folder / "t1.nii"))), folder / "t1.img")
    (folder / "t1.nii").unlink()
    (folder / "t1.img").unlink()


def other_format(name):
    return lambda folder, brain: brain(folder / "t1.nii.gz").rename(folder / name)


def nothing(folder, brain):
    brain(folder / "flair.nii.gz")


def twice(folder, brain):
    brain(folder / "t1.nii.gz")
    brain(folder / "T1.nii", seed=1)


CASES = {
    "an empty slice file": (cut_slice(0), "truncated file"),
    "a slice with truncated pixel data": (cut_slice(-20), "truncated file"),
    "a text file named .dcm, alone": (text_alone, "not DICOM"),
    "a text file named .dcm, among slices": (text_among_slices, "not DICOM"),
    "a pixel spacing of one number, or of two": (comma, "no pixel spacing"),
    "a rescale slope in some slices only": (scaled_in_part, "unknown scaling"),
    "a missing slice": (gap, "gap between slices"),
    "an enhanced file with fewer frames than it declares": (
        missing_frames,
        "wrong number of frames: 6 declared, functional groups of 4",
    ),
    "a mosaic": (header("ImageType", ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), "mosaic"),
    "a localiser": (header("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localiser"),
    "a CT scan": (header("Modality", "CT"), "not MR"),
    "a phase image": (header("ImageType", ["ORIGINAL", "PRIMARY", "P", "ND"]), "phase image"),
    "a truncated .nii.gz": (cut_nifti, "truncated file"),
    "lengths of a header in micron, without the unit": (
        header_field(sform_code=0, qform_code=1, pixdim=[1, 1e4, 1e4, 1.2e4, 0, 0, 0, 0]),
        "not the size of a head: 140000 x 160000 x 144000 mm",
    ),
    "a quaternion that is not a rotation": (
        header_field(sform_code=0, qform_code=1, quatern_b=2),
        "unusable quaternion: 2, 0, 0",
    ),
    "a data type that does not exist": (header_field(datatype=77), "unsupported data type: code 77"),
    "a time series": (series_in_time, "not three-dimensional: 3 volumes"),
    "a .hdr without its .img": (header_alone, "half of a pair"),
    "a text file named .nii.gz": (text_as_nifti, "not NIfTI"),
    "a file that git-annex has not fetched": (pointer_of_annex, "not downloaded"),
    "all voxels are NaN": (voxels(lambda array: array.fill(np.nan)), "non-finite"),
    "some voxels are NaN": (voxels(lambda array: array[3:5, 4:6].fill(np.nan)), "non-finite"),
    "the same value in every voxel": (voxels(lambda array: array.fill(7)), "constant volume"),
    "a slice without content, between others": (voxels(lambda array: array[5].fill(0)), "blank slice"),
    "a modality that is missing for this subject": (nothing, "no files"),
    "a scan in the format of FreeSurfer": (other_format("t1.mgz"), "another format: .mgz"),
    "a scan in an archive": (other_format("t1.nii.zip"), "another format: .zip"),
    "two files of one modality": (twice, "several candidates"),
}

# Reasons that a source gives before any file is read.
OF_NAMES = ("several candidates", "another format: .mgz", "another format: .zip")


def test_each_case_is_a_line_of_the_report_and_other_scans_are_imported(run, says, tmp_path, brain, folder_dataset):
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
    assert report.loc[report["subject"] == names["a text file named .dcm, among slices"], "status"].tolist() == [
        "imported", "refused",
    ]  # fmt: skip


def test_a_file_that_is_removed_or_changed_while_it_is_read_is_left_out(
    run, says, tmp_path, brain, folder_dataset, monkeypatch
):
    for subject in ("changed", "removed", "whole"):
        for seed, modality in enumerate(("t1", "flair")):
            brain(tmp_path / "scans" / subject / f"{modality}.nii.gz", seed=seed)
    usual = entry._describe

    def disturbed(location, **options):
        described, (path,) = usual(location, **options), location.files
        if path == tmp_path / "scans" / "changed" / "t1.nii.gz":
            brain(path, seed=5)
        elif path == tmp_path / "scans" / "removed" / "t1.nii.gz":
            path.unlink()
        return described

    monkeypatch.setattr(entry, "_describe", disturbed)
    assert run("train", "stop_after=import", "hydra.run.dir=run", *folder_dataset).code == 0
    report = pd.read_csv(tmp_path / "run" / "import_report.csv", dtype=str, keep_default_na=False)
    lines = {line["path"]: line for line in report[report["status"] != "imported"].to_dict("records")}
    for subject, reason, what in (
        ("changed", "changed during the import", "a file that another program changes while it is read"),
        ("removed", "no such file", "a file that is removed while it is read"),
    ):
        line = lines.pop(f"{subject}/t1.nii.gz")
        assert line["reason"] == reason
        texts = (f"{line['status']}: {reason}", "", "", "<subject>/t1.nii.gz", advice_for(reason))
        says("scan", what, [cell(text) for text in texts])
    assert lines == {}


def details(folder, line, name):
    """Return expected, found, where and what to do, from the error of the reader."""
    where = line["path"].replace(name, "<subject>", 1)
    path = folder / "scans" / line["path"]
    files = [path] if is_nifti(path) or line["reason"] == "not DICOM" else sorted(path.parent.iterdir())
    expected, seen = "", ""
    if line["status"] != "missing" and line["reason"] not in OF_NAMES:
        with pytest.raises(ScanError) as caught:
            read_nifti(path) if is_nifti(path) else read_series(files)
        assert caught.value.reason == line["reason"]
        expected, seen = caught.value.expected or "", caught.value.found or ""
    return [cell(expected), cell(seen), cell(where), cell(advice_for(line["reason"]) or "")]


@pytest.mark.extras
def test_scans_that_lie_too_far_apart_for_one_head_are_left_out(run, says, cohort, tmp_path, folder_dataset):
    root = cohort(healthy=8)
    for path in root.glob("*/t1.nii.gz"):
        flair = nibabel.load(path.with_name("flair.nii.gz"))
        far = flair.affine.copy()
        far[0, 3] += 500
        nibabel.save(nibabel.Nifti1Image(np.asarray(flair.dataobj), far), path)
    done = run("train", "hydra.run.dir=run", *folder_dataset)
    assert done.code == 1
    report = pd.read_csv(tmp_path / "run" / "import_report.csv", dtype=str, keep_default_na=False)
    assert set(report["status"] + ": " + report["reason"]) == {"refused: not aligned"}
    with pytest.raises(ScanError) as caught:
        align(flair, nibabel.load(path))
    texts = ("refused: not aligned", caught.value.expected, caught.value.found, "<subject>/t1.nii.gz")
    case = "two scans of a subject whose headers put them 500 mm apart"
    says("scan", case, [cell(text) for text in (*texts, advice_for("not aligned"))])


def test_every_reason_says_what_to_do():
    named = re.compile(r'(?:ScanError|Refused)\(\s*"([^"{]+)"|refuse\(\s*file,\s*"([^"{]+)"')
    sources = [*ROOT.glob("brain_cae/scans/*.py"), *ROOT.glob("brain_cae/data/*.py")]
    reasons = {one or other for path in sources for one, other in named.findall(path.read_text(encoding="utf-8"))}
    assert len(reasons) > 25
    # Reasons that sources and the import give for files that no reader has opened.
    reasons |= {"no usable scan", "no such file", "several candidates", "after contrast agent", "another suffix"}
    reasons |= {"another scan was taken", "another session was taken", "not the named contrast"}
    reasons |= {"unreadable folder", "another format"}
    assert sorted(reasons - set(WHAT_TO_DO)) == []


def test_advice_is_looked_up_by_the_beginning_of_a_reason():
    assert advice_for("another series was taken: it has more slices") == WHAT_TO_DO["another series was taken"]
    assert advice_for("cannot be read (ZeroDivisionError)") == WHAT_TO_DO["cannot be read"]
    assert advice_for("never heard of") is None
