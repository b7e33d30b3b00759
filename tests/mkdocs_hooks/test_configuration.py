"""The page of configuration keys: complete, whatever is added to ``conf/`` or to the schema."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from brain_cae.configuration.groups import OPTIONS
from brain_cae.configuration.options import conf_folder, option_names
from brain_cae.configuration.schema import Config, EvaluateConfig
from mkdocs_hooks.configuration import page

GROUPS = sorted(
    path.name for path in conf_folder().iterdir() if path.is_dir() and path.name not in ("hydra", "experiment")
)
LEFT_OUT = re.compile(r"(^|\.)(name|_target_)$")


@pytest.fixture(scope="module")
def shown() -> str:
    return page(conf_folder())


@pytest.fixture(scope="module")
def headings(shown) -> dict[str, set[str]]:
    """The keys that the page lists, by command."""
    train, evaluate = shown.split("## Keys of `evaluate.py`")
    return {
        "train": set(re.findall(r"^### `(\S+)`", train, re.MULTILINE)),
        "evaluate": set(re.findall(r"^### `(\S+)`", evaluate, re.MULTILINE)),
    }


def leaves(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inside in value.items():
            yield from leaves(inside, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix


def general(key: str) -> str:
    """The name under which the page lists a key of a part of ``combined``, or of one of the scores."""
    key = re.sub(r"^dataset\.parts\.\w+\.", "dataset.", key)
    return re.sub(r"^scoring\.scores\.\w+\.", "scoring.scores.<name>.", key)


def is_listed(key: str, listed: set[str]) -> bool:
    parts = general(key).split(".")
    return any(".".join(parts[:end]) in listed for end in range(1, len(parts) + 1))


@pytest.mark.parametrize("group", GROUPS)
def test_every_key_of_every_option_is_listed(group, headings):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        for option in option_names(group):
            composed = compose("train", overrides=[f"{group}={option}"])
            keys = leaves(OmegaConf.to_container(composed, resolve=False))
            # A data set outside, the modes of debug and experiments are groups: off until they are chosen.
            known = {key for key in keys if not LEFT_OUT.search(key) and key not in ("external", "debug", "experiment")}
            assert {key for key in known if not is_listed(key, headings["train"])} == set()


def test_every_key_of_an_evaluation_is_listed(headings):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = OmegaConf.to_container(compose("evaluate"), resolve=False)
    own = {
        key for key in leaves(composed) if key.split(".")[0] not in ("dataset", "classifier", "balancing", "executor")
    }
    known = {key for key in own if not LEFT_OUT.search(key)}
    assert {key for key in known if not is_listed(key, headings["evaluate"] | headings["train"])} == set()
    assert {"audit.table", "scoring.alpha", "run", "export"} <= headings["evaluate"]


def schema_keys(kind: type, prefix: str = "") -> Iterator[str]:
    hints = get_type_hints(kind)
    for field in fields(kind):
        name = f"{prefix}{field.name}"
        nested = [part for part in (hints[field.name], *get_args(hints[field.name])) if is_dataclass(part)]
        options = OPTIONS.get(name, {}).values()
        if nested or options:
            for inside in dict.fromkeys([*nested, *options]):
                yield from schema_keys(inside, f"{name}.")
        else:
            yield name


@pytest.mark.parametrize(("command", "schema"), [("train", Config), ("evaluate", EvaluateConfig)])
def test_every_field_of_the_schema_is_listed(command, schema, headings):
    # What is a group itself has a section of that name.
    sections = {"dataset", "external", "reshape", "harmonise", "debug", "executor", "scoring.scores"}
    keys = {key for key in schema_keys(schema) if not LEFT_OUT.search(key)} - sections
    listed = headings[command] if command == "train" else headings["train"] | headings["evaluate"]
    assert {key for key in keys if not is_listed(key, listed)} == set()


def test_type_default_range_and_comment_are_shown(shown):
    assert "### `scoring.alpha` { #scoring-alpha .key }\n\nnumber · default `0.10` · a rate between 0 and 1\n" in shown
    assert "whole number or null · default `null` · a number of groups" in shown  # declared beside the class
    assert "default `40` · a number of epochs, 1 or more" in shown
    assert "`probable` | `average`" in shown


def test_a_key_without_comment_is_an_error_that_names_it(tmp_path):
    conf = shutil.copytree(conf_folder(), tmp_path / "conf")
    path = conf / "evaluation" / "crossfit.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^(resamples: \d+).*$", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    with pytest.raises(ValueError, match=r"evaluation\.resamples \(crossfit\)"):
        page(conf)


def test_an_option_without_comment_is_an_error_that_names_it(tmp_path):
    conf = shutil.copytree(conf_folder(), tmp_path / "conf")
    (conf / "balancing" / "bare.yaml").write_text("name: bare\nsampler: null # none\n", encoding="utf-8")
    with pytest.raises(ValueError, match="balancing: bare"):
        page(conf)
