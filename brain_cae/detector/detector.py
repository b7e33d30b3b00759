"""The detector: everything that is needed to score a new brain."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from imblearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional

from brain_cae.configuration import Config
from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.build import SUBSPACE, make_scorer, network_stride
from brain_cae.harmonise import ImageHarmoniser, Unharmonised
from brain_cae.reshape import Group, Reshape
from brain_cae.reshape.network import from_network, to_native, to_network
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.scoring.frame import box_in_frame, place_in_frame, to_frame
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.scorer import Sample, Scorer
from brain_cae.scoring.signal import Framed, HealthyBrains, Signal
from brain_cae.scoring.subspace import parts
from brain_cae.transfer.features import distance_features, encoder_features, residual_features

BRAINS_FOR_VOXELS = 50
"""Brains of the reference whose voxels give the voxel threshold; each is compared with those of other parts."""
FEATURE_FRAME = (8, 8, 8)
"""Dimensions of the shared frame in which encoder levels are compared; similar to those of the bottleneck."""


@dataclass(frozen=True)
class Reconstruction:
    """Output of the network for one brain.

    Attributes:
        volumes: (M, C, X, Y, Z), reconstruction by each part of the model on the native grid of the brain; zeros for
            the part without network, whose residual is the image.
        levels: Feature maps (C, x, y, z) of each encoder level, with the foreground (x, y, z, boolean) on the same
            grid; the bottleneck has the empty name. A network without ``levels`` has only the bottleneck, and a model
            without network none.
        group: Reshape group.
        places: Where the native grid (``volume``) and those of the levels lie in the shared frame; empty if the frame
            is the box of the mask.
    """

    volumes: np.ndarray
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
        network: The autoencoder in evaluation mode; None for a model without network.
        reshape: Fitted reshape strategy.
        scorers: Scorers by name, see ``scoring.scores``; calibrated on the healthy validation brains.
        protocols: Groups of protocols of the run's cohort.
        known_protocols: Protocols of the calibration brains.
        skull: Skull states of the calibration brains: ``on``, ``stripped``, ``unknown``.
        sites: Sites of the calibration brains; ``""`` is one that is not recorded.
        local: Whether ``calibrate=`` calibrated, with brains from where the user's patients are scanned.
        seen: Role (``train``, ``validation`` or ``classifier``) of each scan used for training or calibration, by hash
            of its content.
        prints: Fingerprints of the healthy ones of these brains, (n, 512): another hash may be the same brain.
        cautions: Cautions that apply to every result of this model.
        cost: Cost of the training: see :class:`brain_cae.models.cost.Cost`.
        harmoniser: Image harmonisation; applied to every brain before it is passed to this class.
        classifier: Fitted on all labelled subjects that the autoencoder has not seen, except those of a held-out
            protocol; None without both classes.
        encoder_references: Voxelwise reference of healthy brains for each encoder level.
        calibration: ``split`` or ``leave_one_out``, see :meth:`calibrate`; ``crossfit``, see
            :func:`brain_cae.detector.crossfit.crossfitted`.
        members: Further networks in evaluation mode, by name, whose residuals join those of the first.
        folds: Cross-fitted detectors beside this one, which is that of the first fold.
    """

    config: Config
    network: nn.Module | None
    reshape: Reshape
    scorers: dict[str, Scorer]
    protocols: ProtocolGroups
    known_protocols: list[str]
    skull: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    local: bool = False
    seen: dict[str, str] = field(default_factory=dict)
    prints: np.ndarray = field(default_factory=lambda: np.empty((0, 512), np.float32))
    cautions: list[str] = field(default_factory=list)
    cost: dict[str, float | None] = field(default_factory=dict)
    harmoniser: ImageHarmoniser = field(default_factory=Unharmonised)
    classifier: Pipeline | None = None
    encoder_references: dict[str, HealthyReference] = field(default_factory=dict)
    calibration: str = "leave_one_out"
    members: dict[str, nn.Module] = field(default_factory=dict)
    folds: "list[Detector]" = field(default_factory=list)

    @property
    def networks(self) -> list[nn.Module]:
        """All networks, that of the features first."""
        return [*([] if self.network is None else [self.network]), *self.members.values()]

    @property
    def stride(self) -> int:
        """Factor that divides the dimensions of what the networks see."""
        return network_stride(*self.networks)

    def reconstruct(self, subject: PreparedSubject) -> Reconstruction:
        """Reconstruct one brain on the device of the networks."""
        group = self.reshape.group(subject.grid)
        stride, native, start = self.stride, subject.native_shape, subject.start
        foreground = subject.mask
        box = foreground.shape
        outputs: list[torch.Tensor] = []
        levels: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if self.networks:
            volume = to_network(torch.from_numpy(subject.volume), group, stride, native=native, start=start)
            volume = volume.to(next(self.networks[0].parameters()).device)[None]
            mask = to_network(torch.from_numpy(foreground[None]), group, stride, native=native, start=start)
            with torch.inference_mode():
                if self.network is not None:
                    encoded, output = _encoded(self.network, volume)
                    names = [*(f"level{number}" for number in range(1, len(encoded))), ""]
                    levels = {
                        name: _with_mask(maps[0].float().cpu(), mask) for name, maps in zip(names, encoded, strict=True)
                    }
                    outputs.append(output)
                outputs += [network(volume) for network in self.members.values()]
        volumes = [
            from_network(output[0].float().cpu(), group, native, start=start, shape=box).numpy() for output in outputs
        ]
        if self.network is None or SUBSPACE in self.config.model.members:
            volumes.insert(0 if self.network is None else len(volumes), np.zeros_like(subject.volume))
        return Reconstruction(
            volumes=np.stack(volumes),
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
        native, stride = subject.native_shape, self.stride
        return {"volume": place} | {
            name: place @ of_native @ to_native(group, native, stride, shape) for name, shape in levels.items()
        }

    def features(self, reconstruction: Reconstruction, maps: np.ndarray, residual: Signal) -> dict[str, float]:
        """Return the features of one brain for the transfer classifier, a row of ``features.csv``.

        Their number does not depend on the shape of the volume. A model without network encodes a brain by its
        coordinates in the linear space.

        Args:
            reconstruction: See :meth:`reconstruct`.
            maps: (C, n), directed z-scores of the residual inside the mask.
            residual: What the model leaves, see :meth:`signals`.
        """
        features: dict[str, float] = {}
        if self.network is None and self.scorers["residual"].subspaces:
            coordinates, deviation = self.scorers["residual"].coordinates(residual)
            features |= {f"encoder_mean_{number:02d}": float(value) for number, value in enumerate(coordinates)}
            z = (coordinates / np.maximum(deviation, 1e-6))[:, None, None, None]
            features |= distance_features(z, np.ones((1, 1, 1)))
        for level, encoded in reconstruction.levels.items():
            reference = self.encoder_references[level]
            framed, inside = to_frame(*encoded, FEATURE_FRAME, reconstruction.places.get(level))
            z = (framed - reference.mean) / (reference.spread * reference.factor(reconstruction.group.name))
            features |= encoder_features(*encoded, level=level) | distance_features(z, inside, level=level)
        return features | residual_features(maps, self.config.modality.names)

    def signals(self, subject: PreparedSubject, reconstruction: Reconstruction) -> dict[str, Signal]:
        """Return the inputs of the scorers: the smoothed residuals x - x̂ of all members and the smoothed intensity."""
        volume, mask, spacing = subject.volume, subject.mask, subject.spacing
        # Smoothed together: what leaks out of the mask is the same for all.
        together = np.concatenate([*(volume - reconstruction.volumes), volume])
        name, place = reconstruction.group.name, reconstruction.places.get("volume")
        smoothing = {"sigma_mm": self.config.scoring.smoothing_mm, "density": self.config.scoring.samples_per_deviation}
        both = Signal.smoothed(together, mask, name, place, spacing=spacing, **smoothing)
        return {"residual": both.part(slice(-len(volume))), "intensity": both.part(slice(-len(volume), None))}

    def expected(self, subject: PreparedSubject, reconstruction: Reconstruction, residual: Signal) -> np.ndarray:
        """Return the healthy version of a brain (C, X, Y, Z), 0 outside the mask: what the model says it should be.

        It is the reconstruction of the first network or, without one, the closest brain of the linear space.
        ``residual`` is what the model leaves, see :meth:`signals`.
        """
        if self.network is not None:
            return reconstruction.volumes[0]
        closest = self.scorers["residual"].expected(residual)[: len(subject.volume)]
        return subject.on_grid(residual.at_all_voxels(closest))

    # NumPy's matrices are small here: beside other work, two threads wait for each other longer than one computes.
    @threadpool_limits.wrap(limits=1, user_api="blas")
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
        seen = {signal: HealthyBrains([brain[signal] for _, brain in framed]) for signal in framed[0][1]}
        signals = {name: seen[scorer.signal] for name, scorer in self.scorers.items()}
        some = healthy if reference is None else reference[:BRAINS_FOR_VOXELS]
        together = None if reference is None else parts(len(compared))
        held_out = each(_sample, _HeldOut(self, some, signals, together), "voxel threshold")
        for name, scorer in self.scorers.items():
            scorer.observe([brain[name] for brain in held_out])
            scorer.learn(signals[name])
        jobs: Sequence[Any] = _HeldOut(self, healthy, signals)
        if reference is not None:
            jobs = [(self, subject, number, self.scorers) for number, subject in enumerate(healthy)]
        scored = each(_sample, jobs, "calibrate")
        for name, scorer in self.scorers.items():
            scorer.calibrate([brain[name] for brain in scored])

    @property
    def training_brains(self) -> int:
        """Number of healthy brains that the network was trained with, the smallest of cross-fitted ones."""
        scans = sum(role == "train" for role in self.seen.values())
        brains = -(-scans // max(len(self.config.modality.names), 1))
        if folds := self.config.calibration.folds:
            brains -= -(-brains // folds)  # each network learnt without one fold
        return brains if self.config.overfit_subjects is None else min(brains, self.config.overfit_subjects)

    @property
    def guarantee(self) -> Guarantee:
        """The rule that decides which brains are flagged."""
        scoring = self.config.scoring
        return Guarantee(scoring.guarantee, scoring.alpha, scoring.confidence)

    @property
    def on_gpu(self) -> bool:
        """Whether the network is on a GPU, which other processes cannot share."""
        return bool(self.networks) and next(self.networks[0].parameters()).device.type != "cpu"

    @property
    def baselines(self) -> list[str]:
        """Scores that do not look at the network."""
        return [name for name, scorer in self.scorers.items() if scorer.signal == "intensity"]

    def fingerprint(self) -> str:
        """Return a hash of everything that the findings depend on: weights, references, configuration."""
        arrays, facts = self.learnt()
        for number, network in enumerate(self.networks):
            weights = network.state_dict()
            arrays |= {f"{number or ''}{name}": value.cpu().numpy() for name, value in weights.items()}
        config = self.config
        chosen = [
            config.model.network,
            config.model.members,
            asdict(config.reshape),
            asdict(config.scoring),
            config.modality.names,
            config.preprocess.space,
        ]
        digest = hashlib.sha256(json.dumps([facts, chosen], sort_keys=True).encode())
        for one in self.folds:
            digest.update(one.fingerprint().encode())
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


def _encoded(network: nn.Module, volume: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return the outputs of the encoder levels of (1, C, X, Y, Z), the bottleneck last, and the reconstruction."""
    levels = network.levels if hasattr(network, "levels") else lambda volume: [network.encode(volume)]  # type: ignore
    encoded = levels(volume)  # type: ignore[operator]
    if hasattr(network, "decode"):
        return encoded, network.decode(encoded[-1])  # type: ignore[operator]
    return encoded, network(volume)


def _framed(job: tuple[Detector, PreparedSubject]) -> tuple[dict[str, Framed], dict[str, Framed]]:
    """Return encoder levels and signals of a healthy brain in their shared frames."""
    detector, subject = job
    subject = subject.in_memory()
    reconstruction = detector.reconstruct(subject)
    levels = {
        name: Framed(*to_frame(*level, FEATURE_FRAME, reconstruction.places.get(name)), reconstruction.group.name)
        for name, level in reconstruction.levels.items()
    }
    signals = detector.signals(subject, reconstruction)
    frame = detector.scorers["residual"].frame
    return levels, {name: signal.framed(frame) for name, signal in signals.items()}


@dataclass(frozen=True)
class _HeldOut(Sequence[tuple[Detector, PreparedSubject, int, dict[str, Scorer]]]):
    """For each healthy brain the scorers that compare it with the others, made when they are asked for.

    Attributes:
        detector: Its scorers are those that are made.
        healthy: The brains, or the first of them.
        framed: All of them in the shared frame, by scorer.
        parts: Part of each brain; those of one part are left out together. None: each alone.
    """

    detector: Detector
    healthy: Sequence[PreparedSubject]
    framed: dict[str, HealthyBrains]
    parts: np.ndarray | None = None
    made: dict[int, dict[str, Scorer]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.healthy)

    def __getitem__(self, number: Any) -> Any:
        if self.parts is None:
            scorers = self._without([number])
        else:
            part = int(self.parts[number])
            if part not in self.made:
                self.made[part] = self._without(np.flatnonzero(self.parts == part).tolist())
            scorers = self.made[part]
        return self.detector, self.healthy[number], number, scorers

    def _without(self, numbers: list[int]) -> dict[str, Scorer]:
        return {name: scorer.held_out(self.framed[name], numbers) for name, scorer in self.detector.scorers.items()}


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
