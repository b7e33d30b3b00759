"""Four measures of distortion; the first alone would favour clustered reshape."""

from collections.abc import Sequence

import numpy as np
import torch

from brain_cae.arrays.voxels import at_voxels
from brain_cae.reshape.base import Group, Shape
from brain_cae.reshape.network import from_network, to_network


def scale_ratio(native: Shape, resized: Shape) -> float:
    """Return largest over smallest per-axis scale factor in voxels; 1 keeps proportions."""
    factors = np.asarray(resized, float) / np.asarray(native, float)
    return float(factors.max() / factors.min())


def network_spacing(native: Shape, resized: Shape, spacing: Sequence[float]) -> np.ndarray:
    """Return the voxel size of the network's input in mm, (R, A, S)."""
    return np.asarray(spacing, float) * np.asarray(native, float) / np.asarray(resized, float)


def anisotropy_mm(native: Shape, resized: Shape, spacing: Sequence[float]) -> float:
    """Return longest over shortest side in mm of a voxel of the network's input; 1 is isotropic."""
    sides = network_spacing(native, resized, spacing)
    return float(sides.max() / sides.min())


def size_spread_mm(spacings: np.ndarray) -> np.ndarray:
    """Return how much each subject's network voxel differs from the others: largest |log(side / mean side)|.

    Args:
        spacings: (N, 3), network voxel sizes in mm of N subjects.

    Returns:
        (N,): 0 when all subjects share one size; 0.1 is about 10 %.
    """
    logs = np.log(np.asarray(spacings, float))
    return np.abs(logs - logs.mean(axis=0)).max(axis=1)


def round_trip_l1(
    volume: torch.Tensor,
    mask: torch.Tensor,
    group: Group,
    stride: int,
    *,
    native: Shape | None = None,
    start: Shape = (0, 0, 0),
) -> float:
    """Return the mean absolute error of resampling to the network's grid and back, inside the mask in native space.

    Args:
        volume: (C, X, Y, Z) scaled intensities, the whole volume or a box of it.
        mask: (X, Y, Z) boolean.
        group: The volume's target.
        stride: Total stride of the network.
        native: Dimensions of the whole volume; None: those of ``volume``.
        start: Index of the box's first voxel in the whole volume.
    """
    box = (int(volume.shape[1]), int(volume.shape[2]), int(volume.shape[3]))
    there = to_network(volume, group, stride, native=native, start=start)
    back = from_network(there, group, native or box, start=start, shape=box)
    return float(np.abs(at_voxels((back - volume).numpy(), mask.numpy())).mean())
