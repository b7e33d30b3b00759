"""Factory functions: build the network, reshape strategy, harmoniser and scorers from a configuration."""

from dataclasses import asdict

from hydra.utils import instantiate
from torch import nn

from brain_cae.configuration import Config
from brain_cae.errors import ConfigurationError
from brain_cae.harmonise import ImageHarmoniser, Unharmonised
from brain_cae.harmonise.histogram import Histogram
from brain_cae.harmonise.spacing import Spacing
from brain_cae.reshape import Reshape
from brain_cae.scoring.scorer import Scorer

SCORERS = ("residual", "absolute", "intensity", "healthy_mean")
"""Scores: residuals with the signs of the configuration and without signs, and two baselines."""


IMAGE_HARMONISERS: dict[str, type[ImageHarmoniser]] = {"spacing": Spacing, "histogram": Histogram}
"""Classes by the name of the option; the keys of the option are their arguments."""


def make_network(config: Config) -> nn.Module:
    """Return the network, with one input channel per modality.

    Raises:
        ConfigurationError: The network is not an autoencoder: it lacks ``encode``, ``decode`` or ``stride``.
    """
    network = instantiate(config.model.network, in_channels=len(config.modality.names), _convert_="all")
    needed = ["encode", "decode", "stride", *(["levels"] if config.features.levels == "all" else [])]
    missing = [name for name in needed if not hasattr(network, name)]
    if missing:
        raise ConfigurationError(
            "This network is not a suitable autoencoder.",
            expected=f"an nn.Module with {', '.join(needed[:-1])} and {needed[-1]}, such as ConvolutionalAutoencoder",
            found=f"{type(network).__name__} without {', '.join(missing)}",
            where="model.network",
        )
    return network


def network_stride(network: nn.Module) -> int:
    """Return the factor by which the encoder reduces each axis."""
    return int(network.stride)  # type: ignore[arg-type]


def make_reshape(config: Config) -> Reshape:
    """Return the reshape strategy, not yet fitted."""
    arguments = {name: value for name, value in asdict(config.reshape).items() if name != "name"}
    return instantiate(arguments, _convert_="all")


def make_harmoniser(config: Config) -> ImageHarmoniser:
    """Return the image harmonisation, not yet fitted; one without effect if the option does not change images."""
    kind = IMAGE_HARMONISERS.get(config.harmonise.name, Unharmonised)
    options = {name: value for name, value in asdict(config.harmonise).items() if name != "name"}
    return Unharmonised() if kind is Unharmonised else kind(**options)


def make_scorer(name: str, config: Config) -> Scorer:
    """Return one of ``SCORERS``, not yet fitted."""
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
