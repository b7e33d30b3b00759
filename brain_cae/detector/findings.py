"""Findings: everything that a fitted model reports about one brain."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.metrics.regression import compute_ssim_and_cs

from brain_cae.data.preprocess import PreparedSubject
from brain_cae.detector.build import network_stride
from brain_cae.detector.detector import Detector, Reconstruction
from brain_cae.reshape import Group
from brain_cae.reshape.measures import anisotropy_mm, network_spacing, round_trip_l1, scale_ratio
from brain_cae.reshape.network import network_shape
from brain_cae.scoring.localisation import Localisation, localise

SSIM_WINDOW = 7
"""Side of the window of structural similarity in voxels; NaN for volumes that are thinner."""


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


def examine(detector: Detector, subject: PreparedSubject) -> tuple[Findings, np.ndarray, np.ndarray]:
    """Reconstruct and score one brain.

    Returns:
        The findings, the directed maps (C, X, Y, Z) and the joint map (X, Y, Z) of the residual score.
    """
    reconstruction = detector.reconstruct(subject)
    signals = detector.signals(subject, reconstruction)
    lesion = subject.lesion is not None and bool((subject.lesion & subject.mask).any())
    scores, p_values, localisation = {}, {}, {}
    joints = {}
    for name, scorer in detector.scorers.items():
        joints[name] = scorer.joint(signals[scorer.signal])
        scores[name] = scorer.score(joints[name], subject.mask)
        p_values[name] = scorer.calibration.p_value(scores[name])
        if lesion and subject.lesion is not None:
            threshold = scorer.calibration.voxel_threshold
            localisation[name] = localise(joints[name], subject.lesion, subject.mask, threshold=threshold)
    maps = detector.scorers["residual"].maps(signals["residual"])
    findings = Findings(
        subject=subject.subject,
        group=reconstruction.group,
        scores=scores,
        p_values=p_values,
        localisation=localisation,
        features=detector.features(reconstruction, maps, subject.mask),
        reconstruction=_fidelity(subject, reconstruction),
        distortion=_distortion(detector, subject, reconstruction.group),
    )
    return findings, maps, joints["residual"]


def _fidelity(subject: PreparedSubject, reconstruction: Reconstruction) -> dict[str, float]:
    volume = reconstruction.volume
    difference = np.abs(subject.volume - volume)[:, subject.mask]
    similarity = float("nan")
    if min(subject.native_shape) >= SSIM_WINDOW:
        output, truth = (torch.from_numpy(np.where(subject.mask, v, 0)[None]) for v in (volume, subject.volume))
        local, _ = compute_ssim_and_cs(
            output,
            truth,
            spatial_dims=3,
            kernel_size=(SSIM_WINDOW,) * 3,
            kernel_sigma=(1.5,) * 3,
            data_range=float(subject.volume.max()),
            kernel_type="uniform",
        )
        # The SSIM map has no values within half a window of the border.
        half = SSIM_WINDOW // 2
        inside = subject.mask[half:-half, half:-half, half:-half]
        similarity = float(local[0].numpy()[:, inside].mean()) if inside.any() else similarity
    return {"l1": float(difference.mean()), "ssim": similarity}


def _distortion(detector: Detector, subject: PreparedSubject, group: Group) -> dict[str, Any]:
    native, spacing, stride = subject.native_shape, subject.spacing, network_stride(detector.network)
    volume, mask = torch.from_numpy(np.asarray(subject.volume)), torch.from_numpy(subject.mask)
    return {
        "scale_ratio": scale_ratio(native, group.size),
        "anisotropy_mm": anisotropy_mm(native, group.size, spacing),
        "network_spacing": network_spacing(native, group.size, spacing),
        "voxels": math.prod(network_shape(group, stride)),
        "round_trip_l1": round_trip_l1(volume, mask, group, stride),
    }
