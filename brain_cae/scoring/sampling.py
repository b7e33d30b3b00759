"""Where a smooth map is evaluated: at every k-th voxel, as densely as its smoothness asks for.

After Gaussian smoothing a map holds nothing finer than its standard deviation. At 1 mm, with the 4 mm of the default,
an eighth of the voxels say what all of them say, and everything up to the score costs an eighth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import ndimage

from brain_cae.arrays.separable import along_axes, interpolation
from brain_cae.arrays.voxels import at_voxels


def step_of(side_mm: float, sigma_mm: float, density: float) -> int:
    """Return the distance of two samples in voxels, with at least ``density`` of them in a standard deviation; 0: 1.

    Rotation matrices leave voxels of 1.00000001 mm behind, so sides are taken as a little smaller.
    """
    return max(1, int(1.001 * sigma_mm / (density * side_mm))) if density else 1


@dataclass(frozen=True)
class Sampling:
    """Every k-th voxel of a grid.

    Attributes:
        mask: (X, Y, Z) boolean, the brain on the grid.
        steps: Distance of two samples in voxels, for each axis; 1 takes every voxel.
    """

    mask: np.ndarray
    steps: tuple[int, int, int] = (1, 1, 1)

    @classmethod
    def of(cls, mask: np.ndarray, spacing: Sequence[float], sigma_mm: float, density: float) -> "Sampling":
        """Return the sampling for maps that were smoothed.

        Args:
            mask: (X, Y, Z) boolean.
            spacing: Voxel size in mm (X, Y, Z).
            sigma_mm: Standard deviation of the smoothing in mm.
            density: Fewest samples in one standard deviation, along each axis; 0: every voxel. So is every voxel of a
                mask that is so thin that all samples miss it.
        """
        x, y, z = (step_of(side, sigma_mm, density) for side in spacing)
        chosen = cls(mask, (x, y, z))
        return chosen if chosen.inside.any() else cls(mask)

    @property
    def is_whole(self) -> bool:
        """Whether every voxel is a sample."""
        return self.steps == (1, 1, 1)

    @property
    def places(self) -> tuple[slice, slice, slice]:
        """The samples along each axis."""
        x, y, z = (slice(step // 2, None, step) for step in self.steps)
        return x, y, z

    @property
    def inside(self) -> np.ndarray:
        """The mask at the samples, (X', Y', Z')."""
        return self.mask[self.places]

    @property
    def to_grid(self) -> np.ndarray:
        """(4, 4), from indices of samples to voxels of the grid."""
        affine = np.diag([*map(float, self.steps), 1.0])
        affine[:3, 3] = [step // 2 for step in self.steps]
        return affine

    @cached_property
    def _nearest(self) -> np.ndarray:
        """(X', Y', Z'), for each sample the number of the nearest one inside of the mask."""
        nearest = ndimage.distance_transform_edt(~self.inside, return_distances=False, return_indices=True)
        number = np.zeros(self.inside.shape, np.intp)
        number[self.inside] = np.arange(np.count_nonzero(self.inside))
        return number[tuple(nearest)]

    def at_all_voxels(self, values: np.ndarray) -> np.ndarray:
        """Return values (C, n) at the voxels of the mask, interpolated linearly from values (C, n') at its samples.

        Beyond the outermost samples of the mask, the nearest one counts.
        """
        if self.is_whole:
            return values
        samples = np.asarray(values, np.float32)[:, self._nearest]
        grid = zip(self.mask.shape, self.steps, samples.shape[1:], strict=True)
        matrices = [
            interpolation((np.arange(size) - step // 2) / step, count) if step > 1 else None
            for size, step, count in grid
        ]
        return at_voxels(along_axes(torch.from_numpy(samples), matrices).numpy(), self.mask)
