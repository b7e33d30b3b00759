"""The words that tables and configurations may hold, each list once, and what the classes of a data set stand for."""

from dataclasses import dataclass

MODALITIES = ("t1", "t2", "flair", "t1ce")

CLASSES = ("healthy", "abnormal")
LABELS = (*CLASSES, "unknown")

ROLES = ("train", "validation", "classifier", "test")
HEALTHY_ROLES = ROLES[:2]
"""What the network is fitted on and calibrated with: healthy brains alone."""
UNSEEN_ROLES = ROLES[2:]
"""What neither has seen: healthy and abnormal brains."""

SKULL_STATES = ("on", "stripped", "unknown")

PLANES = ("sagittal", "coronal", "axial")
"""In the order of the axes (R, A, S) that are their normals."""

NOBODY = "nobody"
"""The meaning of a class that a data set does not have."""


@dataclass(frozen=True)
class LabelMeaning:
    """What the classes of a data set stand for, as its source declares it.

    Args:
        healthy: In words; ``""`` if the source does not say, ``NOBODY`` if the class is empty by design.
        abnormal: The same for the other class.
        controls: Whether the healthy class holds people (or simulated brains) without the disease; ``None`` if the
            source does not say.
    """

    healthy: str = ""
    abnormal: str = ""
    controls: bool | None = None
