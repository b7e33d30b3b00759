"""A fitted model: everything that scoring a new brain needs, and how it is stored without pickling anything."""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hydra.utils import instantiate
from imblearn.pipeline import Pipeline
from omegaconf import OmegaConf
from torch import nn
from torch.nn import functional

from brain_cae.configuration import Config, read_stored, validate
from brain_cae.data.preprocess import PreparedSubject
from brain_cae.errors import BrainCaeError, ConfigurationError, RunError
from brain_cae.harmonise import ImageHarmoniser, Unharmonised
from brain_cae.harmonise.histogram import Histogram
from brain_cae.harmonise.spacing import Spacing
from brain_cae.progress import track
from brain_cae.reshape import Group, Reshape, from_network, to_network
from brain_cae.run_folder import RunFolder
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.scoring.frame import to_frame
from brain_cae.scoring.reference import HealthyReference
from brain_cae.scoring.scorer import Scorer, Signal
from brain_cae.scoring.smoothing import smooth_inside
from brain_cae.transfer.features import distance_features, encoder_features, residual_features
from brain_cae.transfer.pipeline import load_pipeline, save_pipeline

SCORERS = ("residual", "absolute", "intensity", "healthy_mean")
"""Ways of scoring: ours with the signs of the configuration and without them, and the two baselines."""

FEATURE_FRAME = (8, 8, 8)
"""Dimensions of the shared frame in which the encoder's levels are compared: about those of a bottleneck."""

