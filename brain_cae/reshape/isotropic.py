"""Resample every volume to one spacing in mm and one box around the brain: no distortion, but no native resolution."""

from typing import Annotated, Any

import numpy as np

from brain_cae.errors import ConfigurationError
from brain_cae.keys import Between
from brain_cae.reshape.base import SMALLEST, Crop, Group, NativeGrid, Reshape, Shape, Tolerance


class Isotropic(Reshape):
    """Resample to cubes of ``spacing_mm``, then crop or pad to one box around the middle of the foreground.

    Dimensions after resampling are rounded, as in nnU-Net (Isensee 2021, Nature Methods 18:203), so a subject's spacing
    differs from ``spacing_mm`` by up to half a voxel over the whole volume.

    Args:
        spacing_mm: Side of a voxel in mm.
        box_mm: Sides (R, A, S) of the box in mm; None: the smallest box that holds the foreground of every training
            volume with ``margin_mm`` around it.
        margin_mm: Room around the largest training foreground in mm, on each side.
        tolerance: A volume whose dimensions differ by more than this (relative, any axis) from every training volume
            is reported as unknown, and so is one whose foreground does not fit into the box.
        crop: See :class:`Reshape`.
    """

    @staticmethod
    def check(choice: Any, key: str) -> None:
        """The box must hold a brain: raises ConfigurationError."""
        least = SMALLEST * choice.spacing_mm
        if choice.box_mm is not None and (len(choice.box_mm) != 3 or min(choice.box_mm) < least):
            raise ConfigurationError(
                f"`{key}.box_mm` is not a valid box.",
                expected=f"three lengths in mm (R, A, S), each at least {least:g}: {SMALLEST} voxels",
                found=str(list(choice.box_mm)),
                where=f"{key}.box_mm",
            )

    def __init__(
        self,
        spacing_mm: Annotated[float, Between(0.1, 20, "a side of a voxel in mm")] = 2.5,
        box_mm: list[float] | None = None,
        margin_mm: Annotated[float, Between(0, 200, "a length in mm, 0 or more")] = 5.0,
        tolerance: Tolerance = 0.25,
        crop: Crop = "foreground",
    ) -> None:
        super().__init__(tolerance, crop)
        self.spacing_mm = float(spacing_mm)
        self.given = box_mm is not None
        self.box_mm = np.asarray(box_mm if box_mm is not None else (0, 0, 0), float)
        self.margin_mm = float(margin_mm)
        self.members = 0

    def fit(self, grids: list[NativeGrid]) -> "Isotropic":
        """Fit the box, unless it is given."""
        self.members = len(grids)
        self.know([grid.shape for grid in grids])
        if not self.given:
            extents = [np.diff(grid.foreground, axis=1)[:, 0] * np.asarray(grid.spacing) for grid in grids]
            self.box_mm = np.max(extents, axis=0) + 2 * self.margin_mm
        return self

    @property
    def target(self) -> Shape:
        """Return the dimensions of the box in voxels."""
        return _shape(np.ceil(self.box_mm / self.spacing_mm - 1e-6))

    def group(self, grid: NativeGrid) -> Group:
        """Return the one group of all volumes, with a window that depends on the foreground."""
        shape, foreground = np.asarray(grid.shape), np.asarray(grid.foreground, float)
        resized = np.maximum(1, np.rint(shape * np.asarray(grid.spacing) / self.spacing_mm))
        first, end = (foreground * (resized / shape)[:, None]).T
        start = np.rint((first + end - self.target) / 2)
        fits = bool((first >= start).all() and (end <= start + self.target).all())
        return Group(
            name="isotropic",
            target=self.target,
            known=fits and self.is_known(grid.shape),
            resized=_shape(resized),
            start=_shape(start),
        )

    def state(self) -> dict[str, Any]:
        """Return the box, the number of training volumes, and their dimensions."""
        return {"box_mm": self.box_mm.tolist(), "members": self.members, "shapes": self.shapes}

    def restore(self, state: dict[str, Any]) -> "Isotropic":
        """Restore a stored state."""
        self.box_mm = np.asarray(state["box_mm"], float)
        self.members = int(state["members"])
        self.know(state["shapes"])
        return self

    def groups(self) -> list[dict[str, Any]]:
        """Return the one group as a row."""
        return [
            {
                "name": "isotropic",
                "target": list(self.target),
                "members": self.members,
                "spacing_mm": self.spacing_mm,
                "box_mm": self.box_mm.round(1).tolist(),
            }
        ]


def _shape(sizes: np.ndarray) -> Shape:
    return int(sizes[0]), int(sizes[1]), int(sizes[2])
