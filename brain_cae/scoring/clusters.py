"""Clusters of abnormal voxels: connected voxels of the joint map above the voxel threshold.

The statistic of a cluster is its mass, the sum of what exceeds the threshold (Bullmore et al. 1999, IEEE TMI 18:32): it
weighs how large a cluster is and how far it lies above the threshold. Its p-value counts the healthy brains whose
largest cluster has at least this mass, so that it holds for all clusters of a brain together.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Cluster:
    """Voxels above the threshold that share faces.

    Attributes:
        mass: Sum of (value - threshold) over its voxels, times the volume of a voxel in mL.
        volume_ml: Volume in mL.
        peak: Largest value.
        centre: Centre of its mass, in voxels of the map.
    """

    mass: float
    volume_ml: float
    peak: float
    centre: tuple[float, float, float]


@dataclass(frozen=True)
class LesionCounts:
    """Overlap of clusters with known lesions; any shared voxel counts.

    Attributes:
        lesions: Connected parts of the known lesion.
        found: Those that a cluster touches.
        clusters: Clusters.
        hits: Those that touch a lesion.
        lesion_ml: Volume of the known lesion in mL.
    """

    lesions: int
    found: int
    clusters: int
    hits: int
    lesion_ml: float


def find_clusters(
    values: np.ndarray, mask: np.ndarray, threshold: float, voxel_ml: float
) -> tuple[np.ndarray, list[Cluster]]:
    """Return the clusters of a joint map, the largest mass first.

    Args:
        values: (n,), the joint map at the voxels of the mask.
        mask: (X, Y, Z) boolean.
        threshold: Voxel threshold.
        voxel_ml: Volume of a voxel in mL.

    Returns:
        The number of the cluster at each voxel (X, Y, Z), from 1 in the order of the list, 0 outside; and the clusters.
    """
    excess = np.zeros(mask.shape, np.float32)
    excess[mask] = np.maximum(values - threshold, 0)
    labels, count = ndimage.label(excess)
    if not count:
        return labels, []
    # Few voxels lie in clusters: sums over these alone are several times as fast as those over the whole grid.
    places = np.nonzero(labels)
    numbers, weights = labels[places], excess[places].astype(float)
    sums = np.bincount(numbers, weights)[1:]
    order = np.argsort(-sums, kind="stable")
    new = np.zeros(count + 1, labels.dtype)
    new[order + 1] = np.arange(1, count + 1)
    labels[places] = new[numbers]
    sizes = np.bincount(numbers)[1:]
    peaks = np.zeros(count + 1)
    np.maximum.at(peaks, numbers, weights)
    centres = np.stack([np.bincount(numbers, weights * axis)[1:] / sums for axis in places], axis=1)
    return labels, [
        Cluster(
            mass=float(sums[one] * voxel_ml),
            volume_ml=float(sizes[one] * voxel_ml),
            peak=float(peaks[one + 1] + threshold),
            centre=(float(centres[one, 0]), float(centres[one, 1]), float(centres[one, 2])),
        )
        for one in order
    ]


def largest_mass(values: np.ndarray, mask: np.ndarray, threshold: float, voxel_ml: float) -> float:
    """Return the mass of the largest cluster, see :func:`find_clusters`; 0 without any."""
    excess = np.zeros(mask.shape, np.float32)
    excess[mask] = np.maximum(values - threshold, 0)
    labels, count = ndimage.label(excess)
    places = np.nonzero(labels)
    return float(np.bincount(labels[places], excess[places]).max() * voxel_ml) if count else 0.0


def count_lesions(labels: np.ndarray, truth: np.ndarray, voxel_ml: float) -> LesionCounts:
    """Compare clusters, numbered as by :func:`find_clusters`, with a known lesion (X, Y, Z) boolean.

    ``voxel_ml`` is the volume of a voxel in mL.
    """
    parts, lesions = ndimage.label(truth)
    both = (labels > 0) & (parts > 0)
    found, hits = len(np.unique(parts[both])), len(np.unique(labels[both]))
    return LesionCounts(lesions, found, int(labels.max()), hits, float(truth.sum() * voxel_ml))
