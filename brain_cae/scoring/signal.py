"""What scorers look at: the smoothed maps of one brain, and healthy brains in the shared frame.

Several scorers look at the same brains: what one of them brings to the voxels or fits, the others share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from brain_cae.arrays.voxels import at_voxels
from brain_cae.scoring.frame import box_in_frame, from_frame, points_in_frame, to_frame
from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.sampling import Sampling
from brain_cae.scoring.smoothing import smooth_inside
from brain_cae.scoring.subspace import HealthySubspace


@dataclass(frozen=True)
class Framed:
    """A brain in the shared frame: maps (C, *frame), mask (*frame), reshape group."""

    maps: np.ndarray
    mask: np.ndarray
    group: str


@dataclass(frozen=True)
class Signal:
    """Smoothed maps of one brain on its native grid, or at every k-th voxel of it.

    Attributes:
        maps: (C, X, Y, Z), 0 outside the mask.
        mask: (X, Y, Z) boolean.
        group: Reshape group.
        place: Where the grid lies in the shared frame, see :func:`brain_cae.scoring.frame.place_in_frame`; None takes
            the box of the mask as the frame.
        spacing: Distance of two voxels of the maps in mm (X, Y, Z).
        sampling: Which voxels of the brain these are; None: all of them.
    """

    maps: np.ndarray
    mask: np.ndarray
    group: str
    place: np.ndarray | None = None
    spacing: Sequence[float] = (1.0, 1.0, 1.0)
    sampling: Sampling | None = None

    @classmethod
    def smoothed(
        cls,
        maps: np.ndarray,
        mask: np.ndarray,
        group: str,
        place: np.ndarray | None,
        *,
        spacing: Sequence[float],
        sigma_mm: float,
        density: float,
    ) -> "Signal":
        """Return maps (C, X, Y, Z) smoothed inside the mask, at as many voxels as :meth:`Sampling.of` chooses."""
        sampling = Sampling.of(mask, spacing, sigma_mm, density)
        smooth = smooth_inside(maps, mask, spacing, sigma_mm, sampling)
        if not sampling.is_whole:
            place = (box_in_frame(mask) if place is None else place) @ sampling.to_grid
        spacing = [side * step for side, step in zip(spacing, sampling.steps, strict=True)]
        return cls(smooth, sampling.inside, group, place, spacing, sampling)

    def part(self, channels: slice) -> "Signal":
        """Return some of the maps as a signal of its own."""
        return replace(self, maps=self.maps[channels])

    @property
    def brain(self) -> np.ndarray:
        """The mask with all voxels of the scan."""
        return self.mask if self.sampling is None else self.sampling.mask

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel of the scan in mL."""
        steps = (1, 1, 1) if self.sampling is None else self.sampling.steps
        return float(np.prod(self.spacing) / np.prod(steps)) / 1000

    def at_all_voxels(self, values: np.ndarray) -> np.ndarray:
        """Return values (C, n) or (n,) of this signal at all voxels of the brain, whether it has them or a part."""
        if self.sampling is None:
            return values
        return self.sampling.at_all_voxels(values.reshape(-1, values.shape[-1])).reshape(*values.shape[:-1], -1)

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
        return from_frame(maps, self.mask, self.place, self._points)

    @cached_property
    def _points(self) -> torch.Tensor | None:
        return None if self.place is None else points_in_frame(self.mask, self.place)


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
