"""Tables of detection, localisation and transfer show the values of the metrics."""

import dataclasses

import pandas as pd
import pytest

from brain_cae.reporting import formatting, performance
from brain_cae.reporting.content import ReportContent


@pytest.fixture(scope="module")
def content(make_content) -> ReportContent:
    return make_content(views=0, curves={})


def row_of(table, name: str) -> list[str]:
    return next([cell.text for cell in row] for row in table.rows if row[0].text == name)


def test_detection_is_compared_with_the_baselines(content):
    table = performance.detection_table(content)
    assert table.columns == ["score", "AUROC", "average precision", "sensitivity", "specificity"]
    names = [row[0].text for row in table.rows]
    assert names == [
        "Residual score, signed", "Residual score, absolute", "Baseline intensity", "Baseline healthy_mean"
    ]  # fmt: skip
    detection = content.metrics["detection"]
    assert row_of(table, names[0])[1] == formatting.estimate(detection["auroc"])
    assert row_of(table, names[1])[1] == formatting.estimate(detection["absolute"])  # a single estimate is an AUROC
    assert row_of(table, names[2])[3] == "\N{EN DASH}"  # a baseline has no threshold
    assert "alpha = 0.1, calibrated on 40 healthy brains" in table.note


def test_a_difference_is_interpreted_by_the_side_of_zero_of_its_interval():
    def interpretation(low, high, other="intensity"):
        value = {"value": (low + high) / 2, "low": low, "high": high, "n": 50}
        metrics = {"detection": {"difference": {other: {"auroc": value}}}}
        return performance.difference_table(ReportContent(title="", metrics=metrics)).rows[0][2].text

    assert interpretation(0.01, 0.2) == "the residual score is better"
    assert interpretation(-0.2, -0.01) == "the baseline is better"
    assert interpretation(-0.2, -0.01, "absolute") == "the absolute score is better"  # it has the network, too
    assert interpretation(-0.1, 0.1) == "no clear difference"
    assert performance.difference_table(ReportContent(title="", metrics={})) is None


def test_decisions_are_counted_by_label_with_those_that_were_left_out():
    labels = ["abnormal"] * 4 + ["healthy"] * 3 + ["unknown", "healthy"]
    flagged = [True, True, True, False, True, False, None, True, True]
    predictions = pd.DataFrame({"subject": [*"abcdefghi"], "label": labels, "flagged": flagged, "score": 1.0})
    predictions["role"] = ["test"] * 8 + ["validation"]
    content = ReportContent(title="", metrics={}, predictions=predictions)
    table = performance.count_table(content)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["abnormal", "3 (true positives)", "1 (false negatives)", "0", "4"],
        ["healthy", "1 (false positives)", "1 (true negatives)", "1", "3"],
    ]
    assert table.note.startswith("1 subject without a label is not counted.")
    nothing = dataclasses.replace(content, predictions=predictions.assign(flagged=None))
    assert performance.count_table(nothing) is None


def test_a_nested_evaluation_does_not_pass_the_calibration_of_its_stored_model_off_as_its_own(make_content):
    nested = make_content(views=0, settings={"evaluation": {"name": "nested", "folds": 4}})
    assert "calibrated on the healthy brains of each outer fold" in performance.detection_table(nested).note


def test_localisation_of_a_baseline_is_over_voxels(content):
    table = performance.localisation_table(content)
    baseline = content.metrics["baseline"]["healthy_mean"]
    row = row_of(table, "Baseline healthy_mean")
    assert row[1] == formatting.estimate(baseline["localisation"]["average_precision"])
    assert row[1] != formatting.estimate(baseline["average_precision"])  # which is over subjects
    assert row_of(table, "Anomaly map")[2] == formatting.estimate(content.metrics["localisation"]["dice"])


def test_the_reason_of_an_undefined_value_is_given_below_the_table(content):
    empty = {"value": None, "low": None, "high": None, "n": 0, "method": "undefined: no lesion anywhere"}
    metrics = {**content.metrics, "localisation": {**content.metrics["localisation"], "dice": empty}}
    table = performance.localisation_table(dataclasses.replace(content, metrics=metrics))
    assert table.note == "Not defined: no lesion anywhere."
    assert (
        performance.localisation_table(dataclasses.replace(content, metrics={"localisation": {"dice": empty}})) is None
    )


def test_the_permutation_p_is_printed_as_a_p_value(content):
    table = performance.transfer_table(content)
    assert row_of(table, "permutation p")[1] == "0.002"
    assert table.caption == "logistic, both features"
    assert performance.transfer_table(ReportContent(title="", metrics={"transfer": {"auroc": None}})) is None


