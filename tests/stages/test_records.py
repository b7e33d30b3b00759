"""Sections of metrics.json have the keys of the contract."""

from brain_cae.estimates import Estimate
from brain_cae.stages.records import (
    Baseline,
    Comparison,
    Detection,
    Discrimination,
    External,
    LesionOverlap,
    TransferMetrics,
    to_json,
)

HALF = Estimate(0.5, 0.4, 0.6, 10, 5, "bootstrap")
SCORE = Discrimination(HALF, HALF, HALF, HALF)


def test_nested_records_become_dictionaries() -> None:
    section = to_json({"a": [SCORE], "b": None})
    assert section["a"][0]["auroc"]["value"] == 0.5 and section["b"] is None


def test_the_residual_score_is_at_the_top_of_detection() -> None:
    section = Detection(SCORE, {"absolute": SCORE, "mine": SCORE}, {"absolute": HALF}, HALF, HALF, {}, [], []).to_dict()
    assert set(section) == {
        "auroc", "average_precision", "sensitivity", "specificity", "absolute", "mine", "difference", "false_alarms",
        "expected_false_alarms", "decisions", "by_protocol", "by_volume",
    }  # fmt: skip


def test_dice_is_beside_the_localisation_of_a_baseline() -> None:
    section = Baseline(SCORE, LesionOverlap(HALF, HALF, HALF, HALF)).to_dict()
    assert section["dice"] == section["localisation"]["dice"]
    assert Baseline(SCORE, None).to_dict()["localisation"] is None


def test_a_stored_classifier_has_no_permutation_test() -> None:
    rows = [Comparison("residual", None, {"auroc": HALF}, HALF)]
    section = TransferMetrics("both", "svm", {"auroc": HALF}, ["a note"], rows).to_dict()
    assert set(section) == {"features", "classifier", "auroc", "notes", "comparison"}
    assert section["comparison"][0]["classifier"] is None
    tested = TransferMetrics("both", "svm", {}, [], [], tuning=[], permutation_p=HALF).to_dict()
    assert tested["tuning"] == [] and tested["permutation_p"]["value"] == 0.5


def test_external_figures_have_the_keys_of_an_evaluation() -> None:
    section = External("folder", 8, HALF, HALF, "clear").to_dict()
    assert section["detection"]["auroc"]["n"] == 10 and section["subjects"] == 8
