"""Values read directly from the bytes of a header; malformed values count as absent."""

import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset

from brain_cae.scans.elements import Elements

from .synthesise import set_all, transcode, voxels, write_enhanced, write_series


def elements_of(folder, **values) -> Elements:
    return Elements(dcmread(write_series(folder, change=set_all(**values))[0]))


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
    elements = Elements(dcmread(path))
    assert elements.numbers("EchoTime") == () and elements.whole("EchoTime", 7) == 7


def test_the_byte_order_does_not_matter(tmp_path):
    path = transcode(write_series(tmp_path, voxels((3, 300, 4)))[0], uid.ExplicitVRBigEndian)
    assert Elements(dcmread(path)).whole("Rows", 0) == 300


def test_items_of_a_sequence_are_read(tmp_path):
    groups = Elements(dcmread(write_enhanced(tmp_path / "one", voxels()))).items("PerFrameFunctionalGroupsSequence")
    assert len(groups) == 6
    (place,) = groups[2].items("PlanePositionSequence")
    assert place.numbers("ImagePositionPatient") == (0.0, 0.0, 4.0)
    assert groups[2].items("MRDiffusionSequence") == []


@pytest.mark.parametrize("left", [True, False])
def test_the_declared_size_of_pixels_is_known_without_reading_them(tmp_path, left):
    path = write_series(tmp_path, voxels((2, 8, 8)))[0]
    elements = Elements(dcmread(path, defer_size=64 if left else None))
    assert elements.data_size() == 2 * 8 * 8
    name, content = elements.data() or ("", b"")
    assert (name, content == b"") == ("PixelData", left)
    assert elements.end() == (path.stat().st_size if left else 0)
    assert not elements.is_cut()


def test_an_overlay_in_the_pixels_is_detected():
    header = Dataset()
    assert not Elements(header).has_overlay_in_pixels() and Elements(header).data() is None
    header.add_new(0x60000102, "US", 0)
    assert not Elements(header).has_overlay_in_pixels()  # in a separate plane
    header.add_new(0x60020102, "US", 12)
    assert Elements(header).has_overlay_in_pixels()
