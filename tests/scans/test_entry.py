"""Entries of the store: when they are reused or made again, and their contents."""

import gzip
import math
import os
import zipfile
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from brain_cae.scans import entry
from brain_cae.scans.entry import import_location, inspect_location, known_outcome
from brain_cae.scans.sources.base import SeriesLocation

from .synthesise import set_all, voxels, write_enhanced, write_series
from .test_store import locate, run


def test_moved_and_renamed_files_are_the_same_scan(tmp_path, monkeypatch):
    first = run([locate(tmp_path / "a")], tmp_path / "store")
    monkeypatch.setattr(entry, "_write_volume", lambda *_, **__: pytest.fail("written again"))
    other = locate(tmp_path / "b", names=[f"x{9 - number}" for number in range(6)])
    second = run([other], tmp_path / "store")
    assert second.index["path"].tolist() == first.index["path"].tolist()


def test_scans_of_equal_voxels_are_told_apart_by_headers_and_place(tmp_path):
    locations = [
        locate(tmp_path / "a", "00001"),
        locate(tmp_path / "b", "00002", change=set_all(RepetitionTime=4000.0)),
        locate(tmp_path / "c", "00003", origin=(0.0, 0.0, 0.0)),
    ]
    index = run(locations, tmp_path / "store").index
    assert len(set(index["series_hash"])) == 1 and len(set(index["path"])) == 3
    assert index["repetition_time_ms"].tolist() == [5000.0, 4000.0, 5000.0]


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


