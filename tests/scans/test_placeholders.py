"""PatientIDs that stand for nobody."""

import pytest

from brain_cae.scans.placeholders import anonymity


@pytest.mark.parametrize(
    "patient",
    ["", " ", "XXX", "XXXXXXX", "***", "-", "REDACTED", "[Anonymized]", "ANON_PATIENT", "Anonymous^", "NOT SPECIFIED",
     "Anonymous Patient", "n/a", "De-Identified", "unknown^unknown", "No Value"],
)  # fmt: skip
def test_words_for_nobody_are_nobody(patient):
    assert anonymity(patient) == "word"


@pytest.mark.parametrize("patient", ["0", "00000", "9999", "111111"])
def test_a_filler_may_be_a_number(patient):
    assert anonymity(patient) == "filler"


@pytest.mark.parametrize(
    "patient", ["1", "77", "4711", "ANON-0042", "Patient 7", "Anonymous^3", "N.A.", "Müller-7", "患者七"]
)
def test_whoever_has_a_number_or_a_name_is_somebody(patient):
    assert anonymity(patient) == ""
