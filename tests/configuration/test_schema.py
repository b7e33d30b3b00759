"""The schema agrees with the YAML files and with the code that uses it."""

from dataclasses import MISSING, fields

import pytest

from brain_cae.configuration import schema
from brain_cae.configuration.groups import OPTIONS
from brain_cae.configuration.options import read_option
from brain_cae.phantom import protocol
from brain_cae.scans.sources import base

CASES = [(group, name) for group in sorted(OPTIONS) for name in OPTIONS[group]]


@pytest.mark.parametrize(("group", "name"), CASES)
def test_a_file_has_the_keys_of_its_schema_and_its_name(group, name):
    values = read_option(group, name)
    assert set(values) == {field.name for field in fields(OPTIONS[group][name])}
    assert values["name"] == name


def test_modalities_are_the_same_everywhere():
    assert schema.MODALITIES == base.MODALITIES
    assert set(schema.MODALITIES) == set(protocol.MODALITIES)


def test_the_keys_of_an_evaluation_have_the_same_names_as_in_training():
    of_evaluation, of_training = ({f.name for f in fields(kind)} for kind in (schema.EvaluateConfig, schema.Config))
    assert of_evaluation - of_training == {"run", "calibrate", "audit_only"}
    # Shared keys default to None or false: then the value of the run is used.
    asked = {f.name for f in fields(schema.EvaluateConfig) if f.default is not MISSING and f.default in (None, False)}
    assert asked == {"calibrate", "audit_only", "audit", "dataset", "inspect", "classifier", "balancing"}
