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


def test_files_of_one_folder_stay_together():
    paths = [Path(f"/scans/Doe John/IM{number}") for number in range(3)]
    assert len({REDACTION.alias(path, WORDS).split("/")[0] for path in paths}) == 1
