"""The import: report, index, store, continuation and privacy."""

import errno
import json
import logging
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed

from brain_cae.errors import DatasetError
from brain_cae.executor import Processes, results
from brain_cae.executor.work import MIN_ITEMS_FOR_PROCESSES
from brain_cae.files.system_errors import writing
from brain_cae.scans import entry, store
from brain_cae.scans.entry import REPORT_COLUMNS
from brain_cae.scans.file import FIRST
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.store import import_series, inspect_series, reading_notes

from .synthesise import PRIVATE, set_all, voxels, write_series

GRID = (12, 13, 4)
"""Voxels of the NIfTI file."""


def locate(root, subject="00001", modality="t1", **options):
    arguments = {name: options.pop(name) for name in list(options) if name not in SeriesLocation.__dataclass_fields__}
    files = write_series(root / subject / modality, **arguments)
    return SeriesLocation(subject, modality, tuple(files), **options)


@pytest.fixture
def cohort(tmp_path):
    root = tmp_path / "data"
    good = locate(root, label="healthy", stack=voxels(seed=1), source="folder")
    gap = locate(root, "00002", "t2")
    gap = SeriesLocation("00002", "t2", gap.files[:2] + gap.files[3:])
    image = root / "00003" / "flair.nii.gz"
    image.parent.mkdir()
    affine = np.array([[9.0, 0, 0, -50], [0, 8, 0, -60], [0, 0, 3, -10], [0, 0, 0, 1]])
    nibabel.Nifti1Image(voxels(GRID, seed=2).astype(np.float32) + 0.5, affine).to_filename(image)
    return [gap, good, SeriesLocation("00003", "flair", (image,), age=7.5, sex="M"), SeriesLocation("00003", "t1", ())]


def run(locations, folder, **options):
    return import_series(locations, folder, progress=False, **options)


def test_the_report_lists_every_series_with_its_status(cohort, tmp_path):
    result = run(cohort, tmp_path / "store")
    assert list(result.report.columns) == list(REPORT_COLUMNS)
    lines = result.report[["subject", "modality", "status", "reason", "path"]].to_numpy().tolist()
    assert lines == [
        ["00001", "t1", "imported", "", "00001/t1/Image-1.dcm"],
        ["00002", "t2", "refused", "gap between slices", "00002/t2/Image-1.dcm"],
        ["00003", "flair", "imported", "", "00003/flair.nii.gz"],
        ["00003", "t1", "missing", "no files", ""],
    ]
    assert list(result.index["series_hash"]) == list(result.report.loc[[0, 2], "series_hash"])


def test_the_index_combines_headers_and_source(cohort, tmp_path):
    index = run(cohort, tmp_path / "store").index
    assert list(index["subject"]) == ["00001", "00003"]
    dicom, nifti = index.iloc[0], index.iloc[1]
    assert (dicom["age"], dicom["sex"], dicom["label"], dicom["source"]) == (45.0, "F", "healthy", "folder")
    assert (dicom["repetition_time_ms"], dicom["model"], dicom["slices"]) == (5000.0, "Skyra", 6)
    assert (nifti["age"], nifti["sex"], nifti["sequence"], nifti["manufacturer"]) == (7.5, "M", "unknown", "")


def test_stored_volumes_equal_the_scans(cohort, tmp_path):
    index = run(cohort, tmp_path / "store").index
    dicom, nifti = (nibabel.load(path) for path in index["path"])
    assert np.array_equal(np.asanyarray(dicom.dataobj), voxels(seed=1).transpose(2, 1, 0))
    assert dicom.get_data_dtype() == np.int16
    assert dicom.affine == pytest.approx(np.array([[-25.0, 0, 0, 10], [0, -30.0, 0, 20], [0, 0, 3, -30], [0, 0, 0, 1]]))
    assert np.array_equal(nifti.get_fdata(), voxels(GRID, seed=2) + 0.5)
    assert nifti.affine == pytest.approx(np.array([[9.0, 0, 0, -50], [0, 8, 0, -60], [0, 0, 3, -10], [0, 0, 0, 1]]))
    assert dicom.header.get_xyzt_units()[0] == "mm"
    assert json.loads(Path(index["path"][0]).with_suffix(".json").read_text())["acquisition"]["rows"] == 5


