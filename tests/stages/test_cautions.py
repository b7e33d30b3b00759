"""What a reader is told before any figure, and when nothing needs to be said."""

import pandas as pd
import pytest

from brain_cae.detector.detector import Detector
from brain_cae.stages.cautions import (
    calibration_cautions,
    harmonise_cautions,
    nested_cautions,
    skull_cautions,
    training_cautions,
)
from brain_cae.stages.cohort import Cohort


def calibrated(*skull: str) -> Detector:
    return Detector(None, None, None, {}, None, [], skull=list(skull))


@pytest.fixture
def skull():
    return pd.Series({"a": "on", "b": "stripped", "c": "unknown"})


def test_few_calibration_brains_and_too_few_to_flag_anything():
    assert calibration_cautions(40, 0.1) == []
    assert [caution[:7] for caution in calibration_cautions(12, 0.1)] == ["Only 12"]
    assert "needs at least 19 of them" in calibration_cautions(12, 0.05)[1]


def test_a_skull_in_another_state_and_one_in_an_unknown_state(skull):
    detector = calibrated("stripped")
    assert [detector.unlike_skull(state) for state in skull] == [True, False, False]
    unlike, unsaid = skull_cautions(detector, skull)
    assert unlike.startswith("In 1 of these subjects the skull is on, in the brains that calibrate it is stripped")
    assert "not known of 1 of these subjects" in unsaid


@pytest.mark.parametrize("states", [("unknown",), ("stripped", "unknown"), ()])
def test_nothing_is_said_of_skulls_where_those_that_calibrate_are_unknown(skull, states):
    assert skull_cautions(calibrated(*states), skull) == []


def test_subjects_that_harmonisation_does_not_reach_are_counted_and_five_are_named():
    assert harmonise_cautions([], 30) == []
    (caution,) = harmonise_cautions([f"s{number}" for number in range(7)], 30)
    assert "images of 7 of 30 subjects" in caution and caution.endswith("s0, s1, s2, s3, s4.")


def test_a_nested_evaluation_counts_the_folds_that_were_there():
    (caution,) = nested_cautions(pd.DataFrame({"fold": [0, 0, 2, 2]}))
    assert caution.startswith("Every figure is of 2 outer folds, each with an autoencoder of its own")


@pytest.mark.parametrize(("shared", "said"), [(False, True), (True, False)])
def test_labels_that_equal_sources_are_said_before_training(make_config, shared, said):
    labels = ["healthy"] * 3 + ["abnormal"] * 3
    sources = ["ixi", "ixi", "brats" if shared else "ixi", "brats", "brats", "brats"]
    index = pd.DataFrame({"subject": list("abcdef"), "label": labels, "source": sources})
    splits = pd.DataFrame({"subject": list("abcde"), "role": ["train"] * 2 + ["validation"] + ["test"] * 2})
    cohort = Cohort(index, pd.DataFrame(), ["of the import"], ["t1"], "t1")
    cautions = training_cautions(make_config("scoring.alpha=0.3"), cohort, splits)
    assert cautions[0] == "of the import" and cohort.notes == ["of the import"]
    assert any(caution.startswith("Only 1 healthy brains") for caution in cautions)
    assert "1 subjects have no role and are left out: f." in cautions
    assert any("No source holds both classes" in caution for caution in cautions) is said
