"""Learning begins with the checks that are too slow to make before the import."""

from dataclasses import replace

import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.workflows.learning import check


def test_an_edited_option_file_is_checked_before_preparation(make_config):
    config = make_config()
    edited = replace(config, model=replace(config.model, network={**config.model.network, "strides": [2, 2]}))
    with pytest.raises(ConfigurationError, match="network cannot be built"):
        check(edited)
