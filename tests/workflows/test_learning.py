"""Learning begins with the checks that are too slow to make before the import."""

from dataclasses import replace

import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cohort import Cohort
from brain_cae.workflows.learning import learn_and_evaluate


def test_an_edited_option_file_is_checked_before_preparation(make_config, tmp_path):
    config = make_config()
    edited = replace(config, model=replace(config.model, network={**config.model.network, "strides": [2, 2]}))
    cohort = Cohort(index=None, report=None, cautions=[], modalities=["t1"], reference="t1")
    with pytest.raises(ConfigurationError, match="network cannot be built"):
        learn_and_evaluate(edited, cohort, RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
