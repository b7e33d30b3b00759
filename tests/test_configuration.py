from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from brain_cae.configuration import check_alpha, check_target, conf_folder, validate, validate_evaluate, validation_size
from brain_cae.detector.build import make_network, make_reshape
from brain_cae.errors import ConfigurationError

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
    make_reshape(config)
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
    from brain_cae.models.autoencoder import ConvolutionalAutoencoder

    from_yaml = make_network(make_config())
    from_python = ConvolutionalAutoencoder(2, (16, 32, 64, 128), (2, 2, 2, 1), 8)
    assert [p.shape for p in from_yaml.parameters()] == [p.shape for p in from_python.parameters()]


@pytest.mark.parametrize(
    ("override", "key", "hint"),
    [
        ("+seeed=3", "seeed", "`seed`"),
        ("+dataset.subject=3", "dataset.subject", "`dataset.subjects`"),
        ("+model.network.chanels=[1]", "model.network.chanels", "`model.network.channels`"),
        ("seed=abc", "seed", "whole number"),
        ("trainer.max_epochs=many", "trainer.max_epochs", "whole number"),
        ("model.learning_rate=fast", "model.learning_rate", "number"),
        ("evaluation.maps=perhaps", "evaluation.maps", "true or false"),
        ("scoring.alpha=1.5", "scoring.alpha", "between 0 and 1"),
        ("scoring.smoothing_mm=-2", "scoring.smoothing_mm", "0 or more"),
        ("scoring.alpha=0.001", "scoring.alpha", "999 healthy validation brains"),
        ("scoring.sign.flair=sideways", "scoring.sign.flair", "darker | brighter | both"),
        ("modality.names=[t1,pet]", "modality.names", "t1, t2, flair, t1ce"),
        ("modality.reference=t2", "modality.reference", "t1 | flair"),
        ("split.train=0.9", "split", "below 1"),
        ("+split.protocol=a", "split.protocol", "one of classifier, file"),
        ("split.name=leave", "split.name", "leave_protocol_out"),
        ("scoring.frame=[4,4,4]", "scoring.frame", "at least 8"),
        ("model.loss=huber", "model.loss", "l1 | l2"),
        ("model.network._target_=torch.load", "model.network._target_", "brain_cae"),
        ("model.network._target_=brain_cae.nothing", "model.network._target_", "no class"),
        ("dataset=folder", "dataset.root", "dataset.root="),
        ("dataset=bids", "dataset.root", "dataset.root="),
        ("dataset=combined", "dataset.parts", "dataset.parts.ixi.root"),
        ("model.network.strides=[2,2]", "model.network", "same length"),
        ("model.network.latent_channels=0", "model.network", "at least 1"),
        ("model.weight_decay=inf", "model.weight_decay", "no finite number"),
        ("trainer.accelerator=abacus", "trainer.accelerator", "auto | cpu | gpu"),
        ("features.name=${nothing}", "features.name", "leads nowhere"),
    ],
)
def test_wrong_values_name_the_key_and_what_is_valid(make_config, override, key, hint):
    with pytest.raises(ConfigurationError) as caught:
        make_config(override)
    assert key in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("combat", "minimum=1", "at least 2 healthy subjects"),
        ("residualise", "penalty=-1", "0 or more"),
        ("histogram", "percentiles=[90,10]", "ascending"),
        ("histogram", "percentiles=[50]", "two or more"),
        ("histogram", "percentiles=[10,120]", "from 0 to 100"),
    ],
)
def test_wrong_values_of_a_remedy_are_named(make_config, option, value, hint):
    with pytest.raises(ConfigurationError) as caught:
        make_config(f"harmonise={option}", f"harmonise.{value}")
    assert f"harmonise.{value.partition('=')[0]}" in str(caught.value)
    assert hint in str(caught.value)


