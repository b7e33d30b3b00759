"""Several series under one SeriesInstanceUID in one place are read as several."""

import numpy as np

from brain_cae.scans.dicom import read_folder
from brain_cae.scans.division import divide
from brain_cae.scans.file import open_dicom
from tests.scans.synthesise import set_all, voxels, write_series

NORMALISED = ["DERIVED", "PRIMARY", "M", "ND", "NORM"]


def test_a_complete_series_is_taken_where_another_type_of_it_is_cut(tmp_path):
    whole = write_series(tmp_path / "a")
    other = write_series(tmp_path / "b", change=set_all(ImageType=NORMALISED))
    for number, path in enumerate(other):
        header = path.read_bytes().replace(b"1.2.3.1.", b"1.2.3.7.")
        path.write_bytes(header[: -10 if number > 2 else None])
    reading = read_folder([*whole, *other])
    assert np.array_equal(reading.volume.array, voxels().transpose(2, 1, 0))
    assert [one.reason for one in reading.refused] == ["truncated file"]


def test_a_later_examination_under_the_same_identifier_is_another_series(tmp_path):
    first = write_series(tmp_path / "a", voxels(seed=1))
    days = set_all(StudyDate="20200405", SeriesDate="20200405", SeriesTime="101500")
    later = write_series(tmp_path / "b", voxels(seed=2), change=days)
    reading = read_folder([*later, *first])
    assert reading.path in first or reading.path in later
    assert reading.notes == ("series of several dates",)
    assert [one.files for one in reading.refused] == [6]


def test_every_file_stays_in_one_series(tmp_path):
    files = write_series(tmp_path / "a") + write_series(tmp_path / "b", change=set_all(ImageType=NORMALISED))
    files += write_series(tmp_path / "c", series="1.2.3.8")
    opened = [open_dicom(path) for path in files]
    groups = {"1.2.3.1": opened[:12], "1.2.3.8": opened[12:]}
    series = divide(groups)
    assert sorted(map(len, series.values())) == [6, 6, 6]
    assert {file.path for parts in series.values() for file in parts} == set(files)


def test_single_slices_that_share_an_identifier_with_another_type_are_joined_by_type(tmp_path):
    def change(header, number):
        header.SeriesInstanceUID = f"1.2.3.{number}"

    def changed(header, number):
        header.ImageType = NORMALISED
        change(header, number)

    files = write_series(tmp_path / "a", voxels(seed=1), change=change)
    others = write_series(tmp_path / "b", voxels(seed=2), change=changed)
    reading = read_folder([*others, *files])
    assert np.array_equal(reading.volume.array, voxels(seed=1).transpose(2, 1, 0))
    assert [one.reason for one in reading.refused] == ["another series was taken: it is original"]


def test_two_patients_under_one_identifier_are_not_mixed(tmp_path):
    numbered = lambda patient: set_all(PatientID=patient)  # noqa: E731
    first = write_series(tmp_path / "a", voxels(seed=1), change=numbered("4711"))
    second = write_series(tmp_path / "b", voxels(seed=2), change=numbered("4712"))
    reading = read_folder([*first, *second])
    assert reading.volume is not None and reading.notes == ("series of several patients",)
    # Half of each: one series, of which a part was corrected, or a mixture.
    reading = read_folder([*first[:3], *second[3:]])
    assert reading.volume is not None and reading.notes == ("series of several patients",)
    part = write_series(tmp_path / "c", voxels(seed=1), change=lambda header, number: number > 2 and numbered("4711"))
    assert read_folder(part).notes == ()
