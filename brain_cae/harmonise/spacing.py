"""Spacing: blur every volume to the coarsest spacing with which healthy training brains were acquired."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from brain_cae.harmonise.base import Brain, ImageHarmoniser

FWHM = float(np.sqrt(8 * np.log(2)))
"""Full width at half maximum of a Gaussian, in standard deviations."""
TOLERANCE = 1.05
"""Spacings whose ratio is below this count as equal."""


class Spacing(ImageHarmoniser):
    """Equalises resolution with a Gaussian along each axis whose FWHM is ``sqrt(target² - spacing²)``, in mm.

    The target of a modality is, along each axis (R, A, S), the coarsest spacing among the healthy training brains; a
    voxel is treated as a Gaussian whose FWHM is its size. Squared widths add up, which is how smoothness is equalised
    between scanners (Friedman et al. 2006, NeuroImage 32:1656). The grid does not change. Blurring is restricted to the
    mask (normalised convolution), so that background does not leak in. A volume that is coarser than the target along
    any axis passes unchanged, since detail that was not acquired cannot be restored.
    """

    def __init__(self) -> None:
        self.target_mm = np.empty((0, 3))

    def fit(self, brains: Iterable[Brain]) -> Self:
        """Determine the coarsest spacing (C, 3) in mm."""
        self.target_mm = np.max([brain.spacing_mm for brain in brains], axis=0)
        return self

    def reaches(self, brain: Brain) -> bool:
        """Return whether no volume of the brain is coarser than the target."""
        return not self._coarser(brain).any()

    def apply(self, brain: Brain) -> NDArray:
        """Return the blurred volume on the same grid."""
        blur = np.sqrt(np.clip(self.target_mm**2 - brain.spacing_mm**2, 0, None)) / FWHM / brain.voxel_mm
        blur[self._coarser(brain)] = 0
        return np.stack([_blurred(one, brain.mask, sigma) for one, sigma in zip(brain.volume, blur, strict=True)])

    def _coarser(self, brain: Brain) -> NDArray:
        return np.asarray((brain.spacing_mm > TOLERANCE * self.target_mm).any(axis=1))

    def state(self) -> dict[str, Any]:
        """Return the target of each modality and axis."""
        return {"target_mm": self.target_mm.tolist()}

    def restore(self, state: dict[str, Any]) -> Self:
        """Restore the target."""
        self.target_mm = np.asarray(state["target_mm"], dtype=float)
        return self


def _blurred(values: NDArray, mask: NDArray, sigma: NDArray) -> NDArray:
    if not sigma.any():
        return values
    weight = gaussian_filter(mask.astype(np.float32), sigma, mode="constant")
    blurred = gaussian_filter(np.where(mask, values, 0).astype(np.float32), sigma, mode="constant")
    return np.where(mask, blurred / np.maximum(weight, 1e-6), 0).astype(np.float32)
