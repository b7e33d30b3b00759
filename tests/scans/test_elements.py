"""Values read directly from the bytes of a header; malformed values count as absent."""

import struct

import pytest
from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from brain_cae.scans.elements import TAGS, Elements, decimals, with_commas
from brain_cae.scans.file import open_dicom
from brain_cae.scans.raw_header import RawHeader

from .synthesise import set_all, transcode, voxels, write_enhanced, write_series


def elements_of(folder, **values) -> Elements:
    return open_dicom(write_series(folder, change=set_all(**values))[0]).elements


def test_texts_and_numbers_match_the_header(tmp_path):
    elements = elements_of(tmp_path, SeriesNumber=12, SeriesInstanceUID="1.2.3.44")
    assert elements.texts("ImageType") == ["ORIGINAL", "PRIMARY", "M", "ND"]
    assert elements.text("SeriesInstanceUID") == "1.2.3.44"  # padded by a zero byte in the file
    assert elements.numbers("ImagePositionPatient") == (-10.0, -20.0, -30.0)
    assert (elements.number("SeriesNumber"), elements.whole("Rows", 0)) == (12.0, 5)
    assert (elements.text("FrameType"), elements.number("EffectiveEchoTime"), elements.whole("NumberOfFrames", 1)) == (
        "", None, 1
    )  # fmt: skip


def test_a_malformed_number_is_absent(tmp_path):
    path = write_series(tmp_path, change=set_all(EchoTime="90.125"))[0]
    path.write_bytes(path.read_bytes().replace(b"90.125", b"90,125"))
    elements = open_dicom(path).elements
    assert elements.numbers("EchoTime") == () and elements.whole("EchoTime", 7) == 7


def test_the_byte_order_does_not_matter(tmp_path):
    path = transcode(write_series(tmp_path, voxels((3, 300, 4)))[0], uid.ExplicitVRBigEndian)
    assert open_dicom(path).elements.whole("Rows", 0) == Elements(dcmread(path)).whole("Rows", 0) == 300


def test_items_of_a_sequence_are_read(tmp_path):
    path = write_enhanced(tmp_path / "one", voxels())
    groups = open_dicom(path).elements.items("PerFrameFunctionalGroupsSequence")
    assert len(Elements(dcmread(path)).items("PerFrameFunctionalGroupsSequence")) == len(groups)
    assert len(groups) == 6
    (place,) = groups[2].items("PlanePositionSequence")
    assert place.numbers("ImagePositionPatient") == (0.0, 0.0, 4.0)
    assert groups[2].items("MRDiffusionSequence") == []


@pytest.mark.parametrize("pixels", [True, False])
def test_the_declared_size_of_pixels_is_known_without_reading_them(tmp_path, pixels):
    path = write_series(tmp_path, voxels((2, 256, 128)))[0]
    elements = open_dicom(path, pixels=pixels).elements
    assert elements.data_size() == 2 * 256 * 128 and elements.has_pixels()
    name, content = elements.data()
    assert (name, len(content) == 2 * 256 * 128) == ("PixelData", pixels)


def test_the_header_is_a_data_set_of_pydicom_as_well(tmp_path):
    path = write_series(tmp_path)[0]
    header = open_dicom(path).header
    assert header == dcmread(path) and header.file_meta == dcmread(path).file_meta


def test_an_overlay_in_the_pixels_is_detected():
    header = Dataset()
    assert not Elements(header).has_overlay_in_pixels() and Elements(header).data() is None
    header.add_new(0x60000102, "US", 0)
    assert not Elements(header).has_overlay_in_pixels()  # in a separate plane
    header.add_new(0x60020102, "US", 12)
    assert Elements(header).has_overlay_in_pixels()


@pytest.mark.parametrize(
    ("text", "count", "numbers"),
    [
        (b"4,00\\4,00 ", 2, (4, 4)), (b"0,5\\0.5", 2, ()), (b"4.0,4.0 ", 2, (4, 4)), (b"4,0,4,0 ", 2, (4, 4)),
        (b"4,5 ", 2, ()), (b"-78,0\\-94,0\\-69,0", 3, (-78, -94, -69)), (b"1,0,0,0,1,0", 6, (1, 0, 0, 0, 1, 0)),
        (b"-78.0,-94.0,-69.5", 3, (-78, -94, -69.5)), (b"1,234,5\\1", 2, ()), (b"1,5", 1, (1.5,)), (b"a,b", 2, ()),
        (b"1,5\\1,5\\1,5", 2, ()),
    ],
)  # fmt: skip
def test_commas_are_understood_where_they_mean_one_thing(text, count, numbers):
    assert with_commas(text, count) == numbers


