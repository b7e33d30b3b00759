"""Elements are found in the bytes of a file, in any encoding, and nothing beyond its end is believed."""

import struct

import pytest
from pydicom import dcmread, uid

from brain_cae.scans.raw_header import DamagedError, EndOfDataError, has_all_fragments, parse_file, read_items

from .synthesise import transcode, voxels, write_enhanced, write_series

PIXELS, GROUPS, UID = 0x7FE00010, 0x52009230, 0x0020000E
UNDEFINED = b"\xff\xff\xff\xff"


def value(header, tag):
    _, start, length = header.places[tag]
    return header.data[start : start + length]


@pytest.mark.parametrize("syntax", [None, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian, uid.RLELossless])
def test_every_element_lies_where_pydicom_finds_it(tmp_path, syntax):
    path = write_series(tmp_path, voxels((2, 64, 48)))[0]
    content = (transcode(path, syntax) if syntax else path).read_bytes()
    header, expected = parse_file(content, len(content)), dcmread(path)
    assert sorted(header.places) == sorted(expected.keys()) and not header.cut
    assert header.syntax == expected.file_meta.TransferSyntaxUID
    for element in expected:
        if element.VR in ("LO", "UI", "CS"):
            written = value(header, int(element.tag)).decode().rstrip(" \0")
            assert written == ("\\".join(element.value) if element.VM > 1 else element.value)


def test_items_are_found_with_and_without_a_length(tmp_path):
    path = write_enhanced(tmp_path / "one", voxels())
    plain = path.read_bytes()
    dataset = dcmread(path)
    dataset["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.is_undefined_length_sequence_item = True
    dataset.save_as(tmp_path / "other", enforce_file_format=True)
    other = (tmp_path / "other").read_bytes()
    assert UNDEFINED in other and len(other) != len(plain)
    found = [read_items(parse_file(content, len(content)), GROUPS) for content in (plain, other)]
    assert [len(items) for items in found] == [6, 6]
    assert [item.places.keys() for item in found[0]] == [item.places.keys() for item in found[1]]


def test_the_first_part_of_a_file_is_enough_if_it_holds_the_header(tmp_path):
    content = write_series(tmp_path, voxels((2, 64, 64)))[0].read_bytes()
    pixels = len(content) - 2 * 64 * 64
    header = parse_file(content[:pixels], len(content))
    assert header.places[PIXELS] == (b"OW", pixels, 2 * 64 * 64) and not header.cut
    with pytest.raises(EndOfDataError):
        parse_file(content[: pixels - 20], len(content))
    assert parse_file(content[: pixels - 20], pixels - 20).cut
    assert parse_file(content[:-1], len(content) - 1).cut


@pytest.mark.parametrize("length", [7, 2**31, 2**32 - 2])
def test_a_length_beyond_the_end_of_the_file_is_a_cut_file(length):
    content = b"\x08\x00\x16\x00UI\x04\x001.2\0" + b"\x09\x00\x01\x00OB\0\0" + struct.pack("<I", length) + b"abc"
    header = parse_file(content, len(content))
    assert header.cut and list(header.places) == [0x00080016]


def test_nesting_without_end_is_damage_and_takes_no_time():
    nest = (b"\x08\x00\x40\x11SQ\0\0" + UNDEFINED + b"\xfe\xff\x00\xe0" + UNDEFINED) * 100_000
    with pytest.raises(DamagedError):
        parse_file(nest, len(nest))


def test_fragments_of_compressed_pixels_need_an_end():
    fragment = b"\xfe\xff\x00\xe0\x04\0\0\0abcd"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert has_all_fragments(fragment * 2 + end, 0)
    assert not has_all_fragments(fragment * 2, 0) and not has_all_fragments(fragment + end[:6], 0)
