"""Objects are built from the configuration."""

import pytest
import torch

from brain_cae.detector.build import (
    carried_columns,
    make_feature_harmoniser,
    make_harmoniser,
    make_network,
    make_reshape,
    make_scorer,
    member_networks,
    network_stride,
)
from brain_cae.errors import ConfigurationError
from brain_cae.reshape.crop import Cropped

from ..conftest import TINY_NETWORK, compose_config


def test_a_network_has_as_many_channels_as_there_are_modalities() -> None:
    for modality, channels in (("flair", 1), ("t1_t2_flair", 3)):
        network = make_network(compose_config(*TINY_NETWORK, f"modality={modality}"))
        assert network(torch.zeros(1, channels, 16, 16, 16)).shape == (1, channels, 16, 16, 16)
        assert network_stride(network) == 8


def test_a_reshape_strategy_gets_the_keys_of_its_option() -> None:
    options = ("reshape=isotropic", "reshape.spacing_mm=3")
    whole = make_reshape(compose_config(*options, "reshape.crop=none"), 8)
    window = make_reshape(compose_config(*options), 8)
    assert isinstance(window, Cropped) and window.stride == 8
    assert whole.spacing_mm == window.strategy.spacing_mm == 3


def test_a_score_without_signs_counts_both_directions() -> None:
    config = compose_config("modality=t1_flair")
    signed, absolute = make_scorer("residual", config), make_scorer("absolute", config)
    assert signed.sign == config.scoring.sign
    assert set(absolute.sign.values()) == {"both"}
    scorers = {name: make_scorer(name, config) for name in config.scoring.scores}
    assert [scorer.compare for scorer in scorers.values()] == [True, True, False, True, True]
    assert [name for name, scorer in scorers.items() if scorer.signal == "intensity"] == [
        "intensity",
        "healthy_mean",
        "healthy_subspace",
    ]


def test_a_harmoniser_acts_on_images_or_on_features() -> None:
    images, features = compose_config("harmonise=spacing"), compose_config("harmonise=combat", "harmonise.minimum=4")
    assert type(make_harmoniser(images)).__name__ == "Spacing" and make_feature_harmoniser(images) is None
    step = make_feature_harmoniser(features)
    assert step is not None and step.minimum == 4 and step.carried == 1
    assert carried_columns(features) == ["protocol"] and carried_columns(images) == []
    assert type(make_harmoniser(features)).__name__ == "Unharmonised"


def test_a_network_without_levels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from brain_cae.models.autoencoder import Autoencoder

    monkeypatch.delattr(Autoencoder, "levels")
    make_network(compose_config(*TINY_NETWORK))
    with pytest.raises(ConfigurationError, match="without levels"):
        make_network(compose_config(*TINY_NETWORK, "features.levels=all"))


def test_the_same_member_again_is_another_seed() -> None:
    config = compose_config("seed=5", "model.members=[cae,subspace,translation,cae]")
    chosen = member_networks(config)
    assert {name: (one.model.name, one.seed) for name, one in chosen.items()} == {
        "1_cae": ("cae", 6), "2_translation": ("translation", 7), "3_cae": ("cae", 8)
    }  # fmt: skip
    assert make_network(compose_config("model=subspace")) is None
    assert network_stride(None) == 1 and network_stride(make_network(config), None) == 8
