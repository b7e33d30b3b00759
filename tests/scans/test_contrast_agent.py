"""Words, doses and sequences that say whether a contrast agent was given."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from brain_cae.scans.contrast_agent import has_agent
from brain_cae.scans.elements import Elements


@pytest.mark.parametrize(
    ("agent", "given"),
    [("Gadovist", True), ("YES", True), ("DOTAREM 15 ml", True), ("", False), ("no", False), ("NONE", False),
     ("No contrast", False), ("ohne KM", False), ("n/a", False), ("-", False), ("Contrast", True), ("x", True),
     ("MAGNEVIST non-ionic", True), ("GADOVIST 8 ml NaCl 20 ml", True), ("W/O", False), ("w/o contrast", False),
     ("None given", False), ("NONE\\NONE", False), ("Gadovist: no", False), ("pre gad", False), ("0 ml", False),
     ("0.0", False), ("Gadovist 0ml", False), ("Gadovist 0.0 ml", False), ("Gadovist 10 ml", True),
     ("Dotarem 1.0 ml", True),
     ("NaCl 0.9%", False), ("C-", False), ("patient refused", False), ("-C", False), ("n.v.t.", False),
     ("Gadovist 7 ml, no reaction", True), ("GADOLINIUM no known allergy", True),
     ("ProHance (no adverse events)", True), ("NOT APPLICABLE", False), ("n.a.", False), ("sin contraste", False),
     ("senza mdc", False), ("nessuno", False), ("Aucun", False), ("geen", False), ("não", False), ("Nie", False),
     ("无", False), ("REMOVED", False), ("xxxx", False)],
)  # fmt: skip
def test_words_for_no_contrast_agent_are_understood(agent, given):
    header = Dataset()
    header.ContrastBolusAgent = agent
    assert has_agent(Elements(header)) == given


def test_a_dose_of_zero_is_no_agent_and_a_dose_without_name_is_one():
    header = Dataset()
    header.ContrastBolusAgent, header.ContrastBolusVolume = "Gadovist", "0"
    assert not has_agent(Elements(header))
    header.ContrastBolusAgent, header.ContrastBolusVolume = "", "7.5"
    assert has_agent(Elements(header))
    usage = Dataset()
    usage.ContrastBolusAgentAdministered = "NO"
    header.ContrastBolusUsageSequence = Sequence([usage])
    assert not has_agent(Elements(header))


@pytest.mark.parametrize(
    ("agent", "more", "given"),
    [("REMOVED", {"ContrastBolusVolume": "7.5"}, True), ("Gadovist", {"ContrastFlowRate": "0"}, True),
     ("", {"ContrastFlowRate": "2"}, True), ("REMOVED", {}, False),
     ("", {"ContrastFlowRate": "2", "ContrastBolusVolume": "0"}, False),
     ("", {"ContrastBolusIngredient": "GADOLINIUM"}, True), ("none", {"ContrastBolusVolume": "7.5"}, False),
     ("", {"ContrastBolusIngredient": "GADOLINIUM", "ContrastBolusVolume": "0"}, False),
     ("no", {"ContrastBolusIngredient": "GADOLINIUM"}, False)],
)  # fmt: skip
def test_without_the_name_that_an_anonymiser_removed_other_elements_tell(agent, more, given):
    header = Dataset()
    header.ContrastBolusAgent = agent
    for name, value in more.items():
        setattr(header, name, value)
    assert has_agent(Elements(header)) == given
