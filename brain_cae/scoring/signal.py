"""What scorers look at: the smoothed maps of one brain, and healthy brains in the shared frame.

Several scorers look at the same brains: what one of them brings to the voxels or fits, the others share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from brain_cae.arrays.voxels import at_voxels
from brain_cae.scoring.frame import from_frame, to_frame
from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.subspace import HealthySubspace


@dataclass(frozen=True)
class Framed:
    """A brain in the shared frame: maps (C, *frame), mask (*frame), reshape group."""

    maps: np.ndarray
    mask: np.ndarray
    group: str


@dataclass(frozen=True)
class Signal:
    """Smoothed maps of one brain on its native grid.

    Attributes:
        maps: (C, X, Y, Z), 0 outside the mask.
        mask: (X, Y, Z) boolean.
        group: Reshape group.
        place: Where the grid lies in the shared frame, see :func:`brain_cae.scoring.frame.place_in_frame`; None takes
            the box of the mask as the frame.
        spacing: Voxel size in mm (X, Y, Z).
    """

    maps: np.ndarray
    mask: np.ndarray
    group: str
    place: np.ndarray | None = None
    spacing: Sequence[float] = (1.0, 1.0, 1.0)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(np.prod(self.spacing)) / 1000

    def framed(self, frame: tuple[int, int, int]) -> Framed:
        """Return the maps in the shared frame of these dimensions: all that a reference needs of a healthy brain."""
        return Framed(*to_frame(self.maps, self.mask, frame, self.place), self.group)

    @cached_property
    def values(self) -> np.ndarray:
        """(C, n), the maps at the voxels of the mask."""
        return at_voxels(self.maps, self.mask)

    @cached_property
    def _normal(self) -> list[tuple[HealthyReference, np.ndarray]]:
        return []

    def normal(self, reference: HealthyReference) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and spread (C, n) of healthy brains at the voxels of the mask.

        Several scorers look at one signal, most of them with the same reference: each is brought here once.
        """
        here = next((here for known, here in self._normal if known.equals(reference)), None)
        if here is None:
            here = self.from_frame(np.concatenate([reference.mean, reference.spread]))
            self._normal.append((reference, here))
        mean, spread = np.split(here, 2)
        return mean, spread

    @cached_property
    def _closest(self) -> list[tuple[list[HealthySubspace], np.ndarray]]:
        return []

    def closest(self, spaces: list[HealthySubspace], fit: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the closest healthy brain (C, n) at the voxels of the mask; ``fit`` returns it in the frame.

        As for :meth:`normal`, scorers with the same spaces share it.
        """
        for known, here in self._closest:
            if len(known) == len(spaces) and all(a.equals(b) for a, b in zip(known, spaces, strict=True)):
                return here
        here = self.from_frame(fit())
        self._closest.append((spaces, here))
        return here

    def from_frame(self, maps: np.ndarray) -> np.ndarray:
        """Return the values (C, n) of maps (C, *frame) at the voxels of the mask."""
        return from_frame(maps, self.mask, self.place)


class HealthyBrains(Sequence[Framed]):
    """Healthy brains in the shared frame, with what several scorers compute of them."""

    def __init__(self, brains: Sequence[Framed]) -> None:
        self.brains = list(brains)
        self._made: dict[Any, tuple[Any, Any]] = {}

    @classmethod
    def of(cls, brains: Sequence[Framed]) -> "HealthyBrains":
        """Return the brains as such, or as they are if they are already."""
        return brains if isinstance(brains, cls) else cls(brains)

    def __len__(self) -> int:
        return len(self.brains)

    def __getitem__(self, number: Any) -> Any:
        return self.brains[number]

    def made(self, what: Any, details: Any, make: Callable[[], Any]) -> Any:
        """Return the result of ``make``, which is called again only for other details than the last time."""
        if what not in self._made or self._made[what][0] != details:
            self._made[what] = (details, make())
        return self._made[what][1]