def test_the_selected_classifier_has_no_difference_from_itself(content):
    rows = [{"classifier": name, "features": "both", "auroc": 0.8, "difference": -0.1} for name in ("logistic", "svm")]
    metrics = {"transfer": {**content.metrics["transfer"], "comparison": rows}}
    table = performance.comparison_table(ReportContent(title="", metrics=metrics))
    assert [row[3].text for row in table.rows] == ["selected", "\N{MINUS SIGN}0.10"]


def test_without_a_fitted_classifier_there_is_nothing_to_compare():
    rows = [{"classifier": name, "features": "both", "auroc": value} for name, value in (("svm", None), (None, 0.9))]
    assert performance.comparison_table(ReportContent(title="", metrics={"transfer": {"comparison": rows}})) is None


def test_only_searches_for_the_selected_classifier_are_shown():
    rows = [
        {"study": "svm, both, fold 0", "trials": 12, "pruned": 3, "auroc": 0.71, "parameters": '{"C": 6.5813, "k": 2}'},
        {"study": "svm, encoder, fold 0", "trials": 12, "pruned": 0, "auroc": 0.5, "parameters": None},
    ]
    metrics = {"transfer": {"classifier": "svm", "features": "both", "tuning": rows}}
    table = performance.tuning_table(ReportContent(title="", metrics=metrics))
    assert [[cell.text for cell in row] for row in table.rows] == [["fold 0", "12", "3", "0.71", "C = 6.58, k = 2"]]


def decision(threshold, **changes):
    rate = {"value": 0.1, "low": 0.0, "high": 0.3, "n": 20, "method": "m"}
    part = {
        "calibration_needed": 29, "threshold": threshold, "expected_rate": 2 / 47, "largest_rate": 0.0987,
        "expected_alarms": 1.02, "largest_alarms": 3, "sensitivity": rate, "false_alarms": rate,
    }  # fmt: skip
    return part | changes


def test_both_rules_are_shown_and_the_one_in_force_is_marked():
    scoring = {"alpha": 0.1, "guarantee": "probable", "confidence": 0.95}
    decisions = {"probable": decision(3.0), "average": decision(2.0)}
    content = ReportContent(title="", metrics={"scoring": scoring, "detection": {"decisions": decisions}})
    table = performance.decision_table(content)
    assert [row[0].text for row in table.rows] == ["probable (in force)", "average"]
    assert [cell.text for cell in table.rows[0][1:4]] == ["4.3 %", "9.9 %", "1.0, at most 3"]
    decisions["probable"] = decision(None)
    (row, _) = performance.decision_table(content).rows
    assert row[1].text == "nobody is flagged: needs 29 calibration brains"


def test_more_calibration_brains_are_shown_with_what_they_bring():
    rows = [
        {"brains": 20, "probable_rate": None, "average_rate": 2 / 21, "average_bound": 0.216},
        {"brains": 29, "probable_rate": 1 / 30, "average_rate": 0.1, "average_bound": 0.2},
    ]
    table = performance.outlook_table(ReportContent(title="", metrics={"scoring": {"outlook": rows}}))
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["20", "nobody", "9.5 %", "21.6 %"], ["29", "3.3 %", "10 %", "20 %"]
    ]  # fmt: skip
    assert performance.outlook_table(ReportContent(title="", metrics={})) is None


def test_lesions_are_listed_with_their_place():
    rows = [("a", 1, 12.34, 20.0, 5.55, 0.02, 10.0, -20.4, 30.0, 1.0, 2.0, 3.0, "left", "white")]
    rows += [("<b>", 1, 1.0, 1.0, 3.0, None, 0.0, 0.0, 0.0, None, None, None, "midline", "")]
    names = ["subject", "lesion", "volume_ml", "mass", "peak_z", "p_value"]
    names += [f"{prefix}{axis}_mm" for prefix in ("", "mni_") for axis in "xyz"] + ["hemisphere", "tissue"]
    table = performance.lesion_rows(pd.DataFrame(rows, columns=names))
    first, second = ([cell.text for cell in row] for row in table.rows)
    minus = formatting.MINUS
    assert first == ["a", "12.3", "5.5", "0.020", "left white matter", f"10, {minus}20, 30", "1, 2, 3"]
    assert second[3:] == ["not defined", "midline", "0, 0, 0", "\N{EN DASH}"]
    assert performance.lesion_rows(pd.DataFrame()) is None
