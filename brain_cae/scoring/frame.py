"""The shared frame, in which the same place of two brains has the same position.

Without registration it is each brain's foreground box, resized to one size. With the place of a brain in MNI152 it is a
box around the template's brain. Both work for every reshape group. Positions match to about the width of a sulcus, so
maps are smoothed before they are resampled into the frame.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from brain_cae.arrays.boxes import box_of
from brain_cae.arrays.separable import along_axes, between, resizing
from brain_cae.arrays.voxels import at_voxels

TEMPLATE_BOX = np.array([[-76.0, -110.0, -76.0], [76.0, 76.0, 84.0]])
"""Two corners (RAS+ mm) of a box around the brain of MNI152."""

BETWEEN = 0.6
"""Largest distance of two samples of the frame, in its voxels, when its values are brought to a finer grid."""


def place_in_frame(affine: np.ndarray, to_template: np.ndarray) -> np.ndarray:
    """Return where a grid lies in the frame: (4, 4), from its voxels to the unit cube that is the frame.

    Args:
        affine: (4, 4), from voxels to RAS+ mm of the scan.
        to_template: (4, 4), from there to MNI152.
    """
    low, high = TEMPLATE_BOX
    unit = np.diag([*(1 / (high - low)), 1.0])
    unit[:3, 3] = -low / (high - low)
    return unit @ to_template @ affine


def box_in_frame(mask: np.ndarray) -> np.ndarray:
    """Return the place of a brain that does not match the template: the box of its mask (X, Y, Z) fills the frame."""
    box = box_of(mask)
    sizes = np.array([side.stop - side.start for side in box], float)
    place = np.diag([*(1 / sizes), 1.0])
    place[:3, 3] = (0.5 - np.array([side.start for side in box])) / sizes
    return place


def to_frame(
    maps: np.ndarray, mask: np.ndarray, frame: tuple[int, int, int], place: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Resample maps into the frame.

    Args:
        maps: (C, X, Y, Z).
        mask: (X, Y, Z) boolean, not empty.
        frame: Dimensions of the frame.
        place: See :func:`place_in_frame`; None takes the box of the mask as the frame.

    Returns:
        Maps (C, *frame) float32 and the mask (*frame) boolean.
    """
    if place is not None:
        inside = mask.astype(np.float32)
        stacked = np.concatenate([maps * inside, inside[None]])
        resampled = _resampled(stacked, np.linalg.inv(place) @ np.linalg.inv(_voxels_of(frame)), frame)
        return resampled[:-1] / np.maximum(resampled[-1], 1e-6), resampled[-1] > 0.5
    box = box_of(mask)
    inside = mask[box].astype(np.float32)
    stacked = np.concatenate([maps[(slice(None), *box)] * inside, inside[None]])
    resized = _resized(stacked, frame)
    weight = resized[-1]
    return resized[:-1] / np.maximum(weight, 1e-6), weight > 0.5


def from_frame(
    maps: np.ndarray, mask: np.ndarray, place: np.ndarray | None = None, points: torch.Tensor | None = None
) -> np.ndarray:
    """Return the values of maps (C, *frame) at the voxels of a mask (X, Y, Z): (C, n), in the order of ``mask``.

    ``points`` are :func:`points_in_frame` of mask and place, for callers that bring several maps to one mask.
    """
    if place is None:
        box = box_of(mask)
        inside = mask[box]
        return at_voxels(_resized(maps, inside.shape), inside)
    # What lies in the frame varies over its voxels of about 4 mm: on a finer grid, every second or third voxel is
    # sampled, and those between are interpolated.
    width = np.linalg.norm(place[:3, :3] * np.asarray(maps.shape[1:])[:, None], axis=0)
    steps = np.maximum(1, np.floor(BETWEEN / width)).astype(int)
    if (steps == 1).all():
        return _sampled(maps, points_in_frame(mask, place) if points is None else points, outside="border")
    fill = [between(size, step) for size, step in zip(mask.shape, steps, strict=True)]
    pull = _voxels_of(maps.shape[1:]) @ place @ np.diag([*steps.astype(float), 1.0])
    samples = _resampled(maps, pull, [len(matrix.T) for matrix in fill], outside="border")
    needed = [matrix if step > 1 else None for matrix, step in zip(fill, steps, strict=True)]
    whole = along_axes(torch.from_numpy(samples), needed)
    return at_voxels(whole.numpy(), mask)


def points_in_frame(mask: np.ndarray, place: np.ndarray) -> torch.Tensor:
    """Return where the voxels of a mask (X, Y, Z) lie in the frame: (1, n, 1, 1, 3), as ``grid_sample`` takes them."""
    # PyTorch's coordinates run from -1 to 1 between the outer faces of the frame, with the axes in reverse order.
    unit = np.argwhere(mask).astype(np.float32) @ place[:3, :3].T.astype(np.float32) + place[:3, 3].astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(2 * unit[:, ::-1] - 1))[None, :, None, None]


def _resized(maps: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resize maps (C, X, Y, Z) linearly, without smoothing."""
    matrices = [resizing(size, new) for size, new in zip(maps.shape[1:], shape, strict=True)]
    return along_axes(torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)), matrices).numpy()


def _resampled(maps: np.ndarray, pull: np.ndarray, shape: Sequence[int], *, outside: str = "zeros") -> np.ndarray:
    """Resample maps (C, X, Y, Z) linearly; ``pull`` (4, 4) takes voxels of the result to voxels of the maps."""
    # See :func:`points_in_frame`.
    faces = np.diag([2.0, 2.0, 2.0, 1.0])
    faces[:3, 3] = -1
    source, target = (faces @ np.linalg.inv(_voxels_of(size)) for size in (maps.shape[1:], shape))
    theta = (source @ pull @ np.linalg.inv(target))[[2, 1, 0]][:, [2, 1, 0, 3]]
    grid = functional.affine_grid(torch.from_numpy(theta)[None].float(), [1, 1, *shape], align_corners=False)
    return _sampled(maps, grid, outside=outside).reshape(-1, *shape)


def _sampled(maps: np.ndarray, points: torch.Tensor, *, outside: str) -> np.ndarray:
    """Return maps (C, X, Y, Z) at points (1, …, 3) of ``grid_sample``: (C, n), by linear interpolation."""
    values = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32))[None]
    return functional.grid_sample(values, points, padding_mode=outside, align_corners=False)[0].flatten(1).numpy()


def _voxels_of(frame: Sequence[int]) -> np.ndarray:
    """Return the way from the unit cube to the voxels of a frame with these dimensions, (4, 4)."""
    voxels = np.diag([*map(float, frame), 1.0])
    voxels[:3, 3] = -0.5
    return voxels
