"""Value ranges, allowed words, and choices that exclude each other."""

import os
from dataclasses import replace

import pytest
import yaml
from torch import nn

from brain_cae.configuration import EvaluateConfig, classifier_option
from brain_cae.configuration.checks import (
    RANGES,
    WORDS,
    calibration_needed,
    check_alpha,
    check_classes,
    check_target,
    check_values,
    validation_size,
)
from brain_cae.configuration.options import conf_folder, read_option
from brain_cae.errors import ConfigurationError

from ..conftest import compose_config


class Plain(nn.Conv3d):
    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(in_channels, width, kernel_size=1)


@pytest.mark.parametrize(
    ("override", "key", "hint"),
    [
        ("+model.network.chanels=[1]", "model.network.chanels", "`model.network.channels`"),
        ("scoring.alpha=1.5", "scoring.alpha", "between 0 and 1"),
        ("scoring.smoothing_mm=-2", "scoring.smoothing_mm", "0 or more"),
        ("scoring.samples_per_deviation=-1", "scoring.samples_per_deviation", "0 or more"),
        ("scoring.alpha=0.001", "scoring.alpha", "999 healthy validation brains"),
        ("scoring.sign.flair=sideways", "scoring.sign.flair", "darker | brighter | both"),
        ("modality.names=[t1,pet]", "modality.names", "t1, t2, flair, t1ce"),
        ("modality.reference=t2", "modality.reference", "t1 | flair"),
        ("split.train=0.9", "split", "below 1"),
        ("scoring.frame=[4,4,4]", "scoring.frame", "at least 8"),
        ("model.members=[caee]", "model.members", "cae"),
        ("model.loss=huber", "model.loss", "l1 | l2"),
        ("model.network._target_=torch.load", "model.network._target_", "brain_cae"),
        ("model.network._target_=brain_cae.nothing", "model.network._target_", "no class"),
        ("dataset=folder", "dataset.root", "dataset.root="),
        ("model.network.strides=[2,2]", "model.network", "same length"),
        ("model.network.latent_channels=0", "model.network", "at least 1"),
        ("trainer.accelerator=abacus", "trainer.accelerator", "auto | cpu | gpu"),
    ],
)
def test_invalid_values_name_the_key_and_what_is_valid(make_config, override, key, hint):
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
def test_invalid_values_of_a_harmonisation_name_the_key_and_what_is_valid(make_config, option, value, hint):
    with pytest.raises(ConfigurationError) as caught:
        make_config(f"harmonise={option}", f"harmonise.{value}")
    assert f"harmonise.{value.partition('=')[0]}" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize("override", ["cache=''", "resume=", "split.file=", "dataset.root="])
def test_a_path_of_nothing_is_refused(make_config, override):
    with pytest.raises(ConfigurationError, match=f"The key `{override.partition('=')[0]}` has no value") as raised:
        make_config(override)
    assert "shell" in raised.value.found


@pytest.mark.parametrize(
    "given",
    [
        ["dataset=combined", "dataset.parts.folder.root=/scans", "dataset.parts.dicom.root="],
        ["dataset=dicom", "dataset.root=/scans", "dataset.labels="],
        ["dataset@external=dicom", "external.root=/scans", "external.key_file="],
    ],
)
def test_a_path_of_nothing_is_refused_in_every_data_set(make_config, given):
    with pytest.raises(ConfigurationError, match=f"The key `{given[-1].strip('=')}` has no value"):
        make_config(*given)


def test_an_evaluation_without_the_name_of_its_run_does_not_take_another():
    for keys in ({"run": ""}, {"run": None, "calibrate": ""}):
        with pytest.raises(ConfigurationError, match="has no value"):
            check_values(EvaluateConfig(**keys, cache=".cache", workers=1))


def test_every_rule_is_for_an_existing_key():
    """A renamed key would silently lose its range."""
    groups = [
        compose_config(f"reshape={reshape}", f"harmonise={harmonise}", "executor=submitit_slurm", "logger=wandb")
        for reshape, harmonise in (("clustered", "combat"), ("isotropic", "residualise"))
    ]
    for key in (*RANGES, *WORDS):
        values = groups
        for name in key.split("."):
            values = [getattr(value, name) for value in values if hasattr(value, name)]
        assert values, key


def test_nested_evaluation_refuses_other_role_assignments(make_config):
    for override in ("split=protocol", "trainer.devices=2"):
        with pytest.raises(ConfigurationError, match="evaluation=nested draws the roles"):
            make_config("evaluation=nested", "dataset.subjects=400", override)


def test_an_unknown_parameter_or_an_invalid_range_in_a_search_space_is_named(make_config):
    config, logistic = make_config(), classifier_option("logistic")

    def check(space):
        check_classes(config, [replace(logistic, tuning=replace(logistic.tuning, space=space))])

    check({"C": {"low": 0.1, "high": 1, "log": True}, "fit_intercept": {"choices": [True, False]}})
    with pytest.raises(ConfigurationError, match=r"classifier\.tuning\.space\.D"):
        check({"D": {"low": 1, "high": 2}})
    for wrong in ({"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"choices": []}, {"low": 1}):
        with pytest.raises(ConfigurationError, match="is neither a range nor a list of choices"):
            check({"C": wrong})


def test_a_network_with_an_empty_layer_cannot_be_built(make_config):
    model = replace((config := make_config()).model, network={"_target_": f"{__name__}.Plain", "width": 0})
    with pytest.raises(ConfigurationError, match=r"weight has no weights: a number of channels is 0"):
        check_classes(replace(config, model=model, extensions=[__name__.partition(".")[0]]))


@pytest.mark.parametrize("look", ["inspect=false", "inspect=true"])
def test_an_unknown_class_is_found_before_anything_is_read(make_config, look):
    with pytest.raises(ConfigurationError, match=r"no class `brain_cae\.models\.autoencoder\.Nothing`"):
        make_config("model.network._target_=brain_cae.models.autoencoder.Nothing", look)


def test_alpha_needs_enough_brains():
    check_alpha(0.1, 9)
    with pytest.raises(ConfigurationError, match="at least 9"):
        check_alpha(0.1, 8)
    assert [calibration_needed(alpha) for alpha in (0.05, 0.1, 0.3)] == [19, 9, 3]


def test_validation_is_raised_to_the_minimum_but_never_takes_more_than_half(make_config):
    split = make_config().split
    assert validation_size(107, split) == 46
    assert validation_size(400, split) == 100
    assert validation_size(30, split) == 15


def test_a_target_from_another_package_is_refused():
    with pytest.raises(ConfigurationError, match="must not use"):
        check_target({"_target_": "os.system"}, "model.network", allowed=("brain_cae.", "monai.networks."))


def test_a_stored_model_cannot_name_a_file_of_its_own_to_spare_its_class_the_check(make_config, tmp_path):
    network = {"_target_": "subprocess.Popen"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"network": network}))
    name = os.path.relpath(tmp_path / "mine", conf_folder() / "model")
    assert read_option("model", name)["network"] == network
    config = make_config()
    with pytest.raises(ConfigurationError, match="must not use"):
        check_classes(replace(config, model=replace(config.model, name=name, network=network)), changed_only=True)
