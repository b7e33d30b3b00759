"""One file as frames: where position, orientation and spacing are read, and refusals without them."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from brain_cae.errors import ScanError
from brain_cae.scans.contrast_rules import contrast_of
from brain_cae.scans.dicom import read_folder, read_series
from brain_cae.scans.file import open_dicom
from brain_cae.scans.frames import read_frames
from brain_cae.scans.headers import facts_of, read_header

from .synthesise import remove, set_all, voxels, write_enhanced, write_series
from .test_dicom import reason_of


def test_enhanced_frames_are_placed_by_their_groups(tmp_path):
    stack = voxels()
    volume = read_series([write_enhanced(tmp_path / "one", stack, order=[5, 3, 4, 0, 1, 2])])
    assert np.array_equal(volume.array, (2 * stack - 7).transpose(2, 1, 0))
    assert volume.affine[:3, 2] == pytest.approx([0, 0, 2.0])
    facts = {"sequence": "IR", "repetition_time_ms": 1800.0, "echo_time_ms": 2.41, "inversion_time_ms": 900.0}
    assert facts | volume.acquisition == volume.acquisition


CHANGES = {
    "no slice position": remove("ImagePositionPatient"),
    "no pixel spacing": remove("PixelSpacing"),
    "no pixel spacing, not even a number": set_all(PixelSpacing=[1.0, 0.0]),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_reasons(tmp_path, reason):
    assert reason_of(write_series(tmp_path, change=CHANGES[reason])) == reason.split(",")[0]


def test_a_classic_slice_is_one_frame_with_its_own_values(tmp_path):
    path = write_series(tmp_path, change=set_all(RescaleSlope=2, RescaleIntercept=-7))[3]
    (frame,) = read_frames(open_dicom(path))
    assert np.array_equal(frame.pixels, voxels()[3])
    assert (frame.position, frame.spacing) == ((-10.0, -20.0, -21.0), (30.0, 25.0))
    assert (frame.slope, frame.intercept, frame.echo_time) == (2.0, -7.0, 90.0)


@pytest.mark.parametrize("declared", [1, 5, 7])
def test_groups_and_frames_must_agree_in_number(tmp_path, declared):
    path = write_enhanced(tmp_path / "one", voxels())
    header = dcmread(path)
    header.NumberOfFrames = declared
    header.save_as(path, enforce_file_format=True)
    reason = f"wrong number of frames: {declared} declared, functional groups of 6"
    assert [one.reason for one in read_folder([path]).refused] == [reason]
    assert [one.reason for one in read_folder([path], pixels=False).refused] == [reason]


def test_values_behind_a_table_are_refused(tmp_path):
    """The table may turn dark into bright; stored values would be taken for those of the image."""

    def change(header, number):
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [4096, 0, 16], "US", bytes(8192)
        header.ModalityLUTSequence = [table]

    assert reason_of(write_series(tmp_path, change=change)) == "unknown scaling"


def test_decimal_commas_place_a_slice(tmp_path):
    """The same values as with points, in each of the three elements."""
    expected = read_series(write_series(tmp_path / "points"))
    files = write_series(
        tmp_path / "commas", change=set_all(ImageOrientationPatient=["1.0", "0.0", "0.0", "0.0", "1.0", "0.0"])
    )
    for path in files:
        content = path.read_bytes()
        for number in (b"-10.0", b"-20.0", b"30.0\\25.0", b"1.0\\0.0\\0.0\\0.0\\1.0\\0.0"):
            assert number in content
            content = content.replace(number, number.replace(b".", b","))
        for z in range(6):
            place = f"{-30.0 + 3 * z}".encode()
            content = content.replace(b"-20,0\\" + place, b"-20,0\\" + place.replace(b".", b","))
        path.write_bytes(content)
    volume = read_series(files)
    assert np.array_equal(volume.affine, expected.affine) and np.array_equal(volume.array, expected.array)


def test_a_spacing_that_could_mean_two_things_is_shown(tmp_path):
    path = write_series(tmp_path, change=set_all(PixelSpacing=["4.5"]))[0]
    path.write_bytes(path.read_bytes().replace(b"DS\4\x004.5 ", b"DS\4\x004,5 "))
    with pytest.raises(ScanError, match="PixelSpacing 4,5") as raised:
        read_frames(open_dicom(path))
    assert raised.value.reason == "no pixel spacing"


def test_a_spacing_on_a_detector_is_not_mr(tmp_path):
    def change(header, number):
        del header.PixelSpacing
        header.ImagerPixelSpacing = [0.2, 0.2]

    assert reason_of(write_series(tmp_path, change=change)) == "not MR"


def mixed(path, kinds):
    """Write an enhanced file whose frames, in order of position, have these complex components."""
    stack = voxels((len(kinds), 5, 4))
    write_enhanced(path, stack)
    header = dcmread(path)
    for item, kind in zip(header.PerFrameFunctionalGroupsSequence, kinds, strict=True):
        frame = Dataset()
        frame.FrameType, frame.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "T1", "NONE"], kind
        item.MRImageFrameTypeSequence = Sequence([frame])
    for number, item in enumerate(header.PerFrameFunctionalGroupsSequence):
        item.PlanePositionSequence[0].ImagePositionPatient = [0.0, 0.0, 2.0 * (number // 2)]
    header.save_as(path, enforce_file_format=True)
    return stack


def test_of_an_enhanced_file_the_magnitude_frames_are_taken(tmp_path):
    stack = mixed(tmp_path / "one", ["MAGNITUDE", "PHASE"] * 3)
    reading = read_folder([tmp_path / "one"])
    assert np.array_equal(reading.volume.array, (2 * stack[::2] - 7).transpose(2, 1, 0))
    assert [one.reason for one in reading.refused] == ["set aside: phase image"]


@pytest.mark.parametrize(("first", "second", "taken"), [("WATER", "FAT", True), ("FAT", "FAT", False)])
def test_of_an_enhanced_file_with_water_and_fat_the_water_is_taken(tmp_path, first, second, taken):
    stack = mixed(tmp_path / "one", ["MAGNITUDE"] * 6)
    header = dcmread(tmp_path / "one")
    for number, item in enumerate(header.PerFrameFunctionalGroupsSequence):
        frame = item.MRImageFrameTypeSequence[0]
        frame.FrameType = ["ORIGINAL", "PRIMARY", "DIXON", second if number % 2 else first]
    header.save_as(tmp_path / "one", enforce_file_format=True)
    reading = read_folder([tmp_path / "one"])
    if taken:
        assert np.array_equal(reading.volume.array, (2 * stack[::2] - 7).transpose(2, 1, 0))
    refused = "set aside: fat image" if taken else "duplicate slice position"
    assert [one.reason for one in reading.refused] == [refused]


def test_of_an_enhanced_file_with_water_and_in_phase_images_the_water_is_taken(tmp_path):
    stack = mixed(tmp_path / "one", ["MAGNITUDE"] * 6)
    header = dcmread(tmp_path / "one")
    for number, item in enumerate(header.PerFrameFunctionalGroupsSequence):
        frame = item.MRImageFrameTypeSequence[0]
        frame.FrameType = ["DERIVED", "PRIMARY", "DIXON", "IN_PHASE" if number % 2 else "WATER"]
    header.save_as(tmp_path / "one", enforce_file_format=True)
    reading = read_folder([tmp_path / "one"])
    assert np.array_equal(reading.volume.array, (2 * stack[::2] - 7).transpose(2, 1, 0))
    assert [one.reason for one in reading.refused] == ["set aside: in-phase image"]


@pytest.mark.parametrize(("times", "taken"), [((12.0, 95.0), True), ((95.0, 12.0), True), ((2.0, 4.0), False)])
def test_of_a_dual_echo_in_one_file_the_t2_is_taken(tmp_path, times, taken):
    def change(header):
        del header.SharedFunctionalGroupsSequence[0].MRModifierSequence
        header.SharedFunctionalGroupsSequence[0].MRTimingAndRelatedParametersSequence[0].RepetitionTime = 5000.0
        header.EchoPulseSequence = "SPIN"
        for number, item in enumerate(header.PerFrameFunctionalGroupsSequence):
            item.MREchoSequence[0].EffectiveEchoTime = times[number % 2]
            item.PlanePositionSequence[0].ImagePositionPatient = [0.0, 0.0, 2.0 * (number // 2)]

    stack = voxels((6, 5, 4))
    path = write_enhanced(tmp_path / "one", stack, change=change)
    reading = read_folder([path])
    if taken:
        second = stack[times.index(95.0) :: 2]
        assert np.array_equal(reading.volume.array, (2 * second - 7).transpose(2, 1, 0))
        assert reading.volume.acquisition["echo_time_ms"] == 95.0
        assert contrast_of(facts_of(path, read_header(path).header).physics).name == "t2"
    refused = "set aside: first of two echoes" if taken else "mixed echo times"
    assert [one.reason for one in reading.refused] == [refused]


@pytest.mark.parametrize(
    ("owner", "values", "reasons"),
    [
        ("SIEMENS MR SDI 02", ["ORIGINAL", "PRIMARY", "P", "ND"], ["phase image"]),
        ("SIEMENS MR SDI 02", ["DERIVED", "PRIMARY", "T1 MAP", "DIS3D"], ["parameter map"]),
        ("SIEMENS MR SDI 02", ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"], []),
        ("ANOTHER OWNER", ["ORIGINAL", "PRIMARY", "P", "ND"], []),
    ],
)
def test_a_vendor_may_keep_the_type_of_a_frame_in_its_own_element(tmp_path, owner, values, reasons):
    def change(header):
        for frame in header.PerFrameFunctionalGroupsSequence:
            item = Dataset()
            item.add_new(0x00210011, "LO", owner)
            item.add_new(0x00211175, "CS", values)
            frame.add_new(0x00210011, "LO", owner)
            frame.add_new(0x002111FE, "SQ", Sequence([item]))

    path = write_enhanced(tmp_path / "one", voxels(), change=change)
    assert [one.reason for one in read_folder([path]).refused] == reasons
    physics = facts_of(path, read_header(path).header).physics
    assert physics.kind == "".join(reasons)


def test_the_uniform_image_of_an_mp2rage_is_known_in_an_enhanced_file_too(tmp_path):
    def change(header):
        item = Dataset()
        item.add_new(0x00210011, "LO", "SIEMENS MR SDI 02")
        item.add_new(0x00211175, "CS", ["DERIVED", "PRIMARY", "M", "ND", "UNI"])
        for frame in header.PerFrameFunctionalGroupsSequence:
            frame.add_new(0x00210011, "LO", "SIEMENS MR SDI 02")
            frame.add_new(0x002111FE, "SQ", Sequence([item]))

    path = write_enhanced(tmp_path / "one", voxels(), change=change)
    assert facts_of(path, read_header(path).header).physics.kind == "uniform image"
