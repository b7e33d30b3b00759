"""Cautions before the figures, and cases that need none."""

import pandas as pd
import pytest

from brain_cae.detector.detector import Detector
from brain_cae.scans.skulls import unlike
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.stages.cautions import (
    calibration_cautions,
    cohort_cautions,
    divergence_cautions,
    harmonise_cautions,
    nested_cautions,
    out_of_calibration_cautions,
    serious,
    skull_cautions,
    training_cautions,
    trial_cautions,
)
from brain_cae.stages.cohort import Cohort


def calibrated(*skull: str) -> Detector:
    return Detector(None, None, None, {}, None, [], skull=list(skull))


@pytest.fixture
def skull():
    return pd.Series({"a": "on", "b": "stripped", "c": "unknown"})


def test_too_few_calibration_brains_for_a_good_threshold_or_for_any_threshold():
    probable, average = (Guarantee(kind, 0.1) for kind in ("probable", "average"))
    assert calibration_cautions(29, probable) == calibration_cautions(20, average) == []
    (nobody,) = calibration_cautions(28, probable)
    assert "needs at least 29 healthy calibration brains, and there are 28" in nobody
    assert "What scoring.guarantee=average flags is shown beside it: its rate of false alarms is 6.9% on" in nobody
    assert [caution[:7] for caution in calibration_cautions(12, average)] == ["Only 12"]
    assert "needs at least 19" in calibration_cautions(12, Guarantee("average", 0.05))[1]
    assert "is shown beside it" not in calibration_cautions(5, probable)[1]


def test_a_different_and_an_unknown_skull_state_have_one_caution_each(skull):
    detector = calibrated("stripped")
    assert [unlike(state, detector.skull) for state in skull] == [True, False, False]
    other, unknown = skull_cautions(detector.skull, skull)
    assert serious([other, unknown]) == [other], "scores of another skull state mean nothing"
    assert other.startswith("In 1 of these subjects the skull is on, but in the calibration brains it is stripped")
    assert unknown.startswith("The skull state of 1 of these subjects is unknown")


@pytest.mark.parametrize("states", [("unknown",), ("stripped", "unknown"), ()])
def test_unknown_skull_states_of_the_calibration_brains_give_no_caution(skull, states):
    assert skull_cautions(calibrated(*states).skull, skull) == []


def test_subjects_that_cannot_be_harmonised_are_counted_and_five_are_named():
    assert harmonise_cautions([], 30) == []
    (caution,) = harmonise_cautions([f"s{number}" for number in range(7)], 30)
    assert "images of 7 of 30 subjects" in caution and caution.endswith("s0, s1, s2, s3, s4.")


def test_a_nested_evaluation_counts_the_folds_in_the_table():
    (caution,) = nested_cautions(pd.DataFrame({"fold": [0, 0, 2, 2]}))
    assert caution.startswith("All figures come from 2 outer folds, each with a model of its own")


@pytest.mark.parametrize(("shared", "expected"), [(False, True), (True, False)])
def test_labels_that_equal_sources_are_a_caution_before_training(make_config, shared, expected):
    labels = ["healthy"] * 3 + ["abnormal"] * 3
    sources = ["ixi", "ixi", "brats" if shared else "ixi", "brats", "brats", "brats"]
    index = pd.DataFrame({"subject": list("abcdef"), "label": labels, "source": sources})
    splits = pd.DataFrame({"subject": list("abcde"), "role": ["train"] * 2 + ["validation"] + ["test"] * 2})
    cohort = Cohort(index, pd.DataFrame(), ["caution of the import"], ["t1"], "t1")
    config = make_config("scoring.alpha=0.3")
    assert any(caution.startswith("Only 1 healthy brain calibrates") for caution in training_cautions(config, splits))
    cautions = cohort_cautions(config, cohort, splits)
    assert "1 subject has no role and is left out: f." in cautions
    assert any("No source has both classes" in caution for caution in cautions) is expected


def test_subjects_that_the_calibration_does_not_cover_are_counted_by_reason():
    assert out_of_calibration_cautions(pd.Series(["", ""])) == []
    (caution,) = out_of_calibration_cautions(pd.Series(["", "protocol; site", "site"]))
    assert "for 2 of 3 subjects" in caution and "protocol (1), site (2)" in caution and "calibrate=<" in caution


@pytest.mark.parametrize(
    ("reasons", "is_serious"), [(["site"], True), (["site", "protocol"], True), (["site", ""], False)]
)
def test_scans_that_calibration_does_not_cover_are_serious_if_all_are(reasons, is_serious):
    (caution,) = out_of_calibration_cautions(pd.Series(reasons))
    assert bool(serious([caution])) == is_serious


def test_a_trial_and_too_few_brains_are_serious(make_config):
    assert trial_cautions(make_config(), 20) == []
    trial, few = trial_cautions(make_config("debug=fast"), 3)
    assert trial.startswith("This is a trial (debug=fast, 2 epochs of training)")
    assert few.startswith("The network learnt from 3 healthy brains (minimum 20)")
    assert serious([trial, few, "another"]) == [trial, few]
    trial, few = trial_cautions(make_config("debug=fast", "model=subspace"), 3)
    assert trial.startswith("This is a trial (debug=fast): it") and few.startswith("The model learnt from 3 healthy")
    assert "1 healthy brain (" in trial_cautions(make_config(), 1)[0]


def test_a_training_whose_loss_did_not_fall_is_serious():
    histories = {"training.csv": [0.5, 900.0, 0.4], "members/1_translation/training.csv": [0.5], "none": []}
    assert divergence_cautions(histories) == []
    for losses in ([17900.0, 36140.0], [36140.0, 17900.0], [0.5, 0.6], [4.0]):
        (caution,) = divergence_cautions(histories | {"folds/1/training.csv": losses})
        shown = f"{losses[0]:.3g} in the first epoch and {losses[-1]:.3g} in the last (folds/1/training.csv)"
        assert shown in caution and serious([caution]) == [caution]
