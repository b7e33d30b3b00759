"""Heads that move between the scans of a session.

A header gives the place of a pixel in the scanner, not in the head. If the head has moved between two scans, their
headers put the same tissue at two places, 1 to 34 mm apart in T1 and FLAIR of five real sessions. Here the FLAIR, on
whose grid the lesion masks lie, is the reference. The header of every other series is moved by a known rigid motion;
its pixels are the same.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from brain_cae.phantom.anatomy import VOXEL_MM, load_atlas
from brain_cae.phantom.protocol import MODALITIES
from brain_cae.phantom.settings import PhantomSettings, Stream

REFERENCE = "flair"

DEGREES_PER_MM = 0.25
"""Largest rotation in degrees for each mm of mean displacement."""


@dataclass(frozen=True)
class Motion:
    """A rigid motion of the head: a rotation about the brain's centre (the scanner's origin), then a translation.

    Args:
        rotation_deg: Rotation vector about the axes x, y, z (RAS+) in degrees, (3,); its length is the angle.
        translation_mm: Translation along x, y, z (RAS+) in mm, (3,).
        displacement_mm: Mean displacement over the template's brain in mm.
    """

    rotation_deg: np.ndarray
    translation_mm: np.ndarray
    displacement_mm: float

    @property
    def affine(self) -> np.ndarray:
        """Return the (4, 4) matrix from a place in the FLAIR to the same tissue's place in this series, RAS+ mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_rotvec(self.rotation_deg, degrees=True).as_matrix()
        matrix[:3, 3] = self.translation_mm
        return matrix


def motion_of(settings: PhantomSettings, number: int, modality: str) -> Motion | None:
    """Return the motion of the head between the FLAIR and another series; None if it did not move.

    The mean displacement d is uniform in [0, ``misalignment_mm``]. The rotation's axis and the translation have uniform
    directions; the angle is uniform in [0, d / 4] degrees (d in mm), and the translation's length is the one that
    results in d. Another ``misalignment_mm`` scales the motions and keeps their directions.

    Args:
        settings: The cohort's settings.
        number: The subject's number, from 0.
        modality: The series. Each has separate random numbers.
    """
    if modality == REFERENCE or settings.misalignment_mm == 0:
        return None
    seed = np.random.SeedSequence((settings.seed, number, int(Stream.MOTION), MODALITIES.index(modality)))
    generator = np.random.default_rng(seed)
    displacement = float(settings.misalignment_mm * generator.random())
    angle = DEGREES_PER_MM * displacement * generator.random()
    axis, direction = (vector / np.linalg.norm(vector) for vector in generator.standard_normal((2, 3)))
    brain = _template_brain()
    turned = Rotation.from_rotvec(angle * axis, degrees=True).apply(brain) - brain

    def excess(length: float) -> float:
        return float(np.linalg.norm(turned + length * direction, axis=1).mean()) - displacement

    # The rotation alone moves the brain by less than a quarter of the displacement, so exactly one length is right.
    length = brentq(excess, 0.0, 2 * displacement, xtol=1e-9)
    return Motion(angle * axis, length * direction, displacement)


@cache
def _template_brain() -> np.ndarray:
    """Return points of the template's brain about its centre, (N, 3) mm, 8 mm apart."""
    atlas = load_atlas()
    index = np.argwhere(atlas.brain[::4, ::4, ::4] > 0.5)
    return atlas.origin_mm + 4 * VOXEL_MM * index - atlas.centre_mm
