"""A header is recognised only if parsing it finds the same: with each changed byte, compared with a fresh reading."""

import random

import numpy as np
import pytest
from pydicom import dcmread, uid

from brain_cae.errors import ScanError
from brain_cae.scans import frames, raw_header
from brain_cae.scans.file import open_dicom
from brain_cae.scans.frames import read_frames
from brain_cae.scans.layout import Layout
from brain_cae.scans.raw_header import DamagedError, EndOfDataError, parse_file

from .synthesise import set_all, transcode, voxels, write_enhanced, write_series

POSITION, ABSENT = 0x00200032, 0x00990000


def forget():
    raw_header._known = ()
    frames._known.clear()


def parsed(content):
    try:
        header = parse_file(content, len(content))
    except (EndOfDataError, DamagedError) as error:
        return type(error)
    return header.places, header.meta, header.explicit, header.order, header.syntax, header.cut


def reading(path, *, pixels):
    try:
        found = read_frames(open_dicom(path, pixels=pixels))
    except ScanError as error:
        return error.reason, error.expected, error.found
    return [(frame.pixels.tolist(), *list(vars(frame).values())[1:]) for frame in found]


def test_a_layout_fits_headers_that_differ_in_values_alone(tmp_path):
    first, second = (path.read_bytes() for path in write_series(tmp_path, voxels((2, 8, 8))))
    header = parse_file(first, len(first))
    layout = Layout(first, header.meta | header.places)
    assert layout.fits(first) and layout.fits(second) and first != second
    assert not layout.fits(second[:-200]) and not layout.fits(b"\0" + second)
    heads, values = layout.values(second, (POSITION, ABSENT))
    assert heads == (b"\x00\x20\x00\x32DS",)
    assert values[0].decode().strip() == "-10.0\\-20.0\\-27.0"


def test_a_fixed_value_belongs_to_the_layout(tmp_path):
    first, second = (path.read_bytes() for path in write_series(tmp_path, voxels((2, 8, 8))))
    header = parse_file(first, len(first))
    assert not Layout(first, header.meta | header.places, fixed=(POSITION,)).fits(second)


@pytest.mark.parametrize("syntax", [None, uid.ExplicitVRBigEndian, uid.ImplicitVRLittleEndian, uid.RLELossless])
@pytest.mark.parametrize("enhanced", [False, True])
def test_every_changed_byte_is_read_as_without_a_memory(tmp_path, syntax, enhanced):
    """Also of sequences without a length, whose items are part of the layout."""
    generator = random.Random(f"{syntax} {enhanced}")
    path = (
        write_enhanced(tmp_path / "one", voxels((3, 8, 8)))
        if enhanced
        else write_series(tmp_path / "series", voxels((3, 8, 8)), change=set_all(RescaleSlope=2))[0]
    )
    if enhanced:
        dataset = dcmread(path)
        for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            dataset[name].is_undefined_length = True
        dataset.save_as(path, enforce_file_format=True)
    content = (transcode(path, syntax) if syntax else path).read_bytes()
    changed = tmp_path / "changed"
    for _ in range(150):
        place = generator.randrange(128, len(content) - 150)
        other = content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :]
        if generator.random() < 0.1:
            other = other[: generator.randrange(len(other))]
        changed.write_bytes(other)
        forget()
        expected = parsed(other), reading(changed, pixels=True), reading(changed, pixels=False)
        forget()
        parse_file(content, len(content))
        changed.write_bytes(content)
        reading(changed, pixels=generator.random() < 0.5)
        changed.write_bytes(other)
        assert (parsed(other), reading(changed, pixels=True), reading(changed, pixels=False)) == expected


def test_slices_that_are_remembered_have_their_own_positions_and_pixels(tmp_path):
    forget()
    stack = voxels((12, 8, 8))
    found = [read_frames(open_dicom(path))[0] for path in write_series(tmp_path, stack)]
    assert len(frames._known) == 1 and len(raw_header._known) < 6
    assert np.array_equal(np.stack([frame.pixels for frame in found]), stack)
    assert len({frame.position for frame in found}) == 12
    assert not next(iter(frames._known.values())).pixels.any()
