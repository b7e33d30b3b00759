"""Conversion of composed keys to typed values: errors name an invalid key or value, and what is valid."""

import pytest
from omegaconf import OmegaConf

from brain_cae.configuration.conversion import fit_group, keys_beside, unknown_key, unknown_option
from brain_cae.configuration.options import read_option
from brain_cae.configuration.schema import Classifier
from brain_cae.errors import ConfigurationError


@pytest.mark.parametrize(
    ("override", "key", "hint"),
    [
        ("+seeed=3", "seeed", "`seed`"),
        ("+dataset.subject=3", "dataset.subject", "`dataset.subjects`"),
        ("seed=abc", "seed", "whole number"),
        ("trainer.max_epochs=many", "trainer.max_epochs", "whole number"),
        ("model.learning_rate=fast", "model.learning_rate", "number"),
        ("evaluation.maps=perhaps", "evaluation.maps", "true or false"),
        ("+split.protocol=a", "split.protocol", "one of classifier, file"),
        ("split.name=leave", "split.name", "leave_protocol_out"),
        ("dataset=bids", "dataset.root", "dataset.root="),
        ("dataset=combined", "dataset.parts", "dataset.parts.ixi.root"),
        ("model.weight_decay=inf", "model.weight_decay", "not a finite number"),
        ("scoring.scores.intensity=2", "scoring.scores.intensity", "Expected: a group of keys\n  Found: 2"),
        ("+audit.extra.mine=null", "audit.extra.mine", "a group of keys"),
        ("scoring.frame=3", "scoring.frame", "a list"),
        ("features.name=${nothing}", "features.name", "cannot be resolved"),
    ],
)
def test_invalid_values_name_the_key_and_what_is_valid(make_config, override, key, hint):
    with pytest.raises(ConfigurationError) as caught:
        make_config(override)
    assert key in str(caught.value)
    assert hint in str(caught.value)


def test_the_home_folder_is_that_of_the_user_in_every_key(make_config, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = make_config('cache="~/c"', "dataset=combined", 'dataset.parts.ixi.root="~/ixi"', 'split.file="a~/b"')
    assert (config.cache, config.dataset.parts["ixi"].root, config.split.file) == ("/home/me/c", "/home/me/ixi", "a~/b")


def test_parts_with_a_folder_or_table_are_used(make_config):
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
        (["+dataset@dataset.parts.more=combined"], "dataset.parts.more", "any data set except combined"),
        (["dataset.parts.bids.root=/x", "dataset.parts.bids.skull=off"], "dataset.parts.bids.skull", "on | stripped"),
        (["dataset.parts.bids.root=/x", "dataset.parts.bids.label=ill"], "dataset.parts.bids.label", "healthy |"),
        (["+dataset.parts.x={name: tape, root: /x}"], "dataset.parts.x.name", "ixi"),
        (["+dataset.parts.x=/x"], "dataset.parts.x", "group of keys"),
        (["dataset.parts.ixi.root=/x", "+dataset.parts.ixi.sex=M"], "dataset.parts.ixi.sex", "one of"),
        (["dataset.parts.ixi.root=/x", "dataset.test_only=[bids]"], "dataset.test_only", "Expected: ixi"),
    ],
)
def test_the_error_about_an_invalid_part_names_its_key(make_config, overrides, key, hint):
    with pytest.raises(ConfigurationError) as caught:
        make_config("dataset=combined", *overrides)
    assert key in str(caught.value) and hint in str(caught.value)


def test_the_closest_name_is_suggested_only_if_it_is_similar():
    assert "Did you mean `model.loss`?" in str(unknown_key("model.los", ["loss", "name"]))
    assert "Did you mean" not in str(unknown_key("model.xyz", ["loss", "name"]))
    assert "Did you mean" not in str(unknown_key("xyz", ["loss"], [f"{group}.xyz" for group in "abcd"]))
    assert "Did you mean `reshape=modal`?" in str(unknown_option("reshape", "model", ["fixed", "modal"]))
    assert "There is no group `shape`." in str(unknown_option("shape", "modal", []))


def test_the_alternatives_to_an_unknown_key_are_the_keys_of_its_group():
    config = OmegaConf.create({"seed": 0, "model": {"loss": "l1", "name": "cae"}})
    assert keys_beside(config, "model.los") == ["loss", "name"]
    assert keys_beside(config, "sed") == ["seed", "model"]


def test_a_plain_value_instead_of_a_group_is_refused():
    values = read_option("classifier", "logistic")
    assert fit_group(Classifier, values, "classifier").tuning.folds == 3
    with pytest.raises(ConfigurationError, match=r"`classifier\.tuning` is a group of keys"):
        fit_group(Classifier, values | {"tuning": 3}, "classifier")
    with pytest.raises(ConfigurationError, match=r"`classifier\.name` has no value"):
        fit_group(Classifier, values | {"name": "???"}, "classifier")
