"""The detector: everything that is needed to score a new brain."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from imblearn.pipeline import Pipeline
from torch import nn
from torch.nn import functional

from brain_cae.configuration import Config
from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.build import make_scorer, network_stride
from brain_cae.harmonise import ImageHarmoniser, Unharmonised
from brain_cae.reshape import Group, Reshape
from brain_cae.reshape.network import from_network, to_native, to_network
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.scoring.frame import box_in_frame, place_in_frame, to_frame
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.scorer import Framed, Sample, Scorer, Signal
from brain_cae.scoring.smoothing import smooth_inside
from brain_cae.transfer.features import distance_features, encoder_features, residual_features

BRAINS_FOR_VOXELS = 50
"""Brains of the reference whose voxels give the voxel threshold; each is compared with all others."""
FEATURE_FRAME = (8, 8, 8)
"""Dimensions of the shared frame in which encoder levels are compared; similar to those of the bottleneck."""


@dataclass(frozen=True)
class Reconstruction:
    """Output of the network for one brain.

    Attributes:
        volume: (C, X, Y, Z), reconstruction on the native grid of the brain.
        levels: Feature maps (C, x, y, z) of each encoder level, with the foreground (x, y, z, boolean) on the same
            grid; the bottleneck has the empty name. A network without ``levels`` has only the bottleneck.
        group: Reshape group.
        places: Where the native grid (``volume``) and those of the levels lie in the shared frame; empty if the frame
            is the box of the mask.
    """

    volume: np.ndarray
    levels: dict[str, tuple[np.ndarray, np.ndarray]]
    group: Group
    places: dict[str, np.ndarray] = field(default_factory=dict)


class Each(Protocol):
    """Applies a function to items, here or in other processes, and returns the results in their order."""

    def __call__(self, function: Callable[[Any], Any], items: Sequence[Any], task: str, /) -> list[Any]:
        """Return the results; ``task`` names the work for progress and messages."""
        ...


@dataclass
class Detector:
    """Network, reshape strategy, calibrated healthy references, protocols, and the transfer classifier.

    Attributes:
        config: Configuration of the run.
        network: The autoencoder in evaluation mode.
        reshape: Fitted reshape strategy.
        scorers: Scorers by name, see ``scoring.scores``; calibrated on the healthy validation brains.
        protocols: Groups of protocols of the run's cohort.
        known_protocols: Protocols of the brains used for training or calibration.
        skull: Skull states of the calibration brains: ``on``, ``stripped``, ``unknown``.
        seen: Role (``train``, ``validation`` or ``classifier``) of each scan used for training or calibration, by hash
            of its content.
        cautions: Cautions that apply to every result of this model.
        cost: Cost of the training: see :class:`brain_cae.models.cost.Cost`.
        harmoniser: Image harmonisation; applied to every brain before it is passed to this class.
        classifier: Fitted on all labelled subjects that the autoencoder has not seen, except those of a held-out
            protocol; None without both classes.
        encoder_references: Voxelwise reference of healthy brains for each encoder level.
        calibration: ``split`` or ``leave_one_out``, see :meth:`calibrate`.
    """

    config: Config
    network: nn.Module
    reshape: Reshape
    scorers: dict[str, Scorer]
    protocols: ProtocolGroups
    known_protocols: list[str]
    skull: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    cautions: list[str] = field(default_factory=list)
    cost: dict[str, float | None] = field(default_factory=dict)
    harmoniser: ImageHarmoniser = field(default_factory=Unharmonised)
    classifier: Pipeline | None = None
    encoder_references: dict[str, HealthyReference] = field(default_factory=dict)
    calibration: str = "leave_one_out"

    def reconstruct(self, subject: PreparedSubject) -> Reconstruction:
        """Reconstruct one brain on the device of the network."""
        group = self.reshape.group(subject.grid)
        stride, native, start = network_stride(self.network), subject.native_shape, subject.start
        foreground = subject.mask
        box = foreground.shape
        volume = to_network(torch.from_numpy(subject.volume), group, stride, native=native, start=start)
        mask = to_network(torch.from_numpy(foreground[None]), group, stride, native=native, start=start)
        volume = volume.to(next(self.network.parameters()).device)
        with torch.inference_mode():
            if hasattr(self.network, "levels"):
                encoded = self.network.levels(volume[None])  # type: ignore[operator]
            else:
                encoded = [self.network.encode(volume[None])]  # type: ignore[operator]
            output = self.network.decode(encoded[-1])[0].float().cpu()  # type: ignore[operator]
        names = [*(f"level{number}" for number in range(1, len(encoded))), ""]
        levels = {name: _with_mask(maps[0].float().cpu(), mask) for name, maps in zip(names, encoded, strict=True)}
        return Reconstruction(
            volume=from_network(output, group, native, start=start, shape=box).numpy(),
            levels=levels,
            group=group,
            places=self._places(subject, group, {name: maps.shape[1:] for name, (maps, _) in levels.items()}),
        )

    def _places(
        self, subject: PreparedSubject, group: Group, levels: dict[str, tuple[int, int, int]]
    ) -> dict[str, np.ndarray]:
        if self.config.preprocess.space != "mni":
            return {}
        if subject.to_template is not None:
            place = place_in_frame(subject.affine, subject.to_template)
        else:
            place = box_in_frame(subject.mask)
        of_native = np.eye(4)
        of_native[:3, 3] = [-first for first in subject.start]
        native, stride = subject.native_shape, network_stride(self.network)
        return {"volume": place} | {
            name: place @ of_native @ to_native(group, native, stride, shape) for name, shape in levels.items()
        }

    def features(self, reconstruction: Reconstruction, maps: np.ndarray) -> dict[str, float]:
        """Return the features of one brain for the transfer classifier, a row of ``features.csv``.

        Their number does not depend on the shape of the volume.

        Args:
            reconstruction: See :meth:`reconstruct`.
            maps: (C, n), directed z-scores of the residual inside the mask.
        """
        features: dict[str, float] = {}
        for level, encoded in reconstruction.levels.items():
            reference = self.encoder_references[level]
            framed, inside = to_frame(*encoded, FEATURE_FRAME, reconstruction.places.get(level))
            z = (framed - reference.mean) / (reference.spread * reference.factor(reconstruction.group.name))
            features |= encoder_features(*encoded, level=level) | distance_features(z, inside, level=level)
        return features | residual_features(maps, self.config.modality.names)

    def signals(self, subject: PreparedSubject, reconstruction: Reconstruction) -> dict[str, Signal]:
        """Return the inputs of the scorers: the smoothed residual x - x̂ and the smoothed intensity."""
        volume, mask, sigma = subject.volume, subject.mask, self.config.scoring.smoothing_mm
        # Smoothed together: what leaks out of the mask is the same for both.
        both = smooth_inside(np.concatenate([volume - reconstruction.volume, volume]), mask, subject.spacing, sigma)
        name, place = reconstruction.group.name, reconstruction.places.get("volume")
        voxel_ml = float(np.prod(subject.spacing)) / 1000
        residual, intensity = (Signal(maps, mask, name, place, voxel_ml) for maps in np.split(both, 2))
        return {"residual": residual, "intensity": intensity}

    def calibrate(
        self,
        healthy: Sequence[PreparedSubject],
        *,
        reference: Sequence[PreparedSubject] | None = None,
        each: Each | None = None,
    ) -> None:
        """Fit encoder references, and the reference, calibration scores and thresholds of every scorer.

        Brains of the references are read twice, first for the references, then to compare each with the others, so
        that only the small volumes of the shared frame are kept of all of them.

        Args:
            healthy: Brains that the network was not trained on; their scores calibrate.
            reference: Other healthy brains, to which all are compared and whose voxels give the voxel threshold: split
                conformal prediction, exact if ``healthy`` and new healthy brains are exchangeable. None: each brain of
                ``healthy`` is compared with the others of them (leave-one-out), an approximation for few brains.
            each: Applies a function to items and returns the results in their order; None: one after the other.
        """
        each = each or (lambda function, items, task: [function(item) for item in items])
        self.scorers = {name: make_scorer(name, self.config) for name in self.config.scoring.scores}
        self.calibration = "leave_one_out" if reference is None else "split"
        compared = healthy if reference is None else reference
        framed = each(_framed, [(self, subject) for subject in compared], "references")
        self.encoder_references = {
            name: HealthyReference.fit(
                np.stack([levels[name].maps for levels, _ in framed]),
                np.stack([levels[name].mask for levels, _ in framed]),
                [levels[name].group for levels, _ in framed],
                shrinkage=self.config.scoring.shrinkage,
            )
            for name in framed[0][0]
        }
        signals = {name: [brain[scorer.signal] for _, brain in framed] for name, scorer in self.scorers.items()}
        some = healthy if reference is None else reference[:BRAINS_FOR_VOXELS]
        held_out = each(_sample, _HeldOut(self, some, signals), "voxel threshold")
        for name, scorer in self.scorers.items():
            scorer.set_voxel_threshold([brain[name] for brain in held_out])
            scorer.learn(signals[name])
        jobs: Sequence[Any] = _HeldOut(self, healthy, signals)
        if reference is not None:
            jobs = [(self, subject, number, self.scorers) for number, subject in enumerate(healthy)]
        scored = each(_sample, jobs, "calibrate")
        for name, scorer in self.scorers.items():
            scorer.calibrate([brain[name] for brain in scored])

    @property
    def training_brains(self) -> int:
        """Number of healthy brains that the network was trained with."""
        scans = sum(role == "train" for role in self.seen.values())
        brains = -(-scans // max(len(self.config.modality.names), 1))
        return brains if self.config.overfit_subjects is None else min(brains, self.config.overfit_subjects)

    @property
    def guarantee(self) -> Guarantee:
        """The rule that decides which brains are flagged."""
        scoring = self.config.scoring
        return Guarantee(scoring.guarantee, scoring.alpha, scoring.confidence)

    @property
    def on_gpu(self) -> bool:
        """Whether the network is on a GPU, which other processes cannot share."""
        return next(self.network.parameters()).device.type != "cpu"

    @property
    def baselines(self) -> list[str]:
        """Scores that do not look at the network."""
        return [name for name, scorer in self.scorers.items() if scorer.signal == "intensity"]

    def unlike_skull(self, state: str) -> bool:
        """Return whether the skull state differs from those of the calibration brains; False if any is unknown."""
        comparable = bool(self.skull) and "unknown" not in [*self.skull, state]
        return comparable and state not in self.skull

    def fingerprint(self) -> str:
        """Return a hash of everything that the findings depend on: weights, references, configuration."""
        arrays, facts = self.learnt()
        arrays |= {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        config = self.config
        chosen = [
            config.model.network,
            asdict(config.reshape),
            asdict(config.scoring),
            config.modality.names,
            config.preprocess.space,
        ]
        digest = hashlib.sha256(json.dumps([facts, chosen], sort_keys=True).encode())
        for name in sorted(arrays):
            digest.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()[:32]

    def learnt(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the fitted state of reshape strategy, scorers and encoder references: arrays, and values for JSON."""
        arrays: dict[str, np.ndarray] = {}
        facts: dict[str, Any] = {"reshape": self.reshape.state()}
        for name, scorer in self.scorers.items():
            state, facts[name] = scorer.state()
            arrays |= {f"{name}.{key}": value for key, value in state.items()}
        facts["encoder_factors"] = {level: reference.factors for level, reference in self.encoder_references.items()}
        for level, reference in self.encoder_references.items():
            arrays |= {f"encoder:{level}.mean": reference.mean, f"encoder:{level}.spread": reference.spread}
        return arrays, facts


