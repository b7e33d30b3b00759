"""The schema agrees with the YAML files and with the code that uses it."""

from dataclasses import MISSING, fields, replace

import pytest

from brain_cae.configuration import schema
from brain_cae.configuration.groups import OPTIONS
from brain_cae.configuration.options import read_option

CASES = [(group, name) for group in sorted(OPTIONS) for name in OPTIONS[group]]


@pytest.mark.parametrize(("group", "name"), CASES)
def test_a_file_has_the_keys_of_its_schema_and_its_name(group, name):
    values = read_option(group, name)
    assert set(values) == {field.name for field in fields(OPTIONS[group][name])}
    assert values["name"] == name


def test_the_keys_of_an_evaluation_have_the_same_names_as_in_training():
    of_evaluation, of_training = ({f.name for f in fields(kind)} for kind in (schema.EvaluateConfig, schema.Config))
    assert of_evaluation - of_training == {"run", "calibrate", "audit_only", "export"}
    # Shared keys default to None or false: then the value of the run is used.
    asked = {f.name for f in fields(schema.EvaluateConfig) if f.default is not MISSING and f.default in (None, False)}
    assert asked == {"calibrate", "audit_only", "export", "audit", "dataset", "inspect", "classifier", "balancing"}


@pytest.mark.parametrize(
    ("name", "holds_out_protocol", "needs_protocols"),
    [("stratified", False, False), ("protocol", False, True), ("leave_protocol_out", True, True)],
)
def test_every_split_says_what_it_does_with_protocols(name, holds_out_protocol, needs_protocols):
    split = OPTIONS["split"][name](**read_option("split", name))
    assert (split.holds_out_protocol, split.needs_protocols) == (holds_out_protocol, needs_protocols)
    assert not split.reads_file
    if hasattr(split, "file"):
        assert replace(split, file="splits.csv").reads_file


@pytest.mark.parametrize(
    ("name", "holds_out", "refits"),
    [("crossfit", False, False), ("holdout", True, False), ("nested", False, True)],
)
def test_every_evaluation_says_how_subjects_are_kept_apart(name, holds_out, refits):
    evaluation = schema.Evaluation(**read_option("evaluation", name))
    assert (evaluation.holds_out, evaluation.refits_everything) == (holds_out, refits)
