"""The elements that are read have the numbers and kinds of the standard."""

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from brain_cae.scans.tags import SEQUENCES, TAGS

KINDS = {
    "text": ("CS", "LO", "UI", "DA", "TM", "AS"),
    "decimal": ("DS", "IS"),
    "short": ("US", "US or SS"),
    "double": ("FD",),
}


@pytest.mark.parametrize("name", [name for name, (tag, _) in TAGS.items() if not (tag >> 16) & 1])
def test_an_element_of_the_standard_has_its_number_and_kind(name):
    tag, kind = TAGS[name]
    assert tag_for_keyword(name) == tag and dictionary_VR(tag) in KINDS[kind]


@pytest.mark.parametrize("name", [name for name, tag in SEQUENCES.items() if not (tag >> 16) & 1])
def test_a_sequence_of_the_standard_has_its_number(name):
    assert tag_for_keyword(name) == SEQUENCES[name] and dictionary_VR(SEQUENCES[name]) == "SQ"
