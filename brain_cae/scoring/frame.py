"""The shared frame: each brain's foreground box, resized to one size, so that positions can be compared.

It works for every reshape group and needs no registration. Positions match to about the width of a sulcus, so maps
are smoothed before they are resampled into the frame.
"""

import numpy as np
import torch
from torch.nn import functional

from brain_cae.boxes import box_of


def to_frame(maps: np.ndarray, mask: np.ndarray, frame: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Resample maps into the frame.

    Args:
        maps: (C, X, Y, Z).
        mask: (X, Y, Z) boolean, not empty.
        frame: Dimensions of the frame.

    Returns:
        Maps (C, *frame) float32 and the mask (*frame) boolean.
    """
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


def from_frame(maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Resample maps (C, *frame) back to a brain's native grid (C, X, Y, Z); 0 outside its box."""
    box = box_of(mask)
    size = tuple(part.stop - part.start for part in box)
    resized = functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32))[None],
        size=size,
        mode="trilinear",
        align_corners=False,
    )[0].numpy()
    result = np.zeros((len(maps), *mask.shape), np.float32)
    result[(slice(None), *box)] = resized
    return result
