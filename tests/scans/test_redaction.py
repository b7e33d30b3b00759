"""Which parts of a path may be written."""

from pathlib import Path

import pytest

from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.redaction import Redaction

WORDS = {"doe", "john", "doejohn", "004711", "20190304", "190304", "head", "t1", "mprage", "series"}
REDACTION = Redaction(Path("/scans"), Pseudonyms(b"k" * 32))


@pytest.mark.parametrize(
    "part",
    ["DICOM", "IM000001", "SE4", "series 601", "PAT00001", "00017.dcm", "I12.IMA", "S3010", "img-0001-00004.dcm"],
)
def test_what_every_export_has_may_stay(part):
    assert REDACTION.alias(Path("/scans") / part, WORDS - {"series"}) == part


@pytest.mark.parametrize(
    "part",
    ["DOE^JOHN", "Doe_John", "John Doe 1947", "004711", "4711", "PAT4711", "20190304", "190304", "Head 20190304",
     "T1 SE extrp - 601", "1.2.840.113619.2.5", "somebody", "Müller", "2019-03-04"],
)  # fmt: skip
def test_what_repeats_the_header_or_may_be_a_name_is_replaced(part):
    alias = REDACTION.alias(Path("/scans/DICOM") / part / "IM1", WORDS)
    first, hidden, last = alias.split("/")
    assert (first, last) == ("DICOM", "IM1")
    assert hidden.startswith("x-") and len(hidden) == 8 and part.lower() not in hidden


@pytest.mark.parametrize("part", ["042", "42", "00042.dcm", "S12", "S-0012", "s 12", "PAT42", "SE042", "IM000042", "B"])
def test_identifiers_of_the_patient_are_replaced_whatever_their_length(part):
    assert REDACTION.alias(Path("/scans") / part, {"42", "s12", "b"}).startswith("x-")


@pytest.mark.parametrize(
    "part",
    ["4711234", "10001", "0004711", "4711234.zip", "PAT4711234", "patient 4711234", "S4711234", "MR-4711234",
     "export_10001.zip", "471-1234", "PAT 471 1234", "4711.1234", "\uff14\uff12"],
)  # fmt: skip
def test_a_number_that_may_be_a_patients_is_replaced_whatever_the_header_says(part):
    assert REDACTION.alias(Path("/scans") / part, ()).startswith("x-")


@pytest.mark.parametrize("part", ["1", "0042", "1234", "IM010001", "SE000004", "ST00001", "disk 2", "i123.MRDC.4"])
def test_counters_stay(part):
    assert REDACTION.alias(Path("/scans") / part, WORDS) == part


def test_a_folder_named_by_another_patient_of_the_tree_is_replaced():
    redaction = Redaction(Path("/scans"), REDACTION._names, {"042", "S12", ""})
    for part in ("42", "S12", "s-12", "042.zip"):
        assert redaction.alias(Path("/scans") / part / "IM000042", ()).startswith("x-")
        assert redaction.alias(Path("/scans") / part / "IM000042", ()).endswith("/IM000042")


def test_an_archive_that_was_not_opened_keeps_no_number_and_no_name():
    assert REDACTION.unopened("export.zip", WORDS) == "export.zip"
    for name in ("1234567.zip", "042.zip", "S1.zip", "Doe.zip", "images.zip"):
        assert REDACTION.unopened(name, {"images"}).startswith("x-")


def test_files_of_one_folder_stay_together():
    paths = [Path(f"/scans/Doe John/IM{number}") for number in range(3)]
    assert len({REDACTION.alias(path, WORDS).split("/")[0] for path in paths}) == 1
