"""The space in which places are compared, where skulls are on and where a brain does not match the template."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.stages.cohort import Cohort
from brain_cae.stages.space import placed, with_space

from ..conftest import compose_config


def cohort(skull: str) -> Cohort:
    index = pd.DataFrame({"subject": ["a", "b"], "modality": "t1", "skull": skull})
    prepared = {"a": SimpleNamespace(to_template=np.eye(4)), "b": SimpleNamespace(to_template=None)}
    return Cohort(index, index.assign(status="imported", reason=""), [], ["t1"], "t1", prepared=prepared)


@pytest.mark.parametrize(("skull", "space"), [("stripped", "mni"), ("on", "box"), ("unknown", "mni")])
def test_heads_are_compared_in_their_box(skull, space) -> None:
    config = with_space(compose_config("preprocess.space=mni"), cohort(skull))
    assert config.preprocess.space == space
    assert with_space(compose_config("preprocess.space=box"), cohort(skull)).preprocess.space == "box"


def test_brains_without_a_match_are_kept_with_a_caution_where_the_template_is_used() -> None:
    assert placed(cohort("stripped"), compose_config("preprocess.space=box")).cautions == []
    after = placed(cohort("stripped"), compose_config("preprocess.space=mni"))
    assert list(after.prepared) == ["a", "b"]
    (caution,) = after.cautions
    assert caution.startswith("1 of 2 subjects do not match the template (b)")
