"""What a header says about people is known as words, whatever its encoding; the names of the machine are not."""

import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_charset_files
from pydicom.dataset import Dataset

from brain_cae.scans import identity
from brain_cae.scans.elements import Elements
from brain_cae.scans.identity import compact, identity_of, place_of, words_of
from tests.scans.synthesise import PRIVATE, set_all, transcode, voxels, write_series

NAMED = set_all(
    **PRIVATE, PatientID="00123", PatientSex="m", StudyDate="20210304", StudyTime="101500",
    InstitutionName="St. Mary's", ReferringPhysicianName="House^Gregory",
    Manufacturer="SIEMENS", OtherPatientNames=["Aka^One", "Aka^Two"],
)  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return write_series(tmp_path, voxels((1, 8, 8)), change=NAMED)[0]


def test_names_dates_and_texts_are_words_and_the_machine_is_not(path):
    found = identity_of(path)
    assert (found.patient, found.moment, found.birth, found.sex) == ("00123", "20210304 101500", "19450607", "M")
    expected = {"secret", "person", "secretperson", "confidential", "mary", "house", "gregory", "aka", "two"}
    assert expected | {"19450607", "07061945", "450607", "20210304", "00123"} <= found.words
    assert "siemens" not in found.words


@pytest.mark.parametrize("partly", [False, True])
def test_identifiers_and_names_of_the_patient_are_words_of_any_length_and_short_words_of_other_texts_are_not(
    tmp_path, monkeypatch, partly
):
    change = set_all(PatientID="7", OtherPatientIDs=["S-012", "B"], PatientName="Li^Wu", SeriesDescription="t1 se 12")
    (path,) = write_series(tmp_path, voxels((1, 8, 8)), change=change)
    if partly:
        monkeypatch.setattr(identity, "first_part", lambda path: None)
    words = identity_of(path).words
    assert {"7", "s12", "b", "li", "wu"} <= words
    assert not {"t1", "se", "12"} & words


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian]
)
def test_the_encoding_of_a_file_makes_no_difference(path, syntax):
    assert identity_of(transcode(path, syntax)) == identity_of(path)


def test_a_file_is_read_with_pydicom_where_its_first_part_is_not_enough(path, monkeypatch):
    expected = identity_of(path)
    monkeypatch.setattr(identity, "first_part", lambda path: None)
    assert identity_of(path) == expected


def test_names_in_other_character_sets_are_decoded(path, tmp_path):
    (japanese,) = get_charset_files("chrH31.dcm")
    names = pydicom.dcmread(japanese)
    header = pydicom.dcmread(path)
    header.SpecificCharacterSet, header.PatientName = names.SpecificCharacterSet, names.PatientName
    header.save_as(tmp_path / "other.dcm")
    assert {"yamada", "tarou", "山田", "太郎"} <= identity_of(tmp_path / "other.dcm").words


def test_elements_of_unknown_kind_count_as_what_the_dictionary_says(path, tmp_path):
    content = path.read_bytes()
    place = content.index(b"\x10\0\x10\0PN")
    length = int.from_bytes(content[place + 6 : place + 8], "little")
    head = b"\x10\0\x10\0UN\0\0" + length.to_bytes(4, "little")
    (tmp_path / "other.dcm").write_bytes(content[:place] + head + content[place + 8 :])
    assert "secret" in identity_of(tmp_path / "other.dcm").words


def test_what_is_no_image_names_nobody(tmp_path):
    (tmp_path / "readme").write_text("Secret Person")
    assert identity_of(tmp_path / "readme").words == frozenset()


def test_texts_are_compared_without_case_signs_and_zeros():
    assert {compact(text) for text in ("S-0012", "s12", "S 12", "\uff33_12")} == {"s12"}
    assert compact("000") == "0" and compact(" - ") == ""


def test_words_are_lower_case_and_also_joined():
    assert words_of("Doe_John, Jr.") == {"doe", "john", "jr", "doejohnjr"}


@pytest.mark.parametrize(
    ("values", "moment"),
    [({"SeriesDate": "20200304", "SeriesTime": "101500"}, "20200304 101500"), ({"SeriesTime": "101500"}, "101500"),
     ({"AcquisitionDate": "20200304", "AcquisitionTime": "101700", "SeriesTime": "101500"}, "20200304 101700"),
     ({"SeriesDate": "20200304"}, ""), ({}, "")],
)  # fmt: skip
def test_a_series_has_a_time_also_where_its_date_was_removed(values, moment):
    header = Dataset()
    for name, value in values.items():
        setattr(header, name, value)
    assert place_of(Elements(header))[0] == moment
