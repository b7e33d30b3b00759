"""Factory functions: build the networks, reshape strategy, harmoniser and scorers from a configuration."""

import math
from dataclasses import asdict, replace
from typing import Any

from hydra.utils import get_class, instantiate
from torch import nn

from brain_cae.audit import ExtraTest
from brain_cae.configuration import Config, model_option
from brain_cae.errors import ConfigurationError
from brain_cae.harmonise import ImageHarmoniser, Unharmonised
from brain_cae.harmonise.features import FeatureHarmoniser
from brain_cae.reshape import Reshape
from brain_cae.reshape.crop import Cropped
from brain_cae.scoring.scorer import Scorer

SUBSPACE = "subspace"
"""The member without a network: the image itself, of which the scores remove what healthy brains have in common."""


def make_network(config: Config) -> nn.Module | None:
    """Return the network, with one input channel per modality; None for a model without one.

    Raises:
        ConfigurationError: The network is not suitable: it lacks ``encode`` or ``stride``.
    """
    if config.model.network is None:
        return None
    network = instantiate(config.model.network, in_channels=len(config.modality.names), _convert_="all")
    needed = ["encode", "stride", *(["levels"] if config.features.levels == "all" else [])]
    missing = [name for name in needed if not hasattr(network, name)]
    if missing:
        raise ConfigurationError(
            "This network is not a suitable autoencoder.",
            expected=f"an nn.Module with {', '.join(needed[:-1])} and {needed[-1]}, such as SubpixelAutoencoder",
            found=f"{type(network).__name__} without {', '.join(missing)}",
            where="model.network",
        )
    return network


def member_networks(config: Config) -> dict[str, Config]:
    """Return, for each further network in ``model.members``, its name and the configuration to build and train it.

    The same name again is another seed: weights and batches of the n-th member start from ``seed + n``.
    """
    names = [name for name in config.model.members if name != SUBSPACE]
    return {
        f"{number}_{name}": replace(config, model=model_option(name), seed=config.seed + number)
        for number, name in enumerate(names, start=1)
    }


def network_stride(*networks: nn.Module | None) -> int:
    """Return the factor by which encoders reduce each axis: the least common multiple; 1 without a network."""
    return math.lcm(*(int(network.stride) for network in networks if network is not None))  # type: ignore[arg-type]


def make_reshape(config: Config, stride: int) -> Reshape:
    """Return the reshape strategy for a network with this total stride, not yet fitted."""
    arguments = {name: value for name, value in asdict(config.reshape).items() if name != "name"}
    strategy: Reshape = instantiate(arguments, _convert_="all")
    return Cropped(strategy, stride) if strategy.crop == "foreground" else strategy


def make_harmoniser(config: Config) -> ImageHarmoniser:
    """Return the image harmonisation, not yet fitted; one without effect if the option does not change images."""
    kind = _class_of(config.harmonise)
    return kind(**_keys(config.harmonise)) if issubclass(kind, ImageHarmoniser) else Unharmonised()


def make_feature_harmoniser(config: Config) -> FeatureHarmoniser | None:
    """Return the first step of the classifier's pipeline, not yet fitted; None if features are not harmonised."""
    kind = _class_of(config.harmonise)
    if not issubclass(kind, FeatureHarmoniser):
        return None
    return kind(**_keys(config.harmonise), carried=len(kind.carries(config.modality.names)))


def carried_columns(config: Config) -> list[str]:
    """Return the acquisition columns that this step needs, see :meth:`FeatureHarmoniser.carries`."""
    kind = _class_of(config.harmonise)
    return kind.carries(config.modality.names) if issubclass(kind, FeatureHarmoniser) else []


def make_scorer(name: str, config: Config) -> Scorer:
    """Return one of ``scoring.scores``, not yet fitted."""
    scoring = config.scoring
    return instantiate(
        {"joint": scoring.joint, "statistic": scoring.statistic} | scoring.scores[name],
        modalities=config.modality.names,
        sign=scoring.sign,
        percentile=scoring.percentile,
        frame=tuple(scoring.frame),
        shrinkage=scoring.shrinkage,
        voxel_rate=scoring.voxel_false_positive_rate,
        _convert_="all",
    )


def make_audit_tests(config: Config) -> list[ExtraTest]:
    """Return the tests in ``audit.extra``, in their order."""
    return [instantiate(test, name=name, _convert_="all") for name, test in config.audit.extra.items()]


def _class_of(choice: Any) -> type:
    return get_class(choice._target_)


def _keys(choice: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(choice).items() if name not in ("name", "_target_")}