@pytest.mark.parametrize("text", [b"nan", b"inf", b"1e400", b"1_0", b"", b"1\\", b"1\\x", b"0,5", b"\xff\xff"])
def test_what_is_not_a_finite_number_is_no_number(text):
    assert decimals(text) == ()


@pytest.mark.parametrize(
    ("name", "vr", "written", "numbers"),
    [
        ("DiffusionBValue", b"FD", b"0 ", ()),
        ("DiffusionBValue", b"FD", b"\0\0\0\0\0\0\xf0\x3f", (1.0,)),
        ("RepetitionTime", b"FL", b"500.0 ", ()),
        ("EchoTime", b"US", b"10", ()),
        ("EchoTime", b"UN", b"10", (10.0,)),
        ("Rows", b"US", b"\x05", ()),
        ("Rows", b"DS", b"48", (48.0,)),
    ],
)
def test_a_representation_of_another_kind_or_length_is_malformed(tmp_path, name, vr, written, numbers):
    elements = Elements(RawHeader(written, {TAGS[name][0]: (vr, 0, len(written))}))
    assert elements.numbers(name) == numbers


def test_numbers_that_place_a_slice_are_understood_in_any_representation():
    def lengths(vr, written):
        return Elements(RawHeader(written, {TAGS["PixelSpacing"][0]: (vr, 0, len(written))})).lengths("PixelSpacing", 2)

    assert lengths(b"FD", struct.pack("<2d", 0.5, 0.25)) == lengths(b"FL", b"0.5\\0.25 ") == (0.5, 0.25)
    assert lengths(b"DS", b"0.5\\0.25\\") == (0.5, 0.25)
    assert lengths(b"DS", b"0.5") == lengths(b"DS", b"0.5\\0.5\\0.5") == lengths(b"FD", b"12345") == ()


@pytest.mark.parametrize("block", [0x10, 0x11, 0x1F])
@pytest.mark.parametrize("owner", ["Philips Imaging DD 001", "PHILIPS IMAGING DD 001 ", "Philips Imaging DD 002"])
def test_private_elements_are_found_by_the_owner_of_their_block(tmp_path, block, owner):
    def change(header, number):
        if block > 0x10:
            header.add_new(0x20010010, "LO", "AGFA")
            header.add_new(0x20011013, "SL", 3)
        header.add_new(0x20010000 | block, "LO", owner)
        header.add_new(0x20010000 | block << 8 | 0x13, "SL", 47)

    path = write_series(tmp_path, change=change)[0]
    expected = None if "002" in owner else 47.0
    for elements in (open_dicom(path).elements, Elements(dcmread(path))):
        assert elements.number("PhilipsEpiFactor") == expected
        assert elements.number("PhilipsBValue") is None and elements.items("SiemensFrameSequence") == []


def test_slices_that_differ_in_a_private_element_have_another_key(tmp_path):
    def change(header, number):
        header.add_new(0x00190011, "LO", "SIEMENS MR HEADER")
        header.add_new(0x0019110C, "IS", 1000 * (number % 2))

    keys = [open_dicom(path).elements.series_key for path in write_series(tmp_path, change=change)]
    assert keys[0] == keys[2] and keys[1] == keys[5]
    assert [open_dicom(path).elements.number("SiemensBValue") for path in sorted(tmp_path.iterdir())[:2]] == [0, 1000]


def test_numbers_of_one_series_are_remembered_but_for_those_of_the_slice(tmp_path):
    def change(header, number):
        header.RepetitionTime = 500.0 if number < 5 else 600.0

    elements = [open_dicom(path).elements for path in write_series(tmp_path, change=change)]
    assert [one.number("RepetitionTime") for one in elements] == [500.0] * 5 + [600.0]
    assert [one.number("InstanceNumber") for one in elements] == [1, 2, 3, 4, 5, 6]
    assert [one.numbers("ImagePositionPatient")[2] for one in elements] == [-30, -27, -24, -21, -18, -15]


@pytest.mark.parametrize(
    ("named", "written"), [(None, "utf-8"), ("", "utf-8"), ("", "latin-1"), ("ISO_IR 100", "utf-8"),
    ("ISO_IR 100", "latin-1"),
    ("ISO_IR 192", "utf-8"), ("GB18030", "gb18030")],
)  # fmt: skip
def test_texts_in_utf_8_are_read_also_if_the_header_names_another_character_set(named, written):
    number = Tag(0x00100020)
    value = "Müller".encode(written)
    header = Dataset({number: RawDataElement(number, "LO", len(value), value, 0, False, True)})
    if named is not None:
        header.SpecificCharacterSet = named
    assert Elements(header).plain(number) == "Müller"
