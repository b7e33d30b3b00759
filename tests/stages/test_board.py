"""What TensorBoard and trackers receive of a run."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import yaml

from brain_cae.stages.board import THUMBNAIL, embedding, main_choices, typed_choices


def test_choices_are_those_that_were_typed_and_change_a_result(tmp_path, make_config):
    (tmp_path / ".hydra").mkdir()
    typed = ["reshape=fixed", "++seed=3", "trainer.workers=4", "cache=/x", "hydra.run.dir=/y", "verbosity=quiet"]
    (tmp_path / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(typed))
    assert typed_choices(tmp_path) == {"reshape": "fixed", "seed": "3"}
    chosen = main_choices(make_config("reshape=fixed", "seed=3"), tmp_path)
    assert chosen["reshape"] == "fixed" and chosen["seed"] == 3 and chosen["modality"] == "t1_flair"
    assert typed_choices(tmp_path / "elsewhere") == {}


def test_a_thumbnail_has_the_proportions_of_the_brain_and_anterior_at_the_top(make_config):
    volume = np.zeros((2, 40, 20, 9), np.float32)
    volume[1, :, :10] = 1.0  # posterior half of a square of 40 mm, of the reference
    brain = SimpleNamespace(volume=volume, spacing=(1.0, 2.0, 5.0))
    names = list("abc")
    assessment = SimpleNamespace(
        features=pd.DataFrame({"encoder_mean_00": [1.0, 2.0, 3.0]}, index=names),
        cohort=SimpleNamespace(prepared=dict.fromkeys(names, brain)),
    )
    shown = embedding(make_config(), assessment)
    assert shown.thumbnails.shape == (3, THUMBNAIL, THUMBNAIL)
    assert not shown.thumbnails[0, : THUMBNAIL // 2].any() and (shown.thumbnails[0, THUMBNAIL // 2 :] == 1).all()
    brain.spacing = (1.0, 1.0, 5.0)  # half as long: air on both sides, not a stretched brain
    assert (embedding(make_config(), assessment).thumbnails[0].any(axis=1).sum()) == THUMBNAIL // 4
    for features in (assessment.features.iloc[:2], assessment.features.add_prefix("residual_")):
        assert embedding(make_config(), SimpleNamespace(features=features)) is None
