"""Slices with a SeriesInstanceUID each are joined if they can be one volume."""

import numpy as np
import pytest

from brain_cae.scans.dicom import SCATTERED, read_folder

from .synthesise import CORONAL, voxels, write_series


def uid_in_each(header, number):
    header.SeriesInstanceUID = f"1.2.3.77.{id(header) % 10**6}.{number}"


def every_uid(header, number):
    uid_in_each(header, number)
    header.StudyInstanceUID, header.FrameOfReferenceUID = f"1.5.{number}", f"1.6.{number}"


@pytest.mark.parametrize("change", [uid_in_each, every_uid])
def test_scattered_slices_are_one_volume_with_a_note(tmp_path, change):
    reading = read_folder(write_series(tmp_path, change=change))
    assert np.array_equal(reading.volume.array, voxels().transpose(2, 1, 0))
    assert (reading.refused, reading.notes) == ((), (SCATTERED,))


def test_scattered_slices_of_two_series_are_kept_apart(tmp_path):
    def second(header, number):
        uid_in_each(header, number)
        header.SeriesNumber, header.EchoTime = 2, 12.0

    files = write_series(tmp_path / "a", change=uid_in_each) + write_series(
        tmp_path / "b", voxels(seed=1), change=second
    )
    reading = read_folder(files)
    assert np.array_equal(reading.volume.array, voxels(seed=1).transpose(2, 1, 0))
    assert [one.reason for one in reading.refused] == ["another series was taken: it has the higher number"]


def test_scattered_slices_that_are_no_volume_are_named_once(tmp_path):
    files = write_series(tmp_path, change=uid_in_each)
    reading = read_folder(files[:2] + files[3:])
    assert reading.volume is None
    assert [(one.reason, one.files) for one in reading.refused] == [(f"{SCATTERED}: gap between slices", 5)]


def test_single_slices_that_differ_are_not_joined(tmp_path):
    files = [write_series(tmp_path / name, series=f"1.2.{name}", **options)[0] for name, options in {
        "1": {}, "2": {"orientation": CORONAL}, "3": {"spacing": (2.0, 2.0)},
    }.items()]  # fmt: skip
    reading = read_folder(files)
    assert [one.reason for one in reading.refused] == ["single slice"] * 3


def test_copies_of_an_instance_number_are_several_series(tmp_path):
    def change(header, number):
        uid_in_each(header, number)
        header.InstanceNumber = 1

    reading = read_folder(write_series(tmp_path, change=change))
    assert [one.reason for one in reading.refused] == [f"{SCATTERED}: repeated instance numbers"]
