"""Base class of methods that harmonise images."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray


@dataclass(frozen=True)
class Brain:
    """One subject's volumes, the input of image harmonisation.

    Attributes:
        volume: (C, X, Y, Z), scaled intensities, 0 outside the mask.
        mask: (X, Y, Z) boolean.
        voxel_mm: (3,) voxel size of this grid in mm (R, A, S).
        spacing_mm: (C, 3) spacing in mm, along the same axes, with which each modality was acquired.
    """

    volume: NDArray
    mask: NDArray
    voxel_mm: NDArray
    spacing_mm: NDArray


class ImageHarmoniser(ABC):
    """Harmonises the images of every subject with parameters estimated from healthy training brains."""

    def fit(self, brains: Iterable[Brain]) -> Self:
        """Estimate the parameters from the healthy brains with the role ``train``, which can be gone through once."""
        return self

    def reaches(self, brain: Brain) -> bool:
        """Return whether this brain can be harmonised; otherwise it passes unchanged."""
        return True

    @abstractmethod
    def apply(self, brain: Brain) -> NDArray:
        """Return the harmonised volume (C, X, Y, Z), float32, 0 outside the mask."""

    def state(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        return {}

    def restore(self, state: dict[str, Any]) -> Self:
        """Restore the parameters returned by :meth:`state`."""
        return self
