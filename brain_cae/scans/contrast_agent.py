"""Whether a header says that a contrast agent was given."""

from collections.abc import Sequence

from brain_cae.scans.descriptions import names_agent
from brain_cae.scans.elements import Elements

DOSES = ("ContrastBolusVolume", "ContrastBolusTotalDose")


def has_agent(header: Elements, groups: Sequence[Elements] = ()) -> bool:
    """Return whether the header says that a contrast agent was given.

    Scanners write words into ContrastBolusAgent also where none was given, and a dose or volume of 0. An enhanced file
    says so in ContrastBolusAgentSequence, and of a frame in ContrastBolusUsageSequence of its functional ``groups``.
    """
    usage = [item for place in (header, *groups) for item in place.items("ContrastBolusUsageSequence")]
    if usage:
        return any(item.text("ContrastBolusAgentAdministered").upper() == "YES" for item in usage)
    if header.items("ContrastBolusAgentSequence"):
        return True
    name = "\\".join(header.texts("ContrastBolusAgent")).strip()
    doses = [dose for element in DOSES for dose in header.numbers(element)]
    if not names_agent(name):
        return not name and any(dose > 0 for dose in doses)
    return not doses or any(dose > 0 for dose in doses)