def test_parts_with_a_place_take_part(make_config):
    config = make_config(
        "dataset=combined",
        "dataset.parts.ixi.root=/ixi",
        "dataset.parts.folder.table=/scans.csv",
        "+dataset@dataset.parts.clinic=folder",
        "dataset.parts.clinic.root=/clinic",
        "dataset.parts.clinic.skull=on",
        "dataset.parts.clinic.label=healthy",
    )
    parts = config.dataset.parts
    assert {name: (part.name, part.root) for name, part in parts.items()} == {
        "ixi": ("ixi", "/ixi"), "folder": ("folder", None), "clinic": ("folder", "/clinic")
    }  # fmt: skip
    assert (parts["clinic"].skull, parts["clinic"].label) == ("on", "healthy")


@pytest.mark.parametrize(
    ("overrides", "key", "hint"),
    [
        (["+dataset@dataset.parts.clinic=folder"], "dataset.parts.clinic.root", "dataset.parts.clinic.table="),
        (["+dataset@dataset.parts.b-c=ixi", "dataset.parts.b-c.root=/x"], "dataset.parts.b-c", "letters"),
        (["+dataset@dataset.parts.more=combined"], "dataset.parts.more", "any data set but combined"),
        (["dataset.parts.bids.root=/x", "dataset.parts.bids.skull=off"], "dataset.parts.bids.skull", "on | stripped"),
        (["dataset.parts.bids.root=/x", "dataset.parts.bids.label=ill"], "dataset.parts.bids.label", "healthy |"),
        (["+dataset.parts.x={name: tape, root: /x}"], "dataset.parts.x.name", "ixi"),
        (["+dataset.parts.x=/x"], "dataset.parts.x", "group of keys"),
        (["dataset.parts.ixi.root=/x", "+dataset.parts.ixi.sex=M"], "dataset.parts.ixi.sex", "one of"),
        (["dataset.parts.ixi.root=/x", "dataset.test_only=[bids]"], "dataset.test_only", "Expected: ixi"),
    ],
)
def test_a_wrong_part_names_its_key(make_config, overrides, key, hint):
    with pytest.raises(ConfigurationError) as caught:
        make_config("dataset=combined", *overrides)
    assert key in str(caught.value) and hint in str(caught.value)


def test_alpha_needs_enough_brains():
    check_alpha(0.1, 9)
    with pytest.raises(ConfigurationError, match="at least 9"):
        check_alpha(0.1, 8)


def test_validation_is_raised_to_the_minimum_but_never_takes_more_than_half(make_config):
    split = make_config().split
    assert validation_size(107, split) == 40
    assert validation_size(400, split) == 100
    assert validation_size(30, split) == 15


def test_evaluation_refuses_what_the_run_has_fixed():
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose("evaluate", overrides=["+model=cae"])
    with pytest.raises(ConfigurationError, match="fixed by the run"):
        validate_evaluate(composed)


def test_evaluation_takes_another_dataset():
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose("evaluate", overrides=["run=here", "dataset=folder", "dataset.root=/scans"])
    config = validate_evaluate(composed)
    assert (config.run, config.dataset.root) == ("here", "/scans")


def test_evaluation_takes_combined_data_sets_and_checks_their_words():
    given = ["dataset=combined", "dataset.parts.bids.root=/bids", "dataset.parts.bids.skull=stripped"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose("evaluate", overrides=given)
        wrong = compose("evaluate", overrides=["dataset=folder", "dataset.root=/x", "dataset.skull=maybe"])
    assert list(validate_evaluate(composed).dataset.parts) == ["bids"]
    with pytest.raises(ConfigurationError, match=r"dataset\.skull"):
        validate_evaluate(wrong)


def test_a_target_from_elsewhere_is_refused():
    with pytest.raises(ConfigurationError, match="may not name"):
        check_target({"_target_": "os.system"}, "model.network", allowed=("brain_cae.", "monai.networks."))


def test_validate_leaves_the_composed_configuration_alone():
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose("train")
    before = OmegaConf.to_yaml(composed)
    validate(composed)
    assert OmegaConf.to_yaml(composed) == before


def test_the_help_page_speaks_of_every_group():
    template = Path(conf_folder() / "hydra" / "help" / "brain_cae.yaml").read_text()
    assert not [group for group in GROUPS if f"    {group} " not in template]