def test_headers_in_an_archive_are_inspected_like_those_on_disk(tmp_path):
    on_disk = locate(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in on_disk.files:
            archive.write(path, path.name)
    packed = replace(on_disk, files=tuple(tmp_path / "a.zip" / path.name for path in on_disk.files))
    assert inspect_location(packed).row is not None
    assert inspect_location(packed).row | {"path": ""} == inspect_location(on_disk).row | {"path": ""}
    lost = replace(packed, files=(*packed.files, tmp_path / "a.zip" / "gone"))
    assert [line["reason"] for line in inspect_location(lost).lines] == ["no such file"]


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


def pair(folder, name="t1"):
    """Write header and image, and return both."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(0, 900, (12, 13, 6)).astype(np.int16)
    nibabel.Nifti1Pair(values, np.diag([9.0, 10, 12, 1])).to_filename(folder / f"{name}.img")
    return folder / f"{name}.hdr", folder / f"{name}.img"


def test_a_pair_is_one_scan_whose_two_files_decide_what_is_read_again(tmp_path):
    header, image = pair(tmp_path / "a")
    location = SeriesLocation("a", "t1", (header, image))
    first = import_location(location, tmp_path / "store")
    assert first.row is not None and first.row["slices"] == 6
    assert first.lines[0]["path"] == str(header)
    content = bytearray(image.read_bytes())
    content[0] ^= 1
    image.write_bytes(content)
    second = import_location(location, tmp_path / "store")
    assert second.row is not None and second.row["path"] != first.row["path"]


def test_a_pair_in_the_folder_of_a_modality_is_one_scan(tmp_path):
    files = pair(tmp_path / "a")
    (tmp_path / "a" / "t1.json").write_text("{}")
    files = (*files, tmp_path / "a" / "t1.json")
    row = import_location(SeriesLocation("a", "t1", files), tmp_path / "store").row
    assert row is not None and row["slices"] == 6
    more = pair(tmp_path / "a", "t1_again")
    (line,) = import_location(SeriesLocation("a", "t1", (*files, *more)), tmp_path / "store").lines
    assert line["reason"] == "several NIfTI files"
    files[0].unlink()
    (line,) = import_location(SeriesLocation("a", "t1", files[1:]), tmp_path / "store").lines
    assert line["reason"] == "half of a pair" and line["path"] == str(files[1])


def test_dicom_with_the_ending_img_is_dicom(tmp_path):
    path = write_enhanced(tmp_path / "a.img", voxels((60, 5, 4)))
    location = SeriesLocation("a", "t1", (path,))
    # Spacing 1.5 and 1.0 mm: too small for a head.
    (line,) = import_location(location, tmp_path / "store").lines
    assert line["reason"] == "not the size of a head: 4 x 8 x 120 mm"


def test_a_dicom_series_without_the_size_of_a_head_is_refused_and_never_preferred(tmp_path):
    small = locate(tmp_path / "a", spacing=(1.5, 1.0), stack=voxels((9, 5, 4)), series="1.2.3.7")
    for outcome in (import_location(small, tmp_path / "store"), inspect_location(small)):
        assert outcome.row is None and outcome.lines[0]["reason"] == "not the size of a head: 4 x 8 x 27 mm"
    whole = locate(tmp_path / "b")
    both = SeriesLocation("00001", "t1", (*small.files, *whole.files))
    outcome = import_location(both, tmp_path / "store")
    assert outcome.row is not None and outcome.row["slices"] == 6
    assert outcome.lines[1]["reason"] == "another series was taken: it has the size of a head"


def test_too_little_memory_is_a_reason_and_tried_again(tmp_path, monkeypatch):
    location = SeriesLocation("a", "t1", pair(tmp_path / "a"))

    def fail(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(entry, "read_nifti", fail)
        (line,) = import_location(location, tmp_path / "store").lines
    assert line["reason"] == "not enough memory"
    assert import_location(location, tmp_path / "store").row is not None


def during(monkeypatch, name, action):
    """Do something to the source files each time before a function of the module is called."""
    usual = getattr(entry, name)

    def disturbed(*arguments, **options):
        action()
        return usual(*arguments, **options)

    monkeypatch.setattr(entry, name, disturbed)


@pytest.mark.parametrize("name", ["_describe", "_open_all"])
@pytest.mark.parametrize("kind", ["dicom", "nifti"])
def test_a_file_that_changes_while_it_is_read_is_refused_and_read_again_later(tmp_path, monkeypatch, name, kind):
    if kind == "dicom":
        location = locate(tmp_path / "a", stack=voxels(seed=1))
        other = locate(tmp_path / "b", stack=voxels(seed=2)).files[2].read_bytes()
        changed = location.files[2]
    else:
        location = SeriesLocation("a", "t1", pair(tmp_path / "a"))
        changed = location.files[1]
        other = changed.read_bytes()[::-1]
    os.utime(changed, (0, 0))  # times are coarse: a file changed twice within milliseconds looks the same
    before = changed.read_bytes()
    assert len(other) == len(before)
    store = tmp_path / "store"
    with monkeypatch.context() as patch:
        during(patch, name, lambda: changed.write_bytes(other))
        outcome = import_location(location, store)
    assert outcome.row is None and outcome.lines[0]["reason"] == "changed during the import"
    assert not list(store.rglob("*"))
    after = import_location(location, store)
    changed.write_bytes(before)
    first = import_location(location, store)
    assert after.row is not None and first.row is not None
    assert after.row["series_hash"] != first.row["series_hash"]


@pytest.mark.parametrize("name", ["_describe", "_open_all"])
@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_slice_that_vanishes_while_its_series_is_read_does_not_leave_a_shorter_volume(
    tmp_path, monkeypatch, name, number
):
    location = locate(tmp_path / "a")
    content = location.files[number].read_bytes()
    store = tmp_path / "store"
    with monkeypatch.context() as patch:
        during(patch, name, lambda: location.files[number].unlink(missing_ok=True))
        (line,) = import_location(location, store).lines
    assert line["reason"] == "no such file" and line["path"] == str(location.files[number])
    assert not list(store.rglob("*"))
    location.files[number].write_bytes(content)
    outcome = import_location(location, store)
    assert outcome.row is not None and outcome.row["slices"] == 6


def test_a_damaged_note_of_files_seen_before_is_ignored(tmp_path):
    location = locate(tmp_path / "a")
    first = import_location(location, tmp_path / "store")
    for path in (tmp_path / "store" / "seen").iterdir():
        path.write_bytes(b"\xff\x00")
    assert known_outcome(location, tmp_path / "store") is None
    assert import_location(location, tmp_path / "store") == first


def test_slices_that_a_program_has_compressed_leave_no_shorter_volume(tmp_path):
    location = locate(tmp_path / "a")
    last = location.files[-1]
    packed = last.with_name(f"{last.name}.gz")
    packed.write_bytes(gzip.compress(last.read_bytes()))
    other = packed.with_name("notes.txt.gz")
    other.write_bytes(packed.read_bytes())
    last.unlink()
    for inspected in (True, False):
        changed = replace(location, files=(*location.files[:-1], packed))
        outcome = inspect_location(changed) if inspected else import_location(changed, tmp_path / "store")
        assert outcome.row is None and outcome.lines[0]["reason"] == "another format: .gz"
    beside = replace(location, files=(*location.files[:-1], other))
    assert inspect_location(beside).row is not None


def test_a_folder_of_two_contrasts_gives_each_modality_its_own(tmp_path):
    native = write_series(tmp_path / "a", voxels(seed=1), change=set_all(RepetitionTime=500.0, EchoTime=12.0))
    t2 = write_series(tmp_path / "b", voxels(seed=2), series="1.2.3.2")
    rows = {}
    for modality in ("t1", "t2"):
        location = SeriesLocation("p", modality, (*native, *t2), source="folder")
        rows[modality] = import_location(location, tmp_path / "store").row
    assert (rows["t1"]["echo_time_ms"], rows["t2"]["echo_time_ms"]) == (12.0, 90.0)