IMAGE_HARMONISERS: dict[str, type[ImageHarmoniser]] = {"spacing": Spacing, "histogram": Histogram}
"""By the name of the option; its keys are their arguments."""


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
class FittedModel:
    """Network, reshape, healthy references with their calibration, protocols, and the transfer classifier.

    Attributes:
        config: Configuration of the run.
        network: The autoencoder in evaluation mode.
        reshape: Fitted strategy.
        scorers: By name, see ``SCORERS``; fitted on the healthy validation brains.
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
        """What each scorer looks at: smoothed residual x - x̂, or smoothed intensity."""
        sigma = self.config.scoring.smoothing_mm
        name = reconstruction.group.name
        residual, intensity = (
            Signal(smooth_inside(maps, subject.mask, subject.spacing, sigma), subject.mask, name)
            for maps in (subject.volume - reconstruction.volume, subject.volume)
        )
        return {"residual": residual, "absolute": residual, "intensity": intensity, "healthy_mean": intensity}

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
        for name in SCORERS:
            self.scorers[name] = make_scorer(name, self.config).fit([s[name] for s in signals], seed=self.config.seed)

    def unlike_skull(self, state: str) -> bool:
        """Whether a skull is in another state than the calibration brains'; where one is unknown, nobody can say."""
        comparable = bool(self.skull) and "unknown" not in [*self.skull, state]
        return comparable and state not in self.skull

    def save(self, folder: Path) -> None:
        """Write ``network.ckpt`` (weights only), ``calibration.npz``, ``config.yaml`` and ``classifier.skops``."""
        files = RunFolder(folder)
        # Written last: a folder with a config.yaml holds a whole model.
        (folder / "config.yaml").unlink(missing_ok=True)
        # PyTorch's own writer does not say that a disk is full.
        weights = io.BytesIO()
        torch.save(self.network.state_dict(), weights)
        files.write("network.ckpt", lambda path: path.write_bytes(weights.getvalue()))
        arrays, facts = self._fitted()
        facts |= {
            "protocols": self.protocols.to_dict(),
            "known_protocols": self.known_protocols,
            "skull": self.skull,
            "seen": self.seen,
            "cautions": self.cautions,
            "cost": self.cost,
            "harmonise": self.harmoniser.state(),
        }
        arrays["facts"] = np.asarray(json.dumps(facts))
        files.write("calibration.npz", lambda path: np.savez(path, **arrays))  # type: ignore[arg-type]
        if self.classifier is not None:
            save_pipeline(self.classifier, folder / "classifier.skops")
        text = yaml.safe_dump(asdict(self.config), sort_keys=False)
        files.write("config.yaml", lambda path: path.write_text(text))

    def fingerprint(self) -> str:
        """Hash of everything that what this model finds of a brain depends on: weights, references, choices."""
        arrays, facts = self._fitted()
        arrays |= {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        config = self.config
        chosen = [config.model.network, asdict(config.reshape), asdict(config.scoring), config.modality.names]
        digest = hashlib.sha256(json.dumps([facts, chosen], sort_keys=True).encode())
        for name in sorted(arrays):
            digest.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()[:32]

    def _fitted(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
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

    @classmethod
    def load(cls, run: Path) -> "FittedModel":
        """Read the model of a run; nothing in it is executed, and only our own and MONAI's networks are made.

        Raises:
            RunError: The folder holds no model, or one that is damaged or not ours.
        """
        folder = run / "model"
        read_stored(run)  # says so where there is none
        with _readable(folder / "config.yaml"):
            config = validate(OmegaConf.create(read_stored(run)))
            network = make_network(config)
        with _readable(folder / "network.ckpt"):
            network.load_state_dict(torch.load(folder / "network.ckpt", weights_only=True, map_location="cpu"))
        with _readable(folder / "calibration.npz"):
            with np.load(folder / "calibration.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            facts = json.loads(str(arrays.pop("facts")))
            model = cls(
                config=config,
                network=network.eval(),
                reshape=make_reshape(config).restore(facts["reshape"]),
                scorers={},
                protocols=ProtocolGroups.from_dict(facts["protocols"]),
                known_protocols=list(facts["known_protocols"]),
                skull=list(facts.get("skull", [])),
                seen=dict(facts["seen"]),
                cautions=list(facts["cautions"]),
                cost=dict(facts.get("cost", {})),
                harmoniser=make_harmoniser(config).restore(facts.get("harmonise", {})),
            )
            for name in SCORERS:
                own = {key.split(".", 1)[1]: value for key, value in arrays.items() if key.startswith(f"{name}.")}
                model.scorers[name] = make_scorer(name, config).restore(own, facts[name])
            model.encoder_references = {
                level: HealthyReference(arrays[f"encoder:{level}.mean"], arrays[f"encoder:{level}.spread"], factors)
                for level, factors in facts.get("encoder_factors", {}).items()
            }
        if (folder / "classifier.skops").is_file():
            with _readable(folder / "classifier.skops"):
                model.classifier = load_pipeline(folder / "classifier.skops")
        return model


def _with_mask(maps: torch.Tensor, mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Maps (C, x, y, z) and the foreground (1, X, Y, Z) on their grid; all of it where nothing is left of it."""
    size = (maps.shape[1], maps.shape[2], maps.shape[3])
    inside = functional.adaptive_avg_pool3d(mask[None], size)[0, 0].numpy() > 0.5
    return maps.numpy(), inside if inside.any() else np.ones_like(inside)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the file of a stored model that is damaged, or that somebody else has written."""
    try:
        yield
    except Exception as error:
        raise RunError(
            "The stored model cannot be read.",
            expected=f"{path.name} as `train.py` writes it",
            found=error.problem
            if isinstance(error, BrainCaeError)
            else f"a damaged file, or one of another program ({type(error).__name__})",
            where=str(path),
            advice="Copy the whole folder model/ once more, or train again.",
        ) from error


def make_network(config: Config) -> nn.Module:
    """The network of a configuration, with as many input channels as there are modalities.

    Raises:
        ConfigurationError: It is no autoencoder: it lacks ``encode``, ``decode`` or ``stride``.
    """
    network = instantiate(config.model.network, in_channels=len(config.modality.names), _convert_="all")
    needed = ["encode", "decode", "stride", *(["levels"] if config.features.levels == "all" else [])]
    missing = [name for name in needed if not hasattr(network, name)]
    if missing:
        raise ConfigurationError(
            "This network is no autoencoder that the program can use.",
            expected=f"an nn.Module with {', '.join(needed[:-1])} and {needed[-1]}, such as ConvolutionalAutoencoder",
            found=f"{type(network).__name__} without {', '.join(missing)}",
            where="model.network",
        )
    return network


def network_stride(network: nn.Module) -> int:
    """By how much the network divides each axis."""
    return int(network.stride)  # type: ignore[arg-type]


def make_reshape(config: Config) -> Reshape:
    """The reshape strategy of a configuration, not fitted yet."""
    arguments = {name: value for name, value in asdict(config.reshape).items() if name != "name"}
    return instantiate(arguments, _convert_="all")


def make_harmoniser(config: Config) -> ImageHarmoniser:
    """What a configuration does to images, not fitted yet; nothing where the choice does not act on them."""
    kind = IMAGE_HARMONISERS.get(config.harmonise.name, Unharmonised)
    options = {name: value for name, value in asdict(config.harmonise).items() if name != "name"}
    return Unharmonised() if kind is Unharmonised else kind(**options)


def make_scorer(name: str, config: Config) -> Scorer:
    """One of ``SCORERS``, not fitted yet."""
    scoring = config.scoring
    sign = dict.fromkeys(scoring.sign, "both") if name == "absolute" else scoring.sign
    return Scorer(
        modalities=config.modality.names,
        sign=sign,
        percentile=scoring.percentile,
        frame=(scoring.frame[0], scoring.frame[1], scoring.frame[2]),
        shrinkage=scoring.shrinkage,
        voxel_rate=scoring.voxel_false_positive_rate,
        compare=name != "intensity",
    )
