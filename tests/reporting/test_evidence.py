"""Reading of the metrics, and reasons why a metric is not defined."""

import dataclasses

import pandas as pd
import pytest

from brain_cae.reporting import evidence
from brain_cae.reporting.content import ReportContent


def content_of(labels, *, metrics=None, role="test", **columns) -> ReportContent:
    rows = pd.DataFrame({"label": labels, "role": role, **columns})
    return ReportContent(title="", metrics=metrics or {}, predictions=rows)


def test_a_missing_key_of_a_path_gives_none():
    metrics = {"a": {"b": {"c": 1}}, "d": [1]}
    assert evidence.at(metrics, "a", "b", "c") == 1
    assert evidence.at(metrics, "a", "x", "c") is None and evidence.at(metrics, "d", "b") is None


def test_flags_are_read_as_python_and_csv_write_them():
    values = [True, False, "True", "false", "1.0", "0", None, "maybe"]
    read = evidence.flags(pd.DataFrame({"flagged": values}))
    assert read.tolist()[:6] == [1, 0, 1, 0, 1, 0] and read[6:].isna().all()


def test_brains_used_for_training_or_calibration_are_not_scored():
    content = content_of(["healthy"] * 4, role=["train", "validation", "classifier", "test"])
    assert evidence.scored(content)["role"].tolist() == ["classifier", "test"]
    assert evidence.label_counts(content) == {"healthy": 2, "abnormal": 0}


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([], "no subject was scored"),
        (["unknown"], "the scored subjects have no labels"),
        (["healthy"] * 3, "all 3 labelled subjects are healthy"),
        (["abnormal", "unknown"], "all 1 labelled subjects are abnormal"),
        (["healthy", "abnormal"], "this evaluation did not compute it"),
    ],
)
def test_the_reason_why_a_comparison_of_the_classes_is_undefined(labels, why):
    assert evidence.why_undefined(content_of(labels)).startswith(why)


def test_false_alarms_are_read_or_derived_from_specificity_or_counted():
    flagged = [True, False, False, False, None]
    content = content_of(["healthy"] * 4 + ["abnormal"], flagged=flagged)
    counted = evidence.false_alarms(content)
    assert (counted["value"], counted["n"], counted["n_positive"]) == (0.25, 4, 1)
    specificity = {"value": 0.9, "low": 0.7, "high": 0.95, "n": 40, "n_positive": 36}
    metrics = {"detection": {"specificity": specificity}}
    rate = evidence.false_alarms(dataclasses.replace(content, metrics=metrics))
    assert [rate[key] for key in ("value", "low", "high")] == pytest.approx([0.1, 0.05, 0.3])
    assert (rate["n"], rate["n_positive"]) == (40, 4)
    metrics["detection"]["false_alarms"] = {"value": 0.5}
    assert evidence.false_alarms(dataclasses.replace(content, metrics=metrics)) == {"value": 0.5}
    assert evidence.false_alarms(content_of(["abnormal"], flagged=True)) is None


def test_thresholds_of_folds_that_differ_are_no_threshold():
    content = content_of(["healthy"] * 2, threshold=[1.0, 2.0])
    assert evidence.threshold(content) is None
    stored = {"scoring": {"threshold": 3.0}}  # the model of a nested evaluation decided about none of its brains
    assert evidence.threshold(dataclasses.replace(content, metrics=stored)) is None
    one = dataclasses.replace(content, metrics=stored, predictions=content.predictions.head(1))
    assert evidence.threshold(one) == 1.0
    none = dataclasses.replace(content, metrics=stored, predictions=content.predictions.assign(threshold=None))
    assert evidence.threshold(none) == 3.0


def test_subjects_without_any_label_are_patients():
    assert evidence.unlabelled(content_of(["unknown", "unknown"], score=[1.0, None]))
    assert not evidence.unlabelled(content_of(["unknown", "healthy"], score=1.0))
    assert not evidence.unlabelled(content_of(["unknown", "unknown"])), "headers only: nothing was scored"
    assert not evidence.unlabelled(ReportContent(title="", metrics={}))


def test_the_network_has_to_beat_the_best_baseline():
    scores = {"intensity": 0.7, "healthy_mean": 0.8, "healthy_subspace": 0.9, "broken": None}
    baseline = {name: {"auroc": {"value": value}} for name, value in scores.items()}
    difference = {"healthy_mean": 0.1, "healthy_subspace": {"auroc": -0.05}}
    content = content_of(["healthy"], metrics={"baseline": baseline, "detection": {"difference": difference}})
    assert evidence.best_baseline(content) == "healthy_subspace" and evidence.gain(content) == -0.05
    nothing = content_of(["healthy"])
    assert evidence.best_baseline(nothing) == "" and evidence.gain(nothing) is None
