"""The whole configuration: what training accepts, and what an evaluation may still change."""

from dataclasses import asdict, replace

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from brain_cae.configuration import (
    classifier_option,
    conf_folder,
    validate,
    validate_evaluate,
    validate_stored,
    with_asked,
)
from brain_cae.errors import ConfigurationError, RunError


def compose_evaluate(*overrides):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return validate_evaluate(compose("evaluate", overrides=list(overrides)))


def test_validate_does_not_modify_the_composed_configuration():
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose("train")
    before = OmegaConf.to_yaml(composed)
    validate(composed)
    assert OmegaConf.to_yaml(composed) == before


@pytest.mark.parametrize("key", ["model=cae", "seed=3"])
def test_an_evaluation_refuses_keys_that_are_fixed_by_the_run(key):
    with pytest.raises(ConfigurationError, match="fixed by the run"):
        compose_evaluate(f"+{key}")


def test_an_evaluation_accepts_another_dataset():
    config = compose_evaluate("run=here", "dataset=folder", "dataset.root=/scans")
    assert (config.run, config.dataset.root) == ("here", "/scans")


def test_an_evaluation_accepts_combined_data_sets_and_checks_their_values():
    given = ["dataset=combined", "dataset.parts.bids.root=/bids", "dataset.parts.bids.skull=stripped"]
    assert list(compose_evaluate(*given).dataset.parts) == ["bids"]
    with pytest.raises(ConfigurationError, match=r"dataset\.skull"):
        compose_evaluate("dataset=folder", "dataset.root=/x", "dataset.skull=maybe")


def test_an_evaluation_may_change_the_classifier_only_for_the_subjects_of_the_run(make_config):
    asked = compose_evaluate("run=here", "classifier=svm")
    config = make_config()
    changed = with_asked(config, asked)
    assert (config.classifier.name, changed.classifier.name) == ("logistic", "svm")
    assert changed.balancing == config.balancing and changed.evaluation.maps is False
    assert with_asked(config, compose_evaluate("run=here")) == config
    asked = with_asked(config, compose_evaluate("run=here", "scoring.alpha=0.05", "scoring.guarantee=average"))
    assert asked == replace(config, scoring=replace(config.scoring, alpha=0.05, guarantee="average"))
    with pytest.raises(ConfigurationError, match="`classifier` can only be chosen for the subjects of the run"):
        compose_evaluate("run=here", "classifier=svm", "dataset=folder", "dataset.root=/scans")


@pytest.mark.parametrize("audit", ["audit.table=scores.csv", "audit_only=true"])
def test_an_audit_without_a_model_is_given_nothing_that_it_would_not_use(audit):
    name = audit.partition("=")[0]
    folder = ["dataset=folder", "dataset.root=/scans"]
    assert compose_evaluate(audit, "run=here").audit_only
    for key, choices in {"export": ["export=onnx"], "calibrate": ["calibrate=/x"], "dataset": folder}.items():
        if (name, key) == ("audit_only", "dataset"):
            assert compose_evaluate(audit, *choices).dataset.root == "/scans"
            continue
        with pytest.raises(ConfigurationError, match=f"`{name}` does not use `{key}`") as caught:
            compose_evaluate(audit, *choices)
        assert caught.value.advice.endswith(f"or {name} to use a model.")


def test_an_unknown_classifier_gets_the_closest_name_as_a_suggestion():
    assert classifier_option("knn").name == "knn"
    with pytest.raises(ConfigurationError, match="Did you mean `classifier=knn`"):
        classifier_option("kn")


def test_a_model_of_a_newer_version_is_called_so_also_by_a_look(make_config, tmp_path):
    (tmp_path / "model").mkdir()
    stored = asdict(make_config())
    (tmp_path / "model" / "config.yaml").write_text(yaml.safe_dump(stored))
    assert validate_stored(tmp_path, [], inspect=True).inspect
    for key, value in (("shiny", 3), ("model", stored["model"] | {"attention": True})):
        (tmp_path / "model" / "config.yaml").write_text(yaml.safe_dump(stored | {key: value}))
        with pytest.raises(RunError, match="There is no key") as caught:
            validate_stored(tmp_path, [])
        assert "if a newer version of the program wrote it" in str(caught.value.advice)
