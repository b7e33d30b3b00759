"""Objects are built from the configuration."""

import pytest

from brain_cae.detector.build import SCORERS, make_network, make_reshape, make_scorer, network_stride
from brain_cae.errors import ConfigurationError

from ..conftest import TINY_NETWORK, compose_config


def test_a_network_has_as_many_channels_as_there_are_modalities() -> None:
    for modality, channels in (("flair", 1), ("t1_t2_flair", 3)):
        network = make_network(compose_config(*TINY_NETWORK, f"modality={modality}"))
        assert next(network.parameters()).shape[1] == channels
        assert network_stride(network) == 8


def test_a_reshape_strategy_gets_the_keys_of_its_option() -> None:
    strategy = make_reshape(compose_config("reshape=isotropic", "reshape.spacing_mm=3"))
    assert strategy.spacing_mm == 3


def test_a_score_without_signs_counts_both_directions() -> None:
    config = compose_config("modality=t1_flair")
    signed, absolute = make_scorer("residual", config), make_scorer("absolute", config)
    assert signed.sign == config.scoring.sign
    assert set(absolute.sign.values()) == {"both"}
    assert [make_scorer(name, config).compare for name in SCORERS] == [True, True, False, True]


def test_a_network_without_levels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from brain_cae.models.autoencoder import ConvolutionalAutoencoder

    monkeypatch.delattr(ConvolutionalAutoencoder, "levels")
    make_network(compose_config(*TINY_NETWORK))
    with pytest.raises(ConfigurationError, match="without levels"):
        make_network(compose_config(*TINY_NETWORK, "features.levels=all"))
