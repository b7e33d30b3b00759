"""The settings that determine every byte of a simulated cohort."""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from brain_cae.errors import ConfigurationError

VERSION = 2
"""Version of the simulator: raise it with every change that alters pixels, headers or labels."""

DIMENSIONS = ("protocols", "varied")
"""Sources of a series' matrix and number of slices."""

ANATOMIES = ("smooth", "varied")
"""How people's brains differ: smooth warps of the template only, or as much as real ones at every scale."""


class Stream(IntEnum):
    """Independent random streams of one subject, so that leaving one part out changes no other."""

    PERSON = 0
    ANATOMY = 1
    HYPERINTENSITY = 2
    LESION = 3
    PROTOCOL = 4
    TISSUE = 5
    ACQUISITION = 6
    DIMENSIONS = 7
    MOTION = 8
    VARIATION = 9


@dataclass(frozen=True)
class PhantomSettings:
    """Settings of a simulated cohort; the same settings give the same bytes.

    Args:
        subjects: Number of subjects.
        seed: Non-negative seed of everything random.
        confounding: From 0 (protocol independent of label) to 1 (protocol always from the label's half).
        abnormal_fraction: Fraction of subjects with label 1; exactly ``round(subjects * abnormal_fraction)``.
        lesions: False leaves every lesion out, with the same labels, anatomy, protocols and noise.
        head_shell: True adds skull and scalp and keeps the noise of the background.
        dimensions: ``protocols``, as each scanner sets them; ``varied``, drawn for each series, see
            :mod:`brain_cae.phantom.dimensions`.
        misalignment_mm: Largest mean displacement of the head between the FLAIR and another series, see
            :mod:`brain_cae.phantom.motion`.
        anatomy: ``smooth``, one template under smooth warps; ``varied``, brains and lesions that differ as real ones
            do, see :mod:`brain_cae.phantom.variation`.

    Raises:
        ConfigurationError: If a value is out of its range.
    """

    subjects: int = 160
    seed: int = 0
    confounding: float = 0.0
    abnormal_fraction: float = 1 / 3
    lesions: bool = True
    head_shell: bool = False
    dimensions: str = "protocols"
    misalignment_mm: float = 0.0
    anatomy: str = "smooth"

    def __post_init__(self) -> None:
        for name, choices in {"dimensions": DIMENSIONS, "anatomy": ANATOMIES}.items():
            if getattr(self, name) not in choices:
                raise ConfigurationError(
                    f"Unknown {name} of the phantom.",
                    expected=" | ".join(choices),
                    found=getattr(self, name),
                    where=f"dataset.{name}",
                )
        limits = {
            "subjects": (1, 99_999),
            "seed": (0, 2**63 - 1),
            "confounding": (0, 1),
            "abnormal_fraction": (0, 1),
            "misalignment_mm": (0, 50),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigurationError(
                    f"The phantom's {name} is out of range.",
                    expected=f"{low} to {high}",
                    found=str(value),
                    where=f"dataset.{name}",
                    advice=f"Set dataset.{name} to a value in that range.",
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, without later additions at their default, so that older cohorts keep their key."""
        settings = asdict(self)
        if self.dimensions == "protocols":
            del settings["dimensions"]
        if self.misalignment_mm == 0:
            del settings["misalignment_mm"]
        if self.anatomy == "smooth":
            del settings["anatomy"]
        return settings

    def key(self) -> str:
        """Return 16 hexadecimal digits that identify these settings and this version of the simulator."""
        content = json.dumps({"version": VERSION, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def labels(self) -> np.ndarray:
        """Return the label of every subject, shape (subjects,): 0 = healthy, 1 = tumour."""
        labels = np.zeros(self.subjects, dtype=int)
        order = np.random.default_rng(np.random.SeedSequence((self.seed,))).permutation(self.subjects)
        labels[order[: round(self.subjects * self.abnormal_fraction)]] = 1
        return labels

    def generator(self, number: int, stream: Stream) -> np.random.Generator:
        """Return the random generator of one part of one subject; it does not depend on the cohort's size."""
        return np.random.default_rng(np.random.SeedSequence((self.seed, number, int(stream))))
