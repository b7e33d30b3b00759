"""The detector: everything that scoring a new brain needs."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from imblearn.pipeline import Pipeline
from torch import nn
from torch.nn import functional

from brain_cae.configuration import Config
from brain_cae.data.preprocess import PreparedSubject
from brain_cae.detector.build import make_scorer, network_stride
from brain_cae.harmonise import ImageHarmoniser, Unharmonised
from brain_cae.progress import track
from brain_cae.reshape import Group, Reshape, from_network, to_network
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.scoring.frame import to_frame
from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.scorer import Scorer, Signal
from brain_cae.scoring.smoothing import smooth_inside
from brain_cae.transfer.features import distance_features, encoder_features, residual_features

FEATURE_FRAME = (8, 8, 8)
"""Dimensions of the shared frame in which the encoder's levels are compared: about those of a bottleneck."""


@dataclass(frozen=True)
class Reconstruction:
    """What the network makes of one brain.

    Attributes:
        volume: (C, X, Y, Z), reconstruction on the brain's own grid.
        levels: By name what the encoder gives, (C, x, y, z) with the foreground on the same grid, (x, y, z) boolean;
            the bottleneck has the empty name. A network without ``levels`` has the bottleneck alone.
        group: Reshape group.
    """

    volume: np.ndarray
    levels: dict[str, tuple[np.ndarray, np.ndarray]]
    group: Group


