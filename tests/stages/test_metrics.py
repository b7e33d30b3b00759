"""Records of `metrics.json` from tables of a few subjects, with figures that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brain_cae.detector.findings import Findings
from brain_cae.estimates import Estimate
from brain_cae.reshape import Group
from brain_cae.scoring.calibration import Calibration
from brain_cae.scoring.clusters import LesionCounts
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.scoring.localisation import Localisation
from brain_cae.stages.metrics import Measurement, by_subject
from brain_cae.stages.records import Comparison, TransferMetrics

LABELS = ["healthy"] * 4 + ["abnormal"] * 4
RESIDUAL = [0.0, 1.0, 2.0, 5.0, 3.0, 4.0, 6.0, 7.0]  # 14 of the 16 pairs are in the right order


@pytest.fixture
def table():
    table = pd.DataFrame({"label": LABELS, "role": "test", "protocol": list("xxyyxxyy")}, index=list("abcdefgh"))
    for name in ("residual", "absolute", "intensity", "healthy_mean", "healthy_subspace"):
        table[f"score.{name}"] = RESIDUAL if name == "residual" else 1.0
        table[f"flagged.{name}"] = [score > 4.5 for score in table[f"score.{name}"]]
    for kind, threshold in (("probable", 6.5), ("average", 4.5)):
        table[f"flagged_if.{kind}"] = [score > threshold for score in RESIDUAL]
    return table


def finding(name, *, l1=0.1, spacing=1.0, localisation=None):
    return Findings(
        subject=name,
        group=Group("g", (8, 8, 8)),
        scores={"residual": 1.0},
        ranks={"residual": 24},
        p_values={"residual": 0.5},
        localisation={} if localisation is None else {"residual": localisation},
        features={},
        reconstruction={"l1": l1, "ssim": 0.9},
        distortion={
            "scale_ratio": 1.5,
            "anisotropy_mm": 0.2,
            "round_trip_l1": 0.01,
            "voxels": 512,
            "network_spacing": np.full(3, spacing),
        },
    )


@pytest.fixture
def findings(table):
    return {name: finding(name, l1=0.1 * (number + 1)) for number, name in enumerate(table.index)}


def measurement(table, findings, **choices):
    calibration = Calibration(np.linspace(-1, 5, 46), 2.0)
    rule = Guarantee("average", 0.1)
    return Measurement(table, findings, seed=0, resamples=50, guarantee=rule, calibration=calibration, **choices)


def test_detection_has_auroc_rates_and_false_alarms_by_protocol(table, findings):
    detection = measurement(table, findings).detection()
    assert detection.residual.auroc.value == 14 / 16
    assert detection.others["absolute"].auroc.value == 0.5
    assert detection.difference["intensity"].value == pytest.approx(14 / 16 - 0.5)
    assert (detection.residual.sensitivity.value, detection.residual.specificity.value) == (0.5, 0.75)
    assert (detection.false_alarms.value, detection.false_alarms.n) == (0.25, 4)
    rows = [(row.protocol, row.n, row.n_positive, row.false_alarms.value) for row in detection.by_protocol]
    assert rows == [("x", 4, 2, 0.0), ("y", 4, 2, 0.5)]


def test_both_rules_are_shown_with_what_they_cost(table, findings):
    decisions = measurement(table, findings).detection().decisions
    assert list(decisions) == ["probable", "average"]
    probable, average = decisions.values()
    assert (probable.sensitivity.value, average.sensitivity.value) == (0.25, 0.5)
    assert (probable.false_alarms.value, average.false_alarms.value) == (0.0, 0.25)
    assert (probable.calibration_needed, average.calibration_needed) == (29, 9)
    assert probable.expected_rate == pytest.approx(2 / 47) and average.expected_rate == pytest.approx(4 / 47)
    assert probable.largest_rate <= 0.1 < average.largest_rate
    assert probable.threshold > average.threshold
    assert (probable.expected_alarms, probable.largest_alarms) == (pytest.approx(4 * 2 / 47), 1)
    table["flagged_if.probable"] = None
    hidden = measurement(table, findings).detection().decisions["probable"]
    assert hidden.sensitivity.value is None and hidden.false_alarms.value is None


def test_alarms_to_expect_are_those_of_the_calibrations_that_decided(table, findings):
    few, many = (Calibration(np.linspace(-1, 5, count), 2.0) for count in (9, 19))
    used = {name: few if name in "abe" else many for name in table.index}
    detection = measurement(table, findings, calibrations=used).detection()
    assert detection.expected_false_alarms.value == pytest.approx(2 / 10 + 2 * 2 / 20)
    assert "2 outer folds as if independent" in detection.expected_false_alarms.method
    assert detection.decisions["probable"].expected_alarms == 0.0  # 9 and 19 brains are too few for it


def test_unlabelled_subjects_are_ignored_in_figures_between_the_classes(table, findings):
    table.loc["d", "label"] = "unknown"
    assert measurement(table, findings).detection().residual.auroc.value == 1.0


def test_rates_are_undefined_with_a_reason_if_nothing_can_be_flagged(table, findings):
    table["flagged.residual"] = None
    detection = measurement(table, findings).detection()
    for estimate in (detection.residual.sensitivity, detection.residual.specificity, detection.false_alarms):
        assert estimate.value is None and "too few calibration brains" in estimate.method
    assert detection.residual.auroc.value == 14 / 16


def test_lesions_found_are_undefined_with_a_reason_if_nothing_can_be_flagged(table, findings):
    findings["h"] = replace(finding("h"), lesion_counts=LesionCounts(1, 1, 1, 1, lesion_ml=2.0))
    assert measurement(table, findings).lesions().sensitivity.value == float(table.loc["h", "flagged.residual"])
    table["flagged.residual"] = None
    lesions = measurement(table, findings).lesions()
    for estimate in (lesions.sensitivity, lesions.f1, lesions.false_per_healthy_brain):
        assert estimate.value is None and estimate.n == 1 and "too few calibration brains" in estimate.method


def test_classes_smaller_than_the_minimum_have_no_auroc(table, findings):
    assert measurement(table, findings, min_per_class=4).detection().residual.auroc.value == 14 / 16
    assert measurement(table, findings, min_per_class=5).detection().residual.auroc.value is None


def test_reconstruction_error_is_the_mean_over_healthy_subjects_only(table, findings):
    assert measurement(table, findings).reconstruction().l1.value == pytest.approx((0.1 + 0.2 + 0.3 + 0.4) / 4)


def test_a_baseline_has_no_dice_without_lesions(table, findings):
    baseline = measurement(table, findings).baseline("intensity")
    assert baseline.localisation is None
    assert list(baseline.to_dict()) == ["auroc", "average_precision", "sensitivity", "specificity", "localisation"]


def test_dice_of_a_baseline_is_stored_in_its_localisation_and_beside_it(table, findings):
    overlaps = np.array(
        [[2, 4, 4], [4, 4, 4], [0, 4, 4]]
    )  # for each threshold: voxels in both masks, voxels of each mask
    for name, precision, dice in (("e", 0.4, 0.5), ("f", 0.8, 0.7)):
        findings[name] = finding(name, localisation=Localisation(precision, dice, overlaps))
    section = measurement(table, findings).baseline("residual").to_dict()
    assert section["localisation"]["average_precision"]["value"] == pytest.approx(0.6)
    assert section["dice"] == section["localisation"]["dice"] and section["dice"]["value"] == pytest.approx(0.6)
    assert section["dice"]["n"] == 2


def test_the_table_of_subjects_has_labels_probabilities_and_errors(table, findings):
    arms = pd.DataFrame({"both": np.linspace(0, 1, 8)}, index=table.index)
    rows = by_subject(table, findings, arms).set_index("subject")
    assert rows.loc["h", ["label", "probability.both", "reconstruction.l1"]].tolist() == ["abnormal", 1.0, 0.8]
    assert rows["reshape.size_spread_mm"].eq(0).all() and "reshape.network_spacing" not in rows


def test_a_record_becomes_plain_json_with_figures_beside_names():
    estimate = Estimate(float("nan"), 0.25, None, 4, 2, "by hand")
    comparison = Comparison("residual score", None, {"auroc": estimate}, estimate)
    section = TransferMetrics("both", "logistic", {"auroc": estimate}, ["a note"], [comparison]).to_dict()
    assert list(section) == ["features", "classifier", "auroc", "notes", "comparison"]
    assert section["auroc"] == {
        "value": None, "low": 0.25, "high": None, "n": 4, "n_positive": 2, "method": "by hand"
    }  # fmt: skip
    assert list(section["comparison"][0]) == ["features", "classifier", "auroc", "difference"]


def test_sensitivity_is_given_by_volume_of_the_lesion(table, findings):
    assert measurement(table, findings).by_volume() == []  # no lesion is known
    table = pd.concat([table[table["label"] == "abnormal"].set_index(pd.Index(list(names))) for names in
                       ("abcd", "efgh", "ijkl")])  # fmt: skip
    findings = {
        name: replace(finding(name), lesion_counts=LesionCounts(1, 0, 0, 0, lesion_ml=float(number)))
        for number, name in enumerate(reversed(table.index))
    }
    small, large = measurement(table, findings).by_volume()
    assert (small.low_ml, small.high_ml, small.n) == (0, 5, 6) and (large.low_ml, large.high_ml) == (6, 11)
    # From the largest: 3.0, 4.0, 6.0, 7.0, 3.0, 4.0, and so on; the threshold is 4.5.
    assert large.sensitivity["residual"].value == pytest.approx(2 / 6)
    assert small.sensitivity["residual"].value == pytest.approx(4 / 6)
    assert small.sensitivity["intensity"].value == 0

    table["flagged.residual"] = pd.Series(pd.NA, index=table.index, dtype="boolean")
    assert "residual" not in measurement(table, findings).by_volume()[0].sensitivity