def test_several_processes_give_the_same_result_as_one(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "results", partial(results, minimum=1))
    alone = run(cohort, tmp_path / "alone")
    together = run(cohort[::-1], tmp_path / "together", executor=Processes(2))
    pd.testing.assert_frame_equal(alone.report, together.report)
    pd.testing.assert_frame_equal(alone.index.drop(columns="path"), together.index.drop(columns="path"))


def test_a_job_of_a_parallel_sweep_can_start_processes(tmp_path):
    many = [locate(tmp_path / "data", f"{number:05d}") for number in range(MIN_ITEMS_FOR_PROCESSES)]
    stores = [tmp_path / name for name in ("one", "two")]
    results = Parallel(n_jobs=2)(
        delayed(import_series)(many, folder, progress=False, executor=Processes(2)) for folder in stores
    )  # fmt: skip
    assert [len(result.index) for result in results] == [len(many), len(many)]


class Elsewhere:
    """Jobs on another machine, which are done here after all."""

    workers, queue = 1, 1

    def stays_here(self, items, minimum):
        return True


def test_files_are_read_ahead_on_this_machine_alone(cohort, tmp_path, monkeypatch):
    asked = []
    usual = store.reading_ahead

    def reading_ahead(groups, *, head):
        asked.append((sum(map(len, groups)), head))
        return usual(groups, head=head)

    monkeypatch.setattr(store, "reading_ahead", reading_ahead)
    files = sum(len(location.files) for location in cohort)
    inspect_series(cohort, progress=False)
    run(cohort, tmp_path / "here")
    run(cohort, tmp_path / "here")
    run(cohort, tmp_path / "there", executor=Elsewhere())
    assert asked == [(files, FIRST), (files, 0), (0, 0), (0, 0)]


def test_a_second_import_reads_no_file(cohort, tmp_path, monkeypatch):
    first = run(cohort, tmp_path / "store")
    monkeypatch.setattr(store, "import_location", lambda *_: pytest.fail("read again"))
    second = run(cohort, tmp_path / "store")
    pd.testing.assert_frame_equal(first.index, second.index)
    pd.testing.assert_frame_equal(first.report, second.report)


