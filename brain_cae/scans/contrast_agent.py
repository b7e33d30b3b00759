"""Whether a header says that a contrast agent was given."""

from collections.abc import Sequence

from brain_cae.scans.descriptions import agent_of, names_agent
from brain_cae.scans.elements import Elements

DOSES = ("ContrastBolusVolume", "ContrastBolusTotalDose")


def has_agent(header: Elements, groups: Sequence[Elements] = ()) -> bool:
    """Return whether the header says that a contrast agent was given.

    Scanners write words into ContrastBolusAgent also where none was given, and a dose or volume of 0. Where an
    anonymiser emptied or replaced this free text, a dose, the rate of the injection or the ingredient tell. An enhanced
    file says so in ContrastBolusAgentSequence, and of a frame in ContrastBolusUsageSequence of its ``groups``.
    """
    usage = [item for place in (header, *groups) for item in place.items("ContrastBolusUsageSequence")]
    if usage:
        return any(item.text("ContrastBolusAgentAdministered").upper() == "YES" for item in usage)
    if header.items("ContrastBolusAgentSequence"):
        return True
    said = agent_of("\\".join(header.texts("ContrastBolusAgent")))
    doses = [dose for element in DOSES for dose in header.numbers(element)]
    # An injection by hand has a rate of 0; an injector that was not used may have the usual one.
    doses = doses or [rate for rate in header.numbers("ContrastFlowRate") if rate > 0]
    if said is None and not doses:
        said = names_agent(header.text("ContrastBolusIngredient"))
    return said is not False and (any(dose > 0 for dose in doses) or (said is True and not doses))
