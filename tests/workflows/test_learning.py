"""Learning begins with the checks that are too slow to make before the import."""

from dataclasses import replace

import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.workflows.learning import check, losses_of


def test_an_edited_option_file_is_checked_before_preparation(make_config):
    config = make_config()
    edited = replace(config, model=replace(config.model, network={**config.model.network, "strides": [2, 2]}))
    with pytest.raises(ConfigurationError, match="network cannot be built"):
        check(edited)


def test_the_losses_of_every_network_of_a_run_are_found_but_not_those_of_earlier_tries(tmp_path):
    for name in ("", "members/1_subspace/", "folds/0/", "folds/0/members/1_subspace/", "earlier_1/", "outer/0/"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "training.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    found = losses_of(tmp_path)
    folders = ("", "members/1_subspace/", "folds/0/", "folds/0/members/1_subspace/")
    assert set(found) == {f"{folder}training.csv" for folder in folders}
    assert found["training.csv"] == [0.5, 0.25]
