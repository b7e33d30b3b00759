"""Findings: everything that a fitted model reports about one brain."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from brain_cae.arrays.voxels import at_voxels
from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.detector import Detector, Reconstruction
from brain_cae.detector.lesions import Lesion, lesions_of, shown_clusters
from brain_cae.reshape import Group
from brain_cae.reshape.measures import anisotropy_mm, network_spacing, round_trip_l1, scale_ratio
from brain_cae.reshape.network import network_shape
from brain_cae.scoring.clusters import LesionCounts
from brain_cae.scoring.guarantee import p_value
from brain_cae.scoring.localisation import Localisation, localise
from brain_cae.scoring.signal import Signal
from brain_cae.scoring.similarity import structural_similarity


@dataclass(frozen=True)
class Findings:
    """Results for one brain, without its maps.

    Attributes:
        subject: Name of the subject.
        group: Reshape group.
        scores: Volume score by scorer.
        ranks: 1 + number of calibration scores at least as high, by scorer.
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
    ranks: dict[str, int]
    p_values: dict[str, float]
    localisation: dict[str, Localisation]
    features: dict[str, float]
    reconstruction: dict[str, float]
    distortion: dict[str, Any]
    lesions: list[Lesion] = field(default_factory=list)
    lesion_counts: LesionCounts | None = None


def examine(detector: Detector, subject: PreparedSubject) -> tuple[Findings, np.ndarray, np.ndarray]:
    """Reconstruct and score one brain.

    Of cross-fitted detectors, scores, maps and the expected brain are the means; all scores are relative to healthy
    brains, or plain values, so they have the same scale. Ranks compare each score with its own fold.

    Returns:
        The findings; and at the voxels of the mask (see :meth:`PreparedSubject.on_grid`) the directed maps (C, n) and
        the joint map (n,) of the residual score.
    """
    subject = subject.in_memory()
    looks = [_look(one, subject) for one in (detector, *detector.folds)]
    first, scoring = looks[0], detector.config.scoring
    shown = {"alpha": scoring.alpha, "share": scoring.cluster_share}
    truth = subject.lesion[subject.mask] if subject.has_lesion else None
    scores, ranks, p_values, localisation = {}, {}, {}, {}
    joints, clusters = {}, {}
    for name, scorer in detector.scorers.items():
        each = np.array([look.scores[name] for look in looks])
        scores[name] = float(each.mean())
        ranks[name] = scorer.calibration.rank(each)
        p_values[name] = p_value(ranks[name], len(scorer.calibration.scores))
        if truth is not None or name == "residual":
            joints[name] = _mean([look.residual.at_all_voxels(look.joints[name]) for look in looks])
            clusters[name] = shown_clusters(subject, joints[name], scorer.calibration, **shown)
        if truth is not None:
            localisation[name] = localise(joints[name], truth, clusters[name][0][subject.mask] > 0)
    maps = _mean([look.residual.at_all_voxels(look.maps) for look in looks])
    lesions, counts = lesions_of(subject, *clusters["residual"], detector.scorers["residual"].calibration)
    findings = Findings(
        subject=subject.subject,
        group=replace(first.reconstruction.group, known=any(look.reconstruction.group.known for look in looks)),
        scores=scores,
        ranks=ranks,
        p_values=p_values,
        localisation=localisation,
        # Features of different networks cannot be averaged; those of the maps are those of the mean maps.
        features=detector.features(first.reconstruction, maps, first.residual),
        reconstruction=_fidelity(subject, _mean([look.expected for look in looks])),
        distortion=_distortion(detector, subject, first.reconstruction.group),
        lesions=lesions,
        lesion_counts=counts,
    )
    return findings, maps, joints["residual"]


@dataclass(frozen=True)
class _Look:
    """What one detector sees in a brain: directed maps (C, n) of the residual score; joint maps (n,) and all scores.

    Maps are those of the signals, at all voxels or every k-th one; ``expected`` (C, X, Y, Z) is on the whole grid.
    """

    reconstruction: Reconstruction
    residual: Signal
    maps: np.ndarray
    joints: dict[str, np.ndarray]
    scores: dict[str, float]
    expected: np.ndarray


def _look(detector: Detector, subject: PreparedSubject) -> _Look:
    reconstruction = detector.reconstruct(subject)
    signals = detector.signals(subject, reconstruction)
    both = {name: scorer.both(signals[scorer.signal]) for name, scorer in detector.scorers.items()}
    return _Look(
        reconstruction=reconstruction,
        residual=signals["residual"],
        maps=both["residual"][0],
        joints={name: joint_map for name, (_, joint_map) in both.items()},
        scores={name: one.score(both[name][1], signals[one.signal]) for name, one in detector.scorers.items()},
        expected=detector.expected(subject, reconstruction, signals["residual"]),
    )


def _mean(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.mean(arrays, axis=0)


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