@dataclass
class Detector:
    """Network, reshape, healthy references with their calibration, protocols, and the transfer classifier.

    Attributes:
        config: Configuration of the run.
        network: The autoencoder in evaluation mode.
        reshape: Fitted strategy.
        scorers: By name, see ``scoring.scores``; fitted on the healthy validation brains.
        protocols: Groups of protocols of the run's cohort.
        known_protocols: Protocols of the brains that the model has learnt from or was calibrated with.
        skull: States of the skull in the brains that calibrate: ``on``, ``stripped``, ``unknown``.
        seen: Role of each scan, by hash of its content, that the network or the classifier has learnt from or that
            calibrates: ``train``, ``validation`` or ``classifier``.
        cautions: What a reader of any result of this model must know.
        cost: What learning took: ``seconds_per_epoch`` and ``memory_mb``, see :class:`brain_cae.models.cost.Cost`.
        harmoniser: What is done to the images of every brain before anything else here sees them.
        classifier: Fitted on all labelled subjects that the autoencoder never saw, but those of a held-out protocol;
            None without both classes.
        encoder_references: By level of the encoder, what healthy validation brains show at each place.
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

    def reconstruct(self, subject: PreparedSubject) -> Reconstruction:
        """Run the network on one brain, on the device where it lies."""
        group = self.reshape.group(subject.grid)
        device = next(self.network.parameters()).device
        stride = network_stride(self.network)
        volume = to_network(torch.from_numpy(np.asarray(subject.volume)), group, stride).to(device)
        mask = to_network(torch.from_numpy(subject.mask[None].astype(np.float32)), group, stride)
        with torch.inference_mode():
            if hasattr(self.network, "levels"):
                found = self.network.levels(volume[None])  # type: ignore[operator]
            else:
                found = [self.network.encode(volume[None])]  # type: ignore[operator]
            output = self.network.decode(found[-1])[0].float().cpu()  # type: ignore[operator]
        names = [*(f"level{number}" for number in range(1, len(found))), ""]
        levels = {name: _with_mask(maps[0].float().cpu(), mask) for name, maps in zip(names, found, strict=True)}
        return Reconstruction(
            volume=from_network(output, group, subject.native_shape).numpy(), levels=levels, group=group
        )

    def features(self, reconstruction: Reconstruction, maps: np.ndarray, mask: np.ndarray) -> dict[str, float]:
        """What the transfer classifier may know of one brain, of one length for every shape: a row of ``features.csv``.

        Args:
            reconstruction: See :meth:`reconstruct`.
            maps: (C, X, Y, Z), directed z of the residual score.
            mask: (X, Y, Z) boolean, the foreground on the same grid.
        """
        features: dict[str, float] = {}
        for level, found in reconstruction.levels.items():
            reference = self.encoder_references[level]
            framed, inside = to_frame(*found, FEATURE_FRAME)
            z = (framed - reference.mean) / (reference.spread * reference.factor(reconstruction.group.name))
            features |= encoder_features(*found, level=level) | distance_features(z, inside, level=level)
        return features | residual_features(maps, mask, self.config.modality.names)

    def signals(self, subject: PreparedSubject, reconstruction: Reconstruction) -> dict[str, Signal]:
        """What scorers look at: the smoothed residual x - x̂, and the smoothed intensity."""
        sigma = self.config.scoring.smoothing_mm
        name = reconstruction.group.name
        residual, intensity = (
            Signal(smooth_inside(maps, subject.mask, subject.spacing, sigma), subject.mask, name)
            for maps in (subject.volume - reconstruction.volume, subject.volume)
        )
        return {"residual": residual, "intensity": intensity}

    def calibrate(self, healthy: list[PreparedSubject]) -> None:
        """Fit references, calibration scores and thresholds of every scorer on healthy brains."""
        signals, framed, groups = [], [], []
        for subject in track(healthy, "calibrate", bar=self.config.trainer.progress):
            reconstruction = self.reconstruct(subject)
            signals.append(self.signals(subject, reconstruction))
            groups.append(reconstruction.group.name)
            framed.append({name: to_frame(*level, FEATURE_FRAME) for name, level in reconstruction.levels.items()})
        self.encoder_references = {
            name: HealthyReference.fit(
                np.stack([own[name][0] for own in framed]),
                np.stack([own[name][1] for own in framed]),
                groups,
                shrinkage=self.config.scoring.shrinkage,
            )
            for name in framed[0]
        }
        for name in self.config.scoring.scores:
            scorer = make_scorer(name, self.config)
            self.scorers[name] = scorer.fit([kinds[scorer.signal] for kinds in signals], seed=self.config.seed)

    @property
    def baselines(self) -> list[str]:
        """Scores that do not look at the network."""
        return [name for name, scorer in self.scorers.items() if scorer.signal == "intensity"]

    def unlike_skull(self, state: str) -> bool:
        """Whether a skull is in another state than the calibration brains'; where one is unknown, nobody can say."""
        comparable = bool(self.skull) and "unknown" not in [*self.skull, state]
        return comparable and state not in self.skull

    def fingerprint(self) -> str:
        """Hash of everything that what this model finds of a brain depends on: weights, references, choices."""
        arrays, facts = self.learnt()
        arrays |= {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        config = self.config
        chosen = [config.model.network, asdict(config.reshape), asdict(config.scoring), config.modality.names]
        digest = hashlib.sha256(json.dumps([facts, chosen], sort_keys=True).encode())
        for name in sorted(arrays):
            digest.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()[:32]

    def learnt(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What reshape, scorers and encoder have learnt of healthy brains: arrays, and what JSON can hold."""
        arrays: dict[str, np.ndarray] = {}
        facts: dict[str, Any] = {"reshape": self.reshape.state()}
        for name, scorer in self.scorers.items():
            state, facts[name] = scorer.state()
            arrays |= {f"{name}.{key}": value for key, value in state.items()}
        facts["encoder_factors"] = {level: own.factors for level, own in self.encoder_references.items()}
        for level, reference in self.encoder_references.items():
            arrays |= {f"encoder:{level}.mean": reference.mean, f"encoder:{level}.spread": reference.spread}
        return arrays, facts


def _with_mask(maps: torch.Tensor, mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Maps (C, x, y, z) and the foreground (1, X, Y, Z) on their grid; all of it where nothing is left of it."""
    size = (maps.shape[1], maps.shape[2], maps.shape[3])
    inside = functional.adaptive_avg_pool3d(mask[None], size)[0, 0].numpy() > 0.5
    return maps.numpy(), inside if inside.any() else np.ones_like(inside)
