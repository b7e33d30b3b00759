"""A lost file may be a slice if the numbers or the names of the others leave room for it."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from brain_cae.errors.reasons import advice_for
from brain_cae.scans.completeness import is_numbered_alike, may_be_slice, possible_slices
from brain_cae.scans.dicom import ALTERNATING, SHORTER, read_folder
from brain_cae.scans.file import open_dicom

from .synthesise import remove, set_all, voxels, write_enhanced, write_series


def series(folder, *, names=None, change=None, left=slice(None)):
    return [open_dicom(path) for path in write_series(folder, names=names, change=change)[left]]


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("IM0007", True), ("IM0000", True), ("IM0009", False), ("IM9999", False), ("XX_0001", False), ("log", False),
        ("other/IM0007", False),
    ],
)  # fmt: skip
def test_an_empty_file_is_a_slice_if_its_name_continues_the_others(tmp_path, name, lost):
    files = series(tmp_path, names=[f"IM{number + 1:04d}" for number in range(6)])
    assert may_be_slice(tmp_path / name, files, empty=True) == lost
    assert may_be_slice(tmp_path / name, files, empty=False)


@pytest.mark.parametrize(
    ("name", "alike"),
    [("IM0007", True), ("IM0000", True), ("IM9999", False), ("IM0007.txt", False), ("README1", False), ("log", False)],
)
def test_what_is_not_dicom_is_a_slice_only_if_its_number_continues_the_others(tmp_path, name, alike):
    files = write_series(tmp_path, names=[f"IM{number + 1:04d}" for number in range(6)])
    assert is_numbered_alike(tmp_path / name, files) == alike
    assert possible_slices([tmp_path / name], [files], foreign=True) == [(tmp_path / name,) if alike else ()]
    assert not is_numbered_alike(tmp_path / name, [*files, tmp_path / "5f5"])
    (tmp_path / name).write_text("<html>404 Not Found</html>")
    reading = read_folder([*files, tmp_path / name])
    assert (reading.volume is None) == alike
    assert [(one.reason, one.path) for one in reading.refused] == [
        ("damaged header" if alike else "not DICOM", tmp_path / name)
    ]


def test_a_slice_that_was_compressed_has_the_name_of_the_others(tmp_path):
    files = [tmp_path / f"IM{number:04d}.dcm" for number in range(6)]
    packed = tmp_path / "IM0006.dcm.gz"
    assert is_numbered_alike(packed, files) and not is_numbered_alike(tmp_path / "IM0009.dcm.gz", files)
    assert possible_slices([packed], [files, [tmp_path / "A1.dcm"]], foreign=True) == [(packed,), ()]


def test_missing_instance_numbers_leave_room_for_any_file(tmp_path):
    files = series(tmp_path, left=slice(1, None))
    assert may_be_slice(tmp_path / "log", files, empty=True)
    bare = series(tmp_path / "bare", change=remove("InstanceNumber"), left=slice(1, None))
    assert not may_be_slice(tmp_path / "bare" / "log", bare, empty=True)


@pytest.mark.parametrize("count", [6, 7])
def test_a_declared_number_of_images_decides(tmp_path, count):
    files = series(tmp_path, change=set_all(ImagesInAcquisition=count))
    assert may_be_slice(tmp_path / "Image-7.dcm", files, empty=False) == (count == 7)


def test_names_without_an_order_are_compared_by_their_form(tmp_path):
    files = series(tmp_path, names=["a1f", "b22", "0cc", "9d1", "e0e", "77a"])
    assert may_be_slice(tmp_path / "f3b", files, empty=True)
    assert not may_be_slice(tmp_path / "notes", files, empty=True)


def test_an_enhanced_file_is_complete_by_itself(tmp_path):

    file = open_dicom(write_enhanced(tmp_path / "IM1", np.ones((4, 5, 6), np.int16)))
    assert not may_be_slice(tmp_path / "IM2", [file], empty=True)


def test_a_lost_file_is_compared_with_few_series_of_its_folder():
    def paths(folder, *numbers):
        return [Path(folder, f"IM{number:04d}") for number in numbers]

    first, second, third = paths("a", 1, 2, 3, 4), paths("a", 6, 7, 8), paths("a", 10, 11, 12)
    series = [first, second, third]
    assert possible_slices(paths("a", 5), series) == [tuple(paths("a", 5)), tuple(paths("a", 5)), ()]
    inner = [first, second, paths("a", 10, 11, 13, 14)]
    assert possible_slices(paths("a", 12), inner) == [(), (), tuple(paths("a", 12))]
    assert possible_slices(paths("b", 5), series) == [(), (), ()]
    assert possible_slices([Path("a/log")], [first]) == [(Path("a/log"),)]
    named = [[Path("c", f"1.2.{uid}.{number}") for number in (3, 9)] for uid in (4, 7, 8)]
    assert possible_slices([Path("c/1.2.4.5")], named) == [(Path("c/1.2.4.5"),), (), ()]
    hashed = [[Path("d", name) for name in names] for names in (("a1f", "b22", "0cc"), ("9d1", "e0e", "a7a"))]
    assert possible_slices([Path("d/f3b")], [*hashed, [Path("d/5f5"), Path("d/c08"), Path("d/b1b")]]) == [(), (), ()]


@pytest.mark.parametrize(
    ("left", "values", "shorter"),
    [
        (slice(2, None), {}, True),
        (slice(0, 9), {"ImagesInAcquisition": 12}, True),
        (slice(0, 9), {}, False),  # nothing shows it
        (slice(2, None), {"ImagesInAcquisition": 10}, False),
        (slice(None), {"ImagesInAcquisition": 12}, False),
        (slice(None), {"ImagesInAcquisition": 1}, False),
        (slice(0, 6), {"ImagesInAcquisition": 12}, False),  # that of two echoes
        (slice(None), {"InstanceNumber": lambda number: number + 193}, False),  # goes on from another series
        (slice(None), {"InstanceNumber": lambda number: 2 * number + 2}, False),
        (slice(None), {"InstanceNumber": lambda number: number}, False),
    ],
)
def test_slices_that_the_headers_count_beyond_those_that_are_there_are_a_caution(tmp_path, left, values, shorter):
    def change(header, number):
        for name, value in values.items():
            setattr(header, name, value(number) if callable(value) else value)

    reading = read_folder(write_series(tmp_path, voxels((12, 5, 4)), change=change)[left])
    assert reading.volume.array.shape[2] == len(range(12)[left])
    assert reading.notes == ((SHORTER,) if shorter else ())
    assert advice_for(SHORTER)


@pytest.mark.parametrize("total", [None, 3])
def test_a_concatenation_of_which_files_are_missing_is_refused(tmp_path, total):
    header, stack, paths = dcmread(write_enhanced(tmp_path / "whole", voxels((12, 5, 4)))), voxels((12, 5, 4)), []
    frames = list(header.PerFrameFunctionalGroupsSequence)
    for number in range(3):
        part = slice(4 * number, 4 * number + 4)
        header.PerFrameFunctionalGroupsSequence, header.NumberOfFrames = frames[part], 4
        header.PixelData = stack[part].tobytes()
        header.ConcatenationUID, header.InConcatenationNumber = "1.2.3.99", number + 1
        if total:
            header.InConcatenationTotalNumber = total
        paths.append(tmp_path / f"part{number}")
        header.save_as(paths[-1], enforce_file_format=True)
    assert np.array_equal(read_folder(paths).volume.array, (2 * stack.astype(int) - 7).transpose(2, 1, 0))
    for left in (paths[1:], *([paths[:2]] if total else [])):
        reading = read_folder(left, pixels=False)
        assert [one.reason for one in reading.refused] == ["incomplete concatenation: 2 of 3 files"]
    if not total:  # nothing shows it
        assert read_folder(paths[:2]).volume is not None


@pytest.mark.parametrize(
    ("numbers", "thickness", "noted"),
    [
        ([1, 6, 2, 7, 3, 8, 4, 9, 5, 10], 12.0, True),  # a repeat between the slices
        ([1, 6, 2, 7, 3, 8, 4, 9, 5, 10], 6.0, False),  # packages side by side
        ([*range(1, 11)], 12.0, False),  # interpolated
        ([1, 3, 5, 7, 9, 2, 4, 6, 8, 10], 12.0, False),
    ],
)
def test_two_acquisitions_whose_slices_take_turns_are_noted(tmp_path, numbers, thickness, noted):
    def change(header, place):
        header.InstanceNumber, header.SliceThickness = numbers[place], thickness

    reading = read_folder(write_series(tmp_path, voxels((10, 5, 4)), distance=6.0, change=change))
    assert reading.volume is not None and reading.notes == ((ALTERNATING,) if noted else ())
    assert advice_for(ALTERNATING)