def test_a_store_that_may_only_be_read_serves_scans_that_were_moved(cohort, tmp_path, monkeypatch):
    first = run(cohort, tmp_path / "store")

    def refuse(path, *_):
        with writing(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(entry, "write_bytes", refuse)
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = [tuple(Path(str(path).replace("/data/", "/moved/")) for path in one.files) for one in cohort]
    second = run([replace(one, files=files) for one, files in zip(cohort, moved, strict=True)], tmp_path / "store")
    pd.testing.assert_frame_equal(first.index, second.index)


def test_a_look_after_an_import_reads_no_file_and_shows_the_same(cohort, tmp_path, monkeypatch):
    fresh = inspect_series(cohort, progress=False, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()
    run(cohort, tmp_path / "store")
    monkeypatch.setattr(store, "inspect_location", lambda *_: pytest.fail("read again"))
    known = inspect_series(cohort, progress=False, store=tmp_path / "store")
    pd.testing.assert_frame_equal(fresh.index, known.index)
    assert set(known.report["status"]) >= set(fresh.report["status"])


def test_a_killed_import_continues(cohort, tmp_path, monkeypatch):
    folder = tmp_path / "store"
    expected = run(cohort, tmp_path / "whole")
    # Killed while writing: a partial volume is left, and in the other case a volume without its JSON file.
    calls = []

    def die(target, content):
        calls.append(target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(entry, "write_bytes", die)
        with pytest.raises(KeyboardInterrupt):
            run(cohort, folder)
    assert len(calls) == 1 and len(list(folder.glob("*.nii"))) == 1 and not list(folder.glob("*.json"))
    left = [folder / ".0123.part-77.nii", folder / "seen" / ".0123.part-77"]
    left[1].parent.mkdir()
    for path in left:
        path.write_bytes(b"half a volume")
        os.utime(path, (time.time() - 7200,) * 2)
    result = run(cohort, folder)
    pd.testing.assert_frame_equal(result.report, expected.report)
    assert not [path for path in left if path.exists()]


def test_an_unexpected_exception_costs_only_that_series(cohort, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(entry, "read_nifti", fail)
    report = run(cohort, tmp_path / "store").report
    assert report.loc[2, "reason"] == "cannot be read (ZeroDivisionError)"
    assert report.loc[2, "path"] == "00003/flair.nii.gz"
    assert report.loc[0, "status"] == "imported"


def test_a_file_that_vanished_is_reported(tmp_path):
    location = locate(tmp_path / "a")
    location.files[3].unlink()
    for report in (run([location], tmp_path / "store").report, inspect_series([location], progress=False).report):
        assert report.loc[0, ["status", "reason"]].tolist() == ["refused", "no such file"]
        assert report.loc[0, "path"].endswith("Image-4.dcm")


def test_a_scan_listed_twice_is_an_error(tmp_path):
    location = locate(tmp_path / "a")
    with pytest.raises(DatasetError, match="listed twice"):
        run([location, location], tmp_path / "store")


def test_nothing_to_import_is_an_error(tmp_path):
    with pytest.raises(DatasetError):
        run([], tmp_path / "store")


def test_no_private_data_are_stored_or_printed(cohort, tmp_path, capfd):
    result = run(cohort, tmp_path / "store")
    written = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    text = result.index.to_csv() + result.report.to_csv() + "".join(capfd.readouterr())
    for secret in (*PRIVATE.values(), "confidential", "Secret"):
        assert secret not in text
        assert not any(secret.encode() in content for content in written)
    assert all(json.loads(path.read_text()) for path in (tmp_path / "store").glob("*.json"))


def test_damaged_files_cause_no_warnings(tmp_path, capfd, caplog):
    location = locate(tmp_path / "a")
    for path in location.files[:3]:
        path.write_bytes(path.read_bytes()[:-20])
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"rubbish" * 100)
    report = run([location, SeriesLocation("00009", "t1", (bad,))], tmp_path / "store").report
    assert report["reason"].tolist() == ["truncated file", "not NIfTI"]
    assert "".join(capfd.readouterr()) == ""
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_unusual_headers_are_in_the_report_and_counted_in_a_caution(tmp_path):
    slow = locate(tmp_path / "a", change=set_all(RepetitionTime="2.3", EchoTime="0.0029"))
    report = run([slow], tmp_path / "store").report
    assert report[["status", "reason"]].to_numpy().tolist() == [["imported", "times in seconds"]]
    (caution,) = reading_notes(report)
    assert caution.startswith("1 series imported although unusual: times in seconds (00001 t1).")
    assert reading_notes(run([locate(tmp_path / "b")], tmp_path / "store").report) == []


def test_a_nifti_file_without_a_place_is_named(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.Nifti1Image(voxels(GRID, seed=2).astype(np.float32), np.diag([9.0, 8, 3, 1])).to_filename(path)
    locations = [SeriesLocation("a", "t1", (path,))]
    for result in (run(locations, tmp_path / "store"), inspect_series(locations)):
        (caution,) = reading_notes(result.report)
        assert caution.startswith("1 series imported although unusual: first voxel at the origin (a t1). Programs")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_what_is_not_a_file_is_refused_and_never_opened(cohort, tmp_path):
    (tmp_path / "data/pipe").mkdir()
    os.mkfifo(tmp_path / "data/pipe/t1.nii.gz")
    special = [SeriesLocation("pipe", "t1", (tmp_path / "data/pipe/t1.nii.gz",))]
    special.append(SeriesLocation("device", "t1", (Path(os.devnull),)))
    for result in (run([*cohort, *special], tmp_path / "store"), inspect_series([*cohort, *special], progress=False)):
        reasons = result.report.set_index("subject")["reason"]
        assert reasons["pipe"] == reasons["device"] == "not a file"
        assert list(result.index["subject"]) == ["00001", "00003"]
