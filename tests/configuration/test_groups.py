"""The name of an option determines its keys."""

import pytest

from brain_cae.configuration.groups import OPTIONS
from brain_cae.configuration.options import option_names
from brain_cae.configuration.schema import LeaveProtocolOut, Split
from brain_cae.errors import ConfigurationError


@pytest.mark.parametrize("group", sorted(OPTIONS))
def test_every_file_has_a_schema_and_every_schema_a_file(group):
    assert sorted(OPTIONS[group]) == option_names(group)


def test_the_name_determines_the_schema(make_config):
    assert type(make_config("split=protocol").split) is Split
    assert type(make_config("split=leave_protocol_out", "split.protocol=a").split) is LeaveProtocolOut


def test_a_key_of_another_option_is_refused(make_config):
    with pytest.raises(ConfigurationError, match=r"There is no key `reshape\.box_mm`"):
        make_config("reshape=fixed", "+reshape.box_mm=[100,100,100]")
