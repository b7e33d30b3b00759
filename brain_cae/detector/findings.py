"""Findings: everything that a fitted model reports about one brain."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from brain_cae.arrays.voxels import at_voxels
from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.detector import Detector
from brain_cae.detector.lesions import Lesion, lesions_of
from brain_cae.reshape import Group
from brain_cae.reshape.measures import anisotropy_mm, network_spacing, round_trip_l1, scale_ratio
from brain_cae.reshape.network import network_shape
from brain_cae.scoring.clusters import LesionCounts
from brain_cae.scoring.localisation import Localisation, localise
from brain_cae.scoring.similarity import structural_similarity


@dataclass(frozen=True)
class Findings:
    """Results for one brain, without its maps.

    Attributes:
        subject: Name of the subject.
        group: Reshape group.
        scores: Volume score by scorer.
        p_values: Conformal p-value by scorer.
        localisation: Localisation of the lesion by scorer; empty if no lesion is known.
        features: Features for the transfer classifier.
        reconstruction: ``l1`` and ``ssim`` inside the mask, in native space.
        lesions: Clusters of the residual score that a reader should look at, the largest first.
        lesion_counts: How they overlap with the known lesion; None if none is known.
        distortion: Distortion by the reshape strategy; ``network_spacing`` is (3,) in mm, ``voxels`` the size of the
            network input including padding.
    """

    subject: str
    group: Group
    scores: dict[str, float]
    p_values: dict[str, float]
    localisation: dict[str, Localisation]
    features: dict[str, float]
    reconstruction: dict[str, float]
    distortion: dict[str, Any]
    lesions: list[Lesion] = field(default_factory=list)
    lesion_counts: LesionCounts | None = None


def examine(detector: Detector, subject: PreparedSubject) -> tuple[Findings, np.ndarray, np.ndarray]:
    """Reconstruct and score one brain.

    Returns:
        The findings; and at the voxels of the mask (see :meth:`PreparedSubject.on_grid`) the directed maps (C, n) and
        the joint map (n,) of the residual score.
    """
    subject = subject.in_memory()
    reconstruction = detector.reconstruct(subject)
    signals = detector.signals(subject, reconstruction)
    truth = subject.lesion[subject.mask] if subject.has_lesion else None
    scores, p_values, localisation = {}, {}, {}
    maps, joints = {}, {}
    for name, scorer in detector.scorers.items():
        maps[name], joints[name] = scorer.both(signals[scorer.signal])
        scores[name] = scorer.score(joints[name], signals[scorer.signal])
        p_values[name] = scorer.calibration.p_value(scores[name])
        if truth is not None:
            localisation[name] = localise(joints[name], truth, threshold=scorer.calibration.voxel_threshold)
    lesions, counts = lesions_of(
        subject, joints["residual"], detector.scorers["residual"].calibration, detector.config.scoring.alpha
    )
    findings = Findings(
        subject=subject.subject,
        group=reconstruction.group,
        scores=scores,
        p_values=p_values,
        localisation=localisation,
        features=detector.features(reconstruction, maps["residual"], signals["residual"]),
        reconstruction=_fidelity(subject, detector.expected(subject, reconstruction, signals["residual"])),
        distortion=_distortion(detector, subject, reconstruction.group),
        lesions=lesions,
        lesion_counts=counts,
    )
    return findings, maps["residual"], joints["residual"]


def _fidelity(subject: PreparedSubject, expected: np.ndarray) -> dict[str, float]:
    volume, mask = subject.volume, subject.mask
    whole, start = subject.native_shape, subject.start
    return {
        "l1": float(np.abs(at_voxels(volume, mask) - at_voxels(expected, mask)).mean()),
        "ssim": structural_similarity(expected, volume, mask, whole=whole, start=start),
    }


def _distortion(detector: Detector, subject: PreparedSubject, group: Group) -> dict[str, Any]:
    native, spacing, stride = subject.native_shape, subject.spacing, detector.stride
    volume, mask = torch.from_numpy(subject.volume), torch.from_numpy(subject.mask)
    return {
        "scale_ratio": scale_ratio(native, group.size),
        "anisotropy_mm": anisotropy_mm(native, group.size, spacing),
        "network_spacing": network_spacing(native, group.size, spacing),
        "voxels": math.prod(network_shape(group, stride)),
        "round_trip_l1": round_trip_l1(volume, mask, group, stride, native=native, start=subject.start),
    }
