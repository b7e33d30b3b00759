"""Entries of the store: when they are reused or made again, and their contents."""

import math

import pytest

from brain_cae.scans import entry
from brain_cae.scans.entry import import_location, inspect_location, known_outcome
from brain_cae.scans.sources.base import SeriesLocation

from .synthesise import voxels, write_series
from .test_store import locate, run


def test_moved_and_renamed_files_are_found_again(tmp_path, monkeypatch):
    first = run([locate(tmp_path / "a")], tmp_path / "store")
    monkeypatch.setattr(entry, "_make_entry", lambda *_: pytest.fail("converted again"))
    other = locate(tmp_path / "b", names=[f"x{9 - number}" for number in range(6)])
    second = run([other], tmp_path / "store")
    assert second.index["path"].tolist() == first.index["path"].tolist()


def test_changed_files_are_read_again(tmp_path):
    first = run([locate(tmp_path / "a", stack=voxels(seed=1))], tmp_path / "store")
    second = run([locate(tmp_path / "a", stack=voxels(seed=2))], tmp_path / "store")
    assert first.index.loc[0, "series_hash"] != second.index.loc[0, "series_hash"]


def test_another_version_of_the_code_reads_again(tmp_path, monkeypatch):
    location = locate(tmp_path / "a")
    first = run([location], tmp_path / "store")
    monkeypatch.setattr(entry, "VERSION", "another")
    assert run([location], tmp_path / "store").index.loc[0, "path"] != first.index.loc[0, "path"]


def test_a_truncated_volume_is_made_again(tmp_path):
    location = locate(tmp_path / "a")
    path = tmp_path / "store" / run([location], tmp_path / "store").index.loc[0, "path"]
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    run([location], tmp_path / "store")
    assert path.read_bytes() == content


def test_series_left_out_are_in_the_report(tmp_path):
    location = locate(tmp_path / "a")
    other = write_series(tmp_path / "a" / "00001" / "t1", voxels((4, 5, 4)), series="1.2.3.7", names=list("wxyz"))
    report = run([SeriesLocation("00001", "t1", (*location.files, *other))], tmp_path / "store").report
    assert report[["status", "reason"]].to_numpy().tolist() == [
        ["imported", ""],
        ["refused", "another series was taken: it has more slices"],
    ]


def test_masks_are_passed_on_where_they_exist(tmp_path):
    mask = tmp_path / "mask.nii.gz"
    mask.write_bytes(b"")
    location = locate(tmp_path / "a", lesion_mask=mask, brain_mask=tmp_path / "absent.nii.gz")
    row = run([location], tmp_path / "store").index.iloc[0]
    assert row["lesion_mask_path"] == str(mask)
    assert row["brain_mask_path"] == ""


def test_an_outcome_is_known_after_the_import(tmp_path):
    location, store = locate(tmp_path / "a"), tmp_path / "store"
    assert known_outcome(location, store) is None
    made = import_location(location, store)
    assert known_outcome(location, store) == made
    assert made.row is not None and made.row["slices"] == 6
    (store / "seen" / next((store / "seen").iterdir()).name).write_text("another key")
    assert known_outcome(location, store) is None


def test_headers_alone_give_the_same_row_and_nothing_is_written(tmp_path):
    location = locate(tmp_path / "a")
    inspected = inspect_location(location)
    made = import_location(location, tmp_path / "store")
    assert inspected.row is not None and made.row is not None
    differing = {
        name
        for name in made.row
        if inspected.row[name] != made.row[name] and inspected.row[name] == inspected.row[name]
    }
    assert differing == {"path", "series_hash"}
    assert inspected.row["series_hash"] == "not read" and inspected.row["path"] == str(location.files[0])


def test_the_source_completes_values_that_the_headers_lack(tmp_path):
    known = {"repetition_time_ms": 1.0, "inversion_time_ms": 900.0}
    row = import_location(locate(tmp_path / "a", acquisition=known), tmp_path / "store").row
    assert row is not None and (row["repetition_time_ms"], row["inversion_time_ms"]) == (5000.0, 900.0)
    bare = import_location(locate(tmp_path / "b"), tmp_path / "store").row
    assert bare is not None and math.isnan(bare["inversion_time_ms"])


def test_age_and_sex_of_the_source_win_over_the_header(tmp_path):
    row = import_location(locate(tmp_path / "a", age=7.5, sex="M"), tmp_path / "store").row
    assert row is not None and (row["age"], row["sex"]) == (7.5, "M")
    row = import_location(locate(tmp_path / "b"), tmp_path / "store").row
    assert row is not None and (row["age"], row["sex"]) == (45.0, "F")
