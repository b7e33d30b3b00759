"""Every option of ``conf/`` can be composed, and its objects can be built."""

from pathlib import Path

import pytest
from hydra.utils import instantiate

from brain_cae.configuration.checks import check_classes
from brain_cae.configuration.options import conf_folder, option_names, read_option
from brain_cae.detector.build import make_network, make_reshape

GROUPS = sorted(
    path.name for path in conf_folder().iterdir() if path.is_dir() and path.name not in ("hydra", "__pycache__")
)
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((conf_folder() / group).glob("*.yaml"))]
DESIGN = {
    "dataset", "modality", "preprocess", "reshape", "model", "scoring", "features", "classifier", "balancing", "split",
    "evaluation", "harmonise", "audit", "trainer", "logger", "debug", "experiment",
}  # fmt: skip


def test_every_group_of_the_design_has_an_option():
    assert {group for group, _ in OPTIONS} >= DESIGN


PLACES = {"phantom": [], "combined": ["dataset.parts.ixi.root=/scans"]}


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_instantiates(make_config, group, option):
    extra = PLACES.get(option, ["dataset.root=/scans"]) if group == "dataset" else []
    config = make_config(f"{group}={option}", *extra)
    if group not in ("debug", "experiment"):
        assert getattr(config, group).name == option
    check_classes(config)  # a run skips what is as in its file
    make_reshape(config, 8)
    if config.balancing.sampler:
        instantiate(config.balancing.sampler)
    instantiate(config.classifier.estimator)


@pytest.mark.parametrize("modality", ["t1", "t2", "flair", "t1ce", "t1_t2", "t1_flair", "t2_flair", "t1_t2_flair"])
def test_network_has_one_channel_per_modality(make_config, modality):
    import torch

    network = make_network(make_config(f"modality={modality}"))
    volumes = torch.zeros(1, modality.count("_") + 1, 16, 16, 8)
    assert network(volumes).shape == volumes.shape


def test_yaml_and_python_build_the_same_network(make_config):
    from brain_cae.models.subpixel import SubpixelAutoencoder

    from_yaml = make_network(make_config())
    from_python = SubpixelAutoencoder(2, (32, 64, 128), (2, 2, 1), 8)
    assert [p.shape for p in from_yaml.parameters()] == [p.shape for p in from_python.parameters()]


def test_the_help_page_describes_every_group():
    template = Path(conf_folder() / "hydra" / "help" / "brain_cae.yaml").read_text()
    assert not [group for group in GROUPS if f"    {group} " not in template]


def test_options_are_sorted_and_read_as_written_in_their_files():
    assert option_names("reshape") == ["clustered", "fixed", "isotropic", "modal"]
    assert option_names("shape") == []
    assert read_option("modality", "t1_flair")["names"] == ["t1", "flair"]
