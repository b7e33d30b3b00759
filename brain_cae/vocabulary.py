"""The allowed words of tables and configurations, each list defined once, and what the classes of a data set mean."""

from collections.abc import Iterable
from dataclasses import dataclass

MODALITIES = ("t1", "t2", "flair", "t1ce")

CLASSES = ("healthy", "abnormal")
LABELS = (*CLASSES, "unknown")

ROLES = ("train", "validation", "classifier", "test")
HEALTHY_ROLES = ROLES[:2]
"""Healthy brains only: the network is trained on them and calibrated with them."""
UNSEEN_ROLES = ROLES[2:]
"""Healthy and abnormal brains, used neither to train nor to calibrate the network."""

SKULL_STATES = ("on", "stripped", "unknown")
STRIPPED_BY = ("", "delivered", "mask", "deepbet", "hd_bet", "synthstrip")
"""Empty: not stripped, or unknown; delivered: stripped before it came here; mask: by a brain mask of the data set."""

PLANES = ("sagittal", "coronal", "axial")
"""Ordered by their normals, the axes R, A, S."""

NOBODY = "nobody"
"""The meaning of a class that a data set does not have."""


class Serious(str):
    """A caution under which scores or figures mean little or nothing: it stands before everything else.

    Args:
        text: The caution.
        subjects: Those whose scores it is about; none: all.
    """

    subjects: frozenset[str]

    def __new__(cls, text: str, subjects: Iterable[str] = ()) -> "Serious":
        """Return the caution as text, with its subjects."""
        caution = super().__new__(cls, text)
        caution.subjects = frozenset(subjects)
        return caution


@dataclass(frozen=True)
class LabelMeaning:
    """What the classes of a data set mean, as its source declares it.

    Args:
        healthy: Description of the class; ``""`` if the source gives none, ``NOBODY`` if the class is empty by design.
        abnormal: The same for the other class.
        controls: Whether the healthy class consists of people (or simulated brains) without the disease; ``None`` if
            the source does not say.
    """

    healthy: str = ""
    abnormal: str = ""
    controls: bool | None = None
