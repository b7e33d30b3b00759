"""Names in tables, and those on disk."""

import unicodedata
from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import counted
from brain_cae.scans.sources.matching import alike, alike_subjects, match, match_all, visits


def all_of(names, subjects):
    return match_all(names, subjects, place=Path("labels.csv"), what="labels", advice="Do this.")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (unicodedata.normalize("NFC", "Müller"), unicodedata.normalize("NFD", "Müller")),
        ("\uff21\uff22\uff11", "AB1"),
        ("SUB01", "sub01"),
        ("STRASSE", "straße"),
        ("7", "007"),
        ("12.0", "0012"),
        ("patient 1", "patient_001"),
        ("patient-1", "Patient1"),
        ("sub-01", "1"),
        ("sub01", "01"),
        ("sub-P001", "P-001"),
        ("a\u200bb", "ab"),
        ("B\u20117", "B-07"),
    ],
)
def test_names_are_the_same_however_programs_write_them(name, subject):
    found = match([name, "other"], [subject, "third"])
    assert (dict(found.subjects), found.names, found.rest) == ({name: subject}, ("other",), ("third",))
    assert len(found.changed) == 1


@pytest.mark.parametrize(
    ("name", "subject"), [("P1-23", "P12-3"), ("1.5", "1.05"), ("subject1", "1"), ("100", "1"), ("a", "b"), ("0", "")]
)
def test_different_names_stay_different(name, subject):
    assert match([name], [subject]).subjects == {}


def test_the_same_text_goes_first():
    found = match(["1", "01", "001", "x"], ["001", "01", "1"])
    assert dict(found.subjects) == {"1": "1", "01": "01", "001": "001"}
    assert (found.names, found.rest, found.changed) == (("x",), (), [])


@pytest.mark.parametrize(
    ("names", "subjects", "shown"),
    [
        (["1"], ["01", "001"], ["labels 1", "subjects 01, 001"]),
        (["SUB1", "Sub1"], ["sub1"], ["labels SUB1, Sub1", "subjects sub1"]),
        (["MÜLLER"], ["Müller", "Mu\u0308ller"], ["'M\\xfcller', 'Mu\\u0308ller'"]),
    ],
)
def test_a_name_for_several_subjects_stops_with_the_candidates(names, subjects, shown):
    with pytest.raises(DatasetError) as raised:
        all_of(["a", *names], ["a", *subjects])
    assert all(text in str(raised.value) for text in shown)


def test_names_left_on_both_sides_stop_and_on_one_side_do_not():
    with pytest.raises(DatasetError, match=r"labels without scans \(1\): c; subjects without labels .*: b") as raised:
        all_of(["a", "c"], ["a", "b"])
    assert "Do this." in str(raised.value)
    assert all_of(["a", "c"], ["a"]).names == ("c",)
    assert all_of(["a"], ["a", "b"]).rest == ("b",)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("1.00E+05", "1E5"), ("100000", "1E5"), ("2019-03-01 00:00:00", "1-3"), ("01-Mar", "MAR1"), ("Mrz 19", "19MRZ"),
        ("01.03.2019", "1-3-19"), ("01.03.", "1-3"),
        ("#NAME?", "-x"), ("#####", "123456"), ("1,23E+11", "123456789012"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_program_did_is_said(name, subject):
    with pytest.raises(DatasetError, match="as a spreadsheet program writes: ") as raised:
        all_of([name], [subject])
    assert name in str(raised.value) and "format the column as text" in str(raised.value)
    with pytest.raises(DatasetError) as raised:
        all_of(["patient_7"], [subject])
    assert "spreadsheet" not in str(raised.value)


def test_subjects_under_two_spellings_are_found():
    assert alike(["001", "1", "b", "B ", "c"]) == ["001 and 1", "b and B "]


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["P1_11", "P1_21", "P2_11", "P3_11"], ["P1_11 and P1_21"]),
        (["a-2019", "a-20210304", "b-2018", "c-2020"], ["a-2019 and a-20210304"]),
        (["7_20252_2_0", "8_20252_2_0", "7_20252_3_0", "9_20252_2_0"], ["7_20252_2_0 and 7_20252_3_0"]),
        (["control_01", "control_02", "patient_01", "patient_02"], []),
        (["control_01_mri", "control_02_mri", "patient_01_mri", "patient_02_mri"], []),
        ([f"site{site}_{number}" for site in range(20) for number in range(10)], []),
        (["sub_1", "sub_2", "x"], []),
    ],
)
def test_subjects_that_may_be_one_person_at_several_times_are_found(subjects, expected):
    assert visits(subjects) == expected
    notes = " ".join(counted(alike_subjects(subjects)))
    assert ("table with the column session" in notes) == bool(expected)


def test_subjects_that_are_called_as_sessions_are_named():
    def called(*names):
        return [shown for text, shown in alike_subjects(names).items() if "named like sessions" in text and shown]

    assert called("week-000-1", "week-044") == [["week-000-1", "week-044"]]
    assert called("2019-01-05", "2019-02-11_followup") and called("ses-01", "baseline") and called("Timepoint_1", "TP2")
    assert not called(*(f"scan_{number:03d}" for number in range(40)))
    assert not called("week-1") and not called("control1", "ses-1") and not called("20190105", "S2019")
