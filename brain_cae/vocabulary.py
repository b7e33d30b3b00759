"""The words that several rooms share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelMeaning:
    """What the classes of a data set stand for, as its source declares it.

    Args:
        healthy: In words; ``""`` where nobody says, ``NOBODY`` where the class is empty by design.
        abnormal: The same of the other class.
        controls: Whether the healthy class holds people (or simulated brains) without the disease; ``None`` where
            nobody says.
    """

    healthy: str = ""
    abnormal: str = ""
    controls: bool | None = None


NOBODY = "nobody"
"""The meaning of a class that a data set does not have."""
