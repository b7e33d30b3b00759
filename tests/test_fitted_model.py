"""A model is stored and read back with what its features are measured against."""

from pathlib import Path

import numpy as np
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.examination import examine
from brain_cae.fitted_model import FittedModel, make_network, make_reshape
from brain_cae.scans.protocol import ProtocolGroups

from .conftest import TINY_NETWORK, compose_config

EVERYTHING = ("features.levels=all", "reshape=isotropic", "reshape.spacing_mm=3")


@pytest.fixture
def model(make_subject):
    config = compose_config(*TINY_NETWORK, *EVERYTHING)
    healthy = [make_subject(f"h{seed}", seed=seed) for seed in range(8)]
    reshape = make_reshape(config).fit([subject.grid for subject in healthy])
    fitted = FittedModel(config, make_network(config).eval(), reshape, {}, ProtocolGroups(), [])
    fitted.calibrate(healthy)
    return fitted


def test_features_of_all_levels_survive_storing(model, make_subject, tmp_path: Path) -> None:
    brain = make_subject("new", seed=99)
    before = examine(model, brain)[0].features
    assert len({name for name in before if name.startswith("encoder_level1_mean")}) == 4
    assert len({name for name in before if name.startswith("encoder_level3_mean")}) == 8
    assert len({name for name in before if name.startswith("encoder_mean")}) == 4
    assert {"distance_bottleneck_mean", "distance_level1_q95"} <= set(before)
    assert np.isfinite(list(before.values())).all()
    model.save(tmp_path / "model")
    after = examine(FittedModel.load(tmp_path), brain)[0].features
    assert after == pytest.approx(before, rel=1e-4, abs=1e-5)


def test_a_brain_unlike_the_healthy_ones_deviates(model, make_subject) -> None:
    like, unlike = make_subject("like", seed=50), make_subject("unlike", seed=50)
    lump = np.zeros(unlike.mask.shape, bool)
    lump[8:16, 8:16, 6:12] = True
    unlike.volume[:, lump & unlike.mask] += 1.5
    found = [examine(model, brain)[0].features["distance_level1_q95"] for brain in (like, unlike)]
    assert found[1] > 1.3 * found[0]


def test_a_network_without_levels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from brain_cae.models.autoencoder import ConvolutionalAutoencoder

    monkeypatch.delattr(ConvolutionalAutoencoder, "levels")
    make_network(compose_config(*TINY_NETWORK))
    with pytest.raises(ConfigurationError, match="without levels"):
        make_network(compose_config(*TINY_NETWORK, "features.levels=all"))
