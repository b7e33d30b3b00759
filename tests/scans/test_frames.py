"""One file as frames: where position, orientation and spacing are read, and refusals without them."""

import numpy as np
import pytest

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_series
from brain_cae.scans.file import open_dicom
from brain_cae.scans.frames import read_frames

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


@pytest.mark.parametrize(("frames", "reason"), [(5, "truncated file"), (7, "truncated file")])
def test_groups_and_frames_must_agree_in_number(tmp_path, frames, reason):
    file = open_dicom(write_enhanced(tmp_path / "one", voxels()))
    file.header.NumberOfFrames = frames
    file.header.save_as(tmp_path / "other", enforce_file_format=True)
    with pytest.raises(ScanError, match="functional groups of 6") as raised:
        read_frames(open_dicom(tmp_path / "other"))
    assert raised.value.reason == reason
