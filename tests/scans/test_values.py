"""Values of data sets, also where elements are malformed."""

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from brain_cae.scans.values import items_of, numbers_of, text_of, texts_of, values_of


def test_an_element_has_texts_and_numbers():
    header = Dataset()
    header.ImageType, header.EchoTime = ["original", "Primary "], "2.98"
    assert (values_of(header, "ImageType"), texts_of(header, "ImageType")) == (
        ["original", "Primary "],
        ["ORIGINAL", "PRIMARY"],
    )
    assert (text_of(header, "ImageType"), numbers_of(header, "EchoTime")) == ("original\\Primary ", [2.98])
    assert (values_of(header, "FlipAngle"), text_of(header, "FlipAngle"), numbers_of(header, "ImageType")) == (
        [],
        "",
        [],
    )


def test_a_malformed_element_counts_as_unknown():
    header = Dataset({Tag(0x00280010): RawDataElement(Tag(0x00280010), "US", 3, b"abc", 0, False, True)})
    assert (values_of(header, "Rows"), numbers_of(header, "Rows")) == ([], [])


def test_a_sequence_has_items():
    header, item = Dataset(), Dataset()
    assert items_of(header, "MREchoSequence") == []
    header.MREchoSequence = Sequence([item])
    assert items_of(header, "MREchoSequence") == [item]
