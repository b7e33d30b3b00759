"""What is suspicious in one brain: clusters of abnormal voxels with their place in the scan and in MNI152."""

from dataclasses import dataclass

import numpy as np
from nibabel.affines import apply_affine

from brain_cae.data.subject import PreparedSubject
from brain_cae.data.template import tissue_priors
from brain_cae.scoring.calibration import Calibration
from brain_cae.scoring.clusters import Cluster, LesionCounts, count_lesions, find_clusters

MIDLINE_MM = 5.0
"""Distance from the midplane within which a cluster's centre lies in neither hemisphere."""


@dataclass(frozen=True)
class Lesion:
    """One cluster of abnormal voxels.

    Attributes:
        volume_ml: Volume in mL.
        mass: See :class:`brain_cae.scoring.clusters.Cluster`.
        peak_z: Largest value of the joint map.
        p_value: See :meth:`brain_cae.scoring.calibration.Calibration.cluster_p_value`.
        centre_mm: Centre in the scan, RAS+ mm.
        mni_mm: The same place in MNI152, RAS+ mm; None without registration.
        hemisphere: ``left``, ``right`` or ``midline``.
        tissue: What most of it is in the template, ``grey``, ``white`` or ``fluid``; empty without registration.
    """

    volume_ml: float
    mass: float
    peak_z: float
    p_value: float | None
    centre_mm: tuple[float, float, float]
    mni_mm: tuple[float, float, float] | None
    hemisphere: str
    tissue: str


def lesions_of(
    subject: PreparedSubject, labels: np.ndarray, clusters: list[Cluster], calibration: Calibration
) -> tuple[list[Lesion], LesionCounts | None]:
    """Describe the clusters of :func:`shown_clusters`; also their overlap with a known lesion, if there is one.

    Args:
        subject: The brain, in memory.
        labels: (X, Y, Z), the number of the cluster at each voxel, from 1.
        clusters: The clusters in that order.
        calibration: Of the score whose joint map it was.
    """
    mask = subject.mask
    middle = apply_affine(subject.affine, np.argwhere(mask).mean(axis=0))
    lesions = [
        _lesion(subject, cluster, labels == number, calibration, float(middle[0]))
        for number, cluster in enumerate(clusters, start=1)
    ]
    truth = subject.lesion
    if not subject.has_lesion or truth is None:
        return lesions, None
    return lesions, count_lesions(labels, truth & mask, _voxel_ml(subject))


def shown_clusters(
    subject: PreparedSubject, joint_map: np.ndarray, calibration: Calibration, alpha: float, share: float = 0.0
) -> tuple[np.ndarray, list[Cluster]]:
    """Return the clusters that a reader should look at, and before them the number of the cluster at each voxel.

    These are the largest cluster and, by falling mass, others with p <= alpha and a share of its mass.

    Args:
        subject: The brain, in memory.
        joint_map: (n,), at the voxels of its mask.
        calibration: Of the score.
        alpha: Rate of healthy brains in which further clusters are shown.
        share: Of the mass of the largest cluster, the least that another must have. Around a large lesion, maps have
            islands that no healthy brain has either.

    Returns:
        Numbers from 1 (X, Y, Z), 0 outside, and the clusters.
    """
    labels, clusters = find_clusters(joint_map, subject.mask, calibration.voxel_threshold, _voxel_ml(subject))
    shown = sum(
        number == 0 or (cluster.mass >= share * clusters[0].mass and _is_rare(cluster, calibration, alpha))
        for number, cluster in enumerate(clusters)
    )
    labels[labels > shown] = 0  # the largest mass comes first, so p-values only rise
    return labels, clusters[:shown]


def _is_rare(cluster: Cluster, calibration: Calibration, alpha: float) -> bool:
    p_value = calibration.cluster_p_value(cluster.mass)
    return p_value is None or p_value <= alpha + 1e-12


def _voxel_ml(subject: PreparedSubject) -> float:
    return float(np.prod(subject.spacing)) / 1000


def _lesion(
    subject: PreparedSubject, cluster: Cluster, inside: np.ndarray, calibration: Calibration, middle_mm: float
) -> Lesion:
    centre = apply_affine(subject.affine, np.asarray(cluster.centre))
    mni = None if subject.to_template is None else apply_affine(subject.to_template, centre)
    # In the template the midplane is at 0; in a scan it goes through the centre of the brain.
    side = float(centre[0]) - middle_mm if mni is None else float(mni[0])
    hemisphere = "midline" if abs(side) <= MIDLINE_MM else "left" if side < 0 else "right"
    return Lesion(
        volume_ml=cluster.volume_ml,
        mass=cluster.mass,
        peak_z=cluster.peak,
        p_value=calibration.cluster_p_value(cluster.mass),
        centre_mm=_rounded(centre),
        mni_mm=None if mni is None else _rounded(mni),
        hemisphere=hemisphere,
        tissue="" if subject.to_template is None else _tissue(subject, inside),
    )


def _tissue(subject: PreparedSubject, inside: np.ndarray) -> str:
    """Return the tissue of the template with the largest share of the voxels; empty if none covers them."""
    assert subject.to_template is not None
    voxels = np.argwhere(inside)
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    corner = np.eye(4)
    corner[:3, 3] = low
    x, y, z = (int(size) for size in high - low)
    priors = tissue_priors(subject.affine @ corner, (x, y, z), subject.to_template)
    box = inside[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    shares = {name: float(prior[box].sum()) for name, prior in priors.items()}
    return max(shares, key=lambda name: shares[name]) if max(shares.values()) > 0 else ""


def _rounded(place: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (round(float(one), 1) for one in place)
    return x, y, z
