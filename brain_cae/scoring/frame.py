"""The shared frame, in which the same place of two brains has the same position.

Without registration it is each brain's foreground box, resized to one size. With the place of a brain in MNI152 it is a
box around the template's brain. Both work for every reshape group. Positions match to about the width of a sulcus, so
maps are smoothed before they are resampled into the frame.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from brain_cae.boxes import box_of

TEMPLATE_BOX = np.array([[-76.0, -110.0, -76.0], [76.0, 76.0, 84.0]])
"""Two corners (RAS+ mm) of a box around the brain of MNI152."""


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
        resampled = _resampled(stacked, np.linalg.inv(place) @ np.linalg.inv(_voxels_of(frame)), frame, outside="zeros")
        return resampled[:-1] / np.maximum(resampled[-1], 1e-6), resampled[-1] > 0.5
    box = box_of(mask)
    inside = mask[box].astype(np.float32)
    stacked = np.concatenate([maps[(slice(None), *box)] * inside, inside[None]])
    resized = functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(stacked, dtype=np.float32))[None],
        size=frame,
        mode="trilinear",
        align_corners=False,
    )[0].numpy()
    weight = resized[-1]
    return (resized[:-1] / np.maximum(weight, 1e-6)).astype(np.float32), weight > 0.5


def from_frame(maps: np.ndarray, mask: np.ndarray, place: np.ndarray | None = None) -> np.ndarray:
    """Resample maps (C, *frame) back to a brain's native grid (C, X, Y, Z); 0 outside the box of its mask."""
    box = box_of(mask)
    size = tuple(part.stop - part.start for part in box)
    result = np.zeros((len(maps), *mask.shape), np.float32)
    if place is not None:
        corner = np.eye(4)
        corner[:3, 3] = [part.start for part in box]
        pull = _voxels_of(maps.shape[1:]) @ place @ corner
        result[(slice(None), *box)] = _resampled(maps, pull, size, outside="border")
        return result
    resized = functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32))[None],
        size=size,
        mode="trilinear",
        align_corners=False,
    )[0].numpy()
    result[(slice(None), *box)] = resized
    return result


def _resampled(maps: np.ndarray, pull: np.ndarray, shape: Sequence[int], *, outside: str) -> np.ndarray:
    """Resample maps (C, X, Y, Z) linearly; ``pull`` (4, 4) takes voxels of the result to voxels of the maps."""
    # PyTorch's coordinates run from -1 to 1 between the outer faces of a grid, with the axes in reverse order.
    faces = np.diag([2.0, 2.0, 2.0, 1.0])
    faces[:3, 3] = -1
    source, target = (faces @ np.linalg.inv(_voxels_of(size)) for size in (maps.shape[1:], shape))
    theta = (source @ pull @ np.linalg.inv(target))[[2, 1, 0]][:, [2, 1, 0, 3]]
    grid = functional.affine_grid(torch.from_numpy(theta)[None].float(), [1, 1, *shape], align_corners=False)
    values = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32))[None]
    return functional.grid_sample(values, grid, padding_mode=outside, align_corners=False)[0].numpy()


def _voxels_of(frame: Sequence[int]) -> np.ndarray:
    """Return the way from the unit cube to the voxels of a frame with these dimensions, (4, 4)."""
    voxels = np.diag([*map(float, frame), 1.0])
    voxels[:3, 3] = -0.5
    return voxels
