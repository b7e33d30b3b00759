"""Structural similarity of a brain and its reconstruction, inside the mask."""

import numpy as np
from scipy import ndimage

WINDOW = 7
"""Side of the window in voxels."""


def structural_similarity(
    output: np.ndarray,
    truth: np.ndarray,
    mask: np.ndarray,
    *,
    whole: tuple[int, int, int] | None = None,
    start: tuple[int, int, int] = (0, 0, 0),
) -> float:
    """Return the mean structural similarity (SSIM) inside the mask, over channels (Wang et al. 2004, IEEE TIP 13:600).

    The window is uniform, the range of the data is the maximum of ``truth``, and both volumes count as 0 outside the
    mask. Voxels whose window would leave the scan are left out.

    Args:
        output: (C, X, Y, Z), compared with ``truth`` of the same shape.
        truth: (C, X, Y, Z).
        mask: (X, Y, Z) boolean.
        whole: Dimensions of the scan, of which these volumes are a box that holds the mask; None: they are the scan.
        start: Index of the box's first voxel in the scan.

    Returns:
        NaN if the scan is thinner than the window, or no voxel is left.
    """
    half = WINDOW // 2
    inside = mask.copy()
    for axis, size in enumerate(whole or mask.shape):
        place = np.arange(mask.shape[axis]) + start[axis]
        inside &= ((place >= half) & (place < size - half)).reshape([-1 if axis == other else 1 for other in range(3)])
    if not inside.any():
        return float("nan")
    peak = float(truth.max())
    brains = [[np.where(mask, channel, np.float32(0)) for channel in maps] for maps in (output, truth)]
    return float(np.mean([_of_channel(x, y, inside, peak) for x, y in zip(*brains, strict=True)]))


def _of_channel(x: np.ndarray, y: np.ndarray, inside: np.ndarray, peak: float) -> float:
    """Return the mean structural similarity of two volumes (X, Y, Z) at the voxels ``inside``."""
    windows = (x, y, x * x + y * y, x * y)
    mean_x, mean_y, squares, products = (
        ndimage.uniform_filter(one, WINDOW, mode="constant")[inside] for one in windows
    )
    small, smaller = (0.03 * peak) ** 2, (0.01 * peak) ** 2
    squared_means, product_of_means = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    structure = (2 * (products - product_of_means) + small) / (squares - squared_means + small)
    local = structure * (2 * product_of_means + smaller) / (squared_means + smaller)
    return float(local.mean(dtype=np.float64))
