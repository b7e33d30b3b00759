"""Tables of detection, localisation and transfer show the values of the metrics."""

import dataclasses

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
    def interpretation(low, high):
        value = {"value": (low + high) / 2, "low": low, "high": high, "n": 50}
        metrics = {"detection": {"difference": {"intensity": {"auroc": value}}}}
        return performance.difference_table(ReportContent(title="", metrics=metrics)).rows[0][2].text

    assert interpretation(0.01, 0.2) == "the residual score is better"
    assert interpretation(-0.2, -0.01) == "the baseline is better"
    assert interpretation(-0.1, 0.1) == "no clear difference"
    assert performance.difference_table(ReportContent(title="", metrics={})) is None


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


def test_only_searches_for_the_selected_classifier_are_shown():
    rows = [
        {"study": "svm, both, fold 0", "trials": 12, "pruned": 3, "auroc": 0.71, "parameters": '{"C": 6.5813, "k": 2}'},
        {"study": "svm, encoder, fold 0", "trials": 12, "pruned": 0, "auroc": 0.5, "parameters": None},
    ]
    metrics = {"transfer": {"classifier": "svm", "features": "both", "tuning": rows}}
    table = performance.tuning_table(ReportContent(title="", metrics=metrics))
    assert [[cell.text for cell in row] for row in table.rows] == [["fold 0", "12", "3", "0.71", "C = 6.58, k = 2"]]
