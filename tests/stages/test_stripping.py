"""The choice of the skull stripper, and one skull state for all subjects."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from brain_cae.data import strippers
from brain_cae.data.subject import MaskFacts
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.stages import stripping
from brain_cae.stages.stripping import (
    false_skull_cautions,
    head_cautions,
    refuse_mixed_skulls,
    require_for_heads,
    with_stripper,
)


@pytest.fixture
def installed(monkeypatch):
    def put(yes):
        for module in (strippers, stripping):
            monkeypatch.setattr(module, "deepbet_installed", lambda: yes)

    return put


def test_auto_becomes_deepbet_where_it_is_installed_and_other_tools_stay(make_config, installed):
    auto = make_config()
    assert auto.preprocess.skull_strip == "auto"
    for yes, tool in ((True, "deepbet"), (False, "none")):
        installed(yes)
        assert with_stripper(auto).preprocess.skull_strip == tool
    assert auto.preprocess.skull_strip == "auto"
    for tool in ("none", "hd_bet", "deepbet"):
        config = make_config(f"preprocess.skull_strip={tool}")
        assert with_stripper(config) == config


def test_deepbet_is_required_before_work_starts_if_the_source_has_heads(make_config, installed):
    config = make_config("preprocess.skull_strip=deepbet", "modality=t1")
    installed(False)
    for skull in ("stripped", "unknown"):
        require_for_heads(config, [SeriesLocation("a", "t1", (Path("t1.nii"),), skull=skull)])
    with pytest.raises(ConfigurationError, match="such as a"):
        require_for_heads(config, [SeriesLocation("a", "t1", (Path("t1.nii"),), skull="on")])
    installed(True)
    require_for_heads(config, [SeriesLocation("a", "t1", (Path("t1.nii"),), skull="on")])


def test_one_state_for_all_passes_and_heads_are_a_caution(caplog):
    for state in ("on", "stripped"):
        refuse_mixed_skulls(pd.Series({"a": state, "b": state, "c": "unknown"}))
    assert head_cautions(pd.Series({"a": "stripped", "b": "unknown"})) == []
    (caution,) = head_cautions(pd.Series({"a": "on", "b": "unknown"}))
    assert "rough" in caution and caution in caplog.text
    with pytest.raises(DatasetError, match="on in 1: a; stripped in 1: b"):
        refuse_mixed_skulls(pd.Series({"a": "on", "b": "stripped"}))


def test_a_head_that_counts_as_stripped_is_named():
    masked = MaskFacts("brain", volume_ml=3000, plausible=False)  # the masks' own caution names it
    subjects = {"a": (3289, ()), "b": (1500, ()), "c": (3000, (masked,)), "d": (3100, ())}
    prepared = {name: SimpleNamespace(foreground_ml=size, masks=masks) for name, (size, masks) in subjects.items()}
    skull = pd.Series({"a": "stripped", "b": "stripped", "c": "stripped", "d": "on"})
    (caution,) = false_skull_cautions(skull, prepared)
    assert caution.startswith("1 subject counts as stripped but is larger than any brain (2600 mL)")
    assert caution.endswith(": a (3289 mL).") and caution.subjects == {"a"}
    assert false_skull_cautions(skull.drop("a"), {"b": prepared["b"]}) == []
