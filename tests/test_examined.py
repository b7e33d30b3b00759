"""What was found of a brain is found again by the same model, and by no other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from brain_cae.examination import examine
from brain_cae.examined import ExaminedStore
from brain_cae.fitted_model import FittedModel, make_network, make_reshape
from brain_cae.scans.protocol import ProtocolGroups

from .conftest import TINY_NETWORK, compose_config


@pytest.fixture
def model(make_subject) -> FittedModel:
    config = compose_config(*TINY_NETWORK)
    healthy = [make_subject(f"h{seed}", seed=seed) for seed in range(6)]
    reshape = make_reshape(config).fit([subject.grid for subject in healthy])
    fitted = FittedModel(config, make_network(config).eval(), reshape, {}, ProtocolGroups(), [])
    fitted.calibrate(healthy)
    return fitted


@pytest.fixture
def ill(make_subject):
    brain = make_subject("Jane", seed=77)
    lesion = np.zeros(brain.mask.shape, bool)
    lesion[8:16, 8:16, 6:12] = True
    object.__setattr__(brain, "lesion", lesion & brain.mask)
    return brain


def test_nothing_is_lost_on_the_way(model, ill, make_subject, tmp_path: Path) -> None:
    for brain in (ill, make_subject("other", seed=78)):
        found = examine(model, brain)[0]
        store = ExaminedStore(tmp_path, model)
        assert store.load(brain) is None
        store.keep(brain, found)
        again = store.load(brain)
        assert again is not None and again.localisation.keys() == found.localisation.keys()
        assert (again.subject, again.group) == (found.subject, found.group)
        for part in ("scores", "p_values", "features", "reconstruction"):
            assert getattr(again, part) == getattr(found, part), part
        for name, own in found.localisation.items():
            assert again.localisation[name].dice == own.dice
            np.testing.assert_array_equal(again.localisation[name].overlaps, own.overlaps)
        spacing = again.distortion.pop("network_spacing"), found.distortion.pop("network_spacing")
        np.testing.assert_array_equal(*spacing)
        assert again.distortion == found.distortion


def test_a_stored_model_is_the_same_model(model, ill, tmp_path: Path) -> None:
    ExaminedStore(tmp_path, model).keep(ill, examine(model, ill)[0])
    model.save(tmp_path / "model")
    assert ExaminedStore(tmp_path, FittedModel.load(tmp_path)).load(ill) is not None


@pytest.mark.parametrize("changed", ["weights", "reference", "percentile", "image", "lesion"])
def test_another_model_or_another_image_finds_nothing(model, ill, make_subject, tmp_path: Path, changed: str) -> None:
    ExaminedStore(tmp_path, model).keep(ill, examine(model, ill)[0])
    if changed == "weights":
        with torch.no_grad():
            next(model.network.parameters()).view(-1)[0] += 1e-6
    elif changed == "reference":
        model.calibrate([make_subject(f"local{seed}", seed=200 + seed) for seed in range(6)])
    elif changed == "percentile":
        model.config.scoring.percentile = 99.0
    elif changed == "image":
        ill.volume[0, 12, 14, 10] += 1e-3
    else:
        ill.lesion[12, 14, 10] = False
    assert ExaminedStore(tmp_path, model).load(ill) is None


def test_a_damaged_file_is_no_examination_and_no_name_is_in_it(model, ill, tmp_path: Path) -> None:
    store = ExaminedStore(tmp_path, model)
    store.keep(ill, examine(model, ill)[0])
    (path,) = tmp_path.rglob("*.json")
    assert "Jane" not in path.read_text()
    for content in ("", "{}", "[1]", path.read_text()[:-200]):
        path.write_text(content)
        assert store.load(ill) is None
