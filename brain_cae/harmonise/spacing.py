"""Spacing: every volume is blurred down to the coarsest that healthy training brains were acquired with."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from brain_cae.harmonise.base import Brain, ImageHarmoniser

FWHM = float(np.sqrt(8 * np.log(2)))
"""Full width at half maximum of a Gaussian, in standard deviations."""
TOLERANCE = 1.05
"""Spacings that differ by less than this count as equal."""


class Spacing(ImageHarmoniser):
    """One resolution for all: a Gaussian along each axis, of width ``sqrt(target² - own²)`` at half maximum, in mm.

    The target of a modality is, along each axis (R, A, S), the coarsest spacing among the healthy training brains; a
    voxel counts as a Gaussian as wide as its side. Widths add in squares, which is how smoothness is equalised between
    scanners (Friedman et al. 2006, NeuroImage 32:1656). The grid stays; inside the mask alone (normalised convolution),
    so that the outline is not blurred in. A volume that is coarser than the target along any axis passes unchanged:
    what was never measured cannot be given back.
    """

    def __init__(self) -> None:
        self.target_mm = np.empty((0, 3))

    def fit(self, brains: Sequence[Brain]) -> Self:
        """Find the coarsest spacing (C, 3) in mm."""
        self.target_mm = np.max([brain.spacing_mm for brain in brains], axis=0)
        return self

    def reaches(self, brain: Brain) -> bool:
        """Whether no volume of the brain is coarser than the target."""
        return not self._coarser(brain).any()

    def apply(self, brain: Brain) -> NDArray:
        """Blurred volume, on the same grid."""
        blur = np.sqrt(np.clip(self.target_mm**2 - brain.spacing_mm**2, 0, None)) / FWHM / brain.voxel_mm
        blur[self._coarser(brain)] = 0
        return np.stack([_blurred(one, brain.mask, sigma) for one, sigma in zip(brain.volume, blur, strict=True)])

    def _coarser(self, brain: Brain) -> NDArray:
        return np.asarray((brain.spacing_mm > TOLERANCE * self.target_mm).any(axis=1))

    def state(self) -> dict[str, Any]:
        """The target by modality and axis."""
        return {"target_mm": self.target_mm.tolist()}

    def restore(self, state: dict[str, Any]) -> Self:
        """Take the target up."""
        self.target_mm = np.asarray(state["target_mm"], dtype=float)
        return self


def _blurred(values: NDArray, mask: NDArray, sigma: NDArray) -> NDArray:
    if not sigma.any():
        return values
    weight = gaussian_filter(mask.astype(np.float32), sigma, mode="constant")
    blurred = gaussian_filter(np.where(mask, values, 0).astype(np.float32), sigma, mode="constant")
    return np.where(mask, blurred / np.maximum(weight, 1e-6), 0).astype(np.float32)
