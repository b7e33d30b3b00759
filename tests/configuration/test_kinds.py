"""The class behind an option declares its keys, their types and their bounds."""

from dataclasses import dataclass, fields
from typing import Annotated

import pytest

from brain_cae.configuration.conversion import fit_option
from brain_cae.configuration.kinds import KINDS, check_bounds, find_class, schema_of, with_class
from brain_cae.configuration.options import option_names, read_option
from brain_cae.errors import ConfigurationError
from brain_cae.keys import Between, OneOf

CASES = [(group, name) for group in sorted(set(KINDS) - {"external"}) for name in option_names(group)]


@dataclass
class Spoon:
    size_mm: Annotated[float, Between(1, 9, "a size in mm")]
    metal: Annotated[str, OneOf(("tin", "zinc"), "Take tin.")] | None = None
    modalities: tuple[str, ...] = ()


@pytest.mark.parametrize(("group", "name"), CASES)
def test_a_file_holds_the_keys_of_its_class_and_its_name(group, name):
    values = read_option(group, name)
    composed = {"parts"} if values.pop("defaults", None) else set()
    option = find_class(values["_target_"], group, KINDS[group].packages)
    assert set(values) | composed == {field.name for field in fields(schema_of(option, KINDS[group].run))}
    assert values["name"] == name


def test_what_the_run_gives_is_no_key():
    assert [field.name for field in fields(schema_of(Spoon, ("modalities",)))] == [
        "name",
        "_target_",
        "size_mm",
        "metal",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"size_mm": 12.0, "metal": None}, "a size in mm"), ({"size_mm": 2.0, "metal": "gold"}, r"tin \| zinc")],
)
def test_a_value_out_of_bounds_is_named_with_what_is_valid(keys, message):
    choice = schema_of(Spoon, ("modalities",))(name="spoon", _target_="Spoon", **keys)
    with pytest.raises(ConfigurationError, match=message):
        check_bounds(Spoon, choice, "drawer")


def test_a_name_stands_for_its_class_also_in_a_part():
    assert with_class("external", {"name": "ixi"})["_target_"] == "brain_cae.scans.sources.ixi.Ixi"
    parts = with_class("dataset", {"name": "combined", "parts": {"a": {"name": "bids"}}})["parts"]
    assert parts["a"]["_target_"] == "brain_cae.scans.sources.bids.Bids"
    assert with_class("dataset", {"name": "tape"}) == {"name": "tape"}


def test_a_class_of_another_package_needs_to_be_allowed():
    elsewhere = {"name": "spoon", "_target_": f"{__name__}.Spoon", "size_mm": 3, "metal": "tin"}
    with pytest.raises(ConfigurationError, match="must not use") as caught:
        fit_option("dataset", elsewhere, "dataset", [])
    assert "extensions=" in str(caught.value)
    with pytest.raises(ConfigurationError, match="not a class of that package"):
        find_class("brain_cae.scans.sources.ixi.Path", "dataset", ("brain_cae.scans.sources.",))


def test_the_name_decides_on_the_class(make_config):
    assert make_config("reshape=isotropic").reshape.spacing_mm == 2.5
    assert make_config("harmonise=combat").harmonise.minimum == 3
    with pytest.raises(ConfigurationError, match=r"reshape\.groups.*is out of range"):
        make_config("reshape.groups=0")
    with pytest.raises(ConfigurationError, match=r"external\.confounding"):
        make_config("dataset@external=phantom", "external.confounding=2")