def _framed(job: tuple[Detector, PreparedSubject]) -> tuple[dict[str, Framed], dict[str, Framed]]:
    """Return encoder levels and signals of a healthy brain in their shared frames."""
    detector, subject = job
    subject = subject.in_memory()
    reconstruction = detector.reconstruct(subject)
    levels = {
        name: Framed(*to_frame(*level, FEATURE_FRAME, reconstruction.places.get(name)), reconstruction.group.name)
        for name, level in reconstruction.levels.items()
    }
    x, y, z = detector.config.scoring.frame
    return levels, {
        name: signal.framed((x, y, z)) for name, signal in detector.signals(subject, reconstruction).items()
    }


@dataclass(frozen=True)
class _HeldOut(Sequence[tuple[Detector, PreparedSubject, int, dict[str, Scorer]]]):
    """For each healthy brain the scorers that compare it with the others, made when they are asked for."""

    detector: Detector
    healthy: Sequence[PreparedSubject]
    framed: dict[str, list[Framed]]

    def __len__(self) -> int:
        return len(self.healthy)

    def __getitem__(self, number: Any) -> Any:
        scorers = {name: scorer.held_out(self.framed[name], number) for name, scorer in self.detector.scorers.items()}
        return self.detector, self.healthy[number], number, scorers


def _sample(job: tuple[Detector, PreparedSubject, int, dict[str, Scorer]]) -> dict[str, Sample]:
    """Return scores and random voxels of a healthy brain that is compared with the others."""
    detector, subject, number, scorers = job
    subject = subject.in_memory()
    signals = detector.signals(subject, detector.reconstruct(subject))
    seed = [detector.config.seed, number]
    return {name: scorer.sample(signals[scorer.signal], seed=seed) for name, scorer in scorers.items()}


def _with_mask(maps: torch.Tensor, mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return maps (C, x, y, z) and the foreground (1, X, Y, Z) on their grid; the whole grid if it is empty there."""
    size = (maps.shape[1], maps.shape[2], maps.shape[3])
    inside = functional.adaptive_avg_pool3d(mask[None], size)[0, 0].numpy() > 0.5
    return maps.numpy(), inside if inside.any() else np.ones_like(inside)
