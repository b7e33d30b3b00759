"""Metrics of probabilities against scikit-learn, and their edge cases."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from brain_cae.transfer import transfer_metrics


def test_values_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [28, 52])
    p = 1 / (1 + np.exp(-(rng.normal(size=80) + 1.5 * labels - 0.5)))
    result = transfer_metrics(labels, p)
    called = p >= 0.5
    assert list(result) == [
        "auroc",
        "average_precision",
        "balanced_accuracy",
        "f1",
        "mcc",
        "brier",
        "calibration_slope",
    ]
    assert result["balanced_accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(labels, called))
    assert result["f1"].value == pytest.approx(metrics.f1_score(labels, called))
    assert result["mcc"].value == pytest.approx(metrics.matthews_corrcoef(labels, called))
    assert result["brier"].value == pytest.approx(metrics.brier_score_loss(labels, p))
    logits = np.log(p / (1 - p))[:, None]
    slope = LogisticRegression(C=np.inf).fit(logits, labels).coef_[0, 0]
    assert result["calibration_slope"].value == pytest.approx(slope, rel=1e-3)
    for estimate in result.values():
        assert estimate.low < estimate.value < estimate.high
        assert (estimate.n, estimate.n_positive) == (80, 52)


def test_calibration_slope_of_calibrated_and_of_extreme_probabilities() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=2000) * 1.5
    labels = rng.random(2000) < 1 / (1 + np.exp(-logits))
    calibrated, extreme = (
        transfer_metrics(labels, 1 / (1 + np.exp(-factor * logits)), resamples=200)["calibration_slope"]
        for factor in (1, 2)
    )
    assert calibrated.low < 1 < calibrated.high and calibrated.value == pytest.approx(1, abs=0.12)
    assert extreme.value == pytest.approx(calibrated.value / 2, abs=0.05)


def test_perfect_probabilities_are_not_certain() -> None:
    labels = np.repeat([0, 1], 12)
    result = transfer_metrics(labels, np.where(labels, 0.9, 0.1))
    for name in ("auroc", "average_precision", "balanced_accuracy", "f1", "mcc"):
        assert result[name].value == 1.0
        assert result[name].low < 0.97
    assert result["calibration_slope"].value is None
    assert "separate" in result["calibration_slope"].method


def test_undefined_with_one_class_or_nothing() -> None:
    for labels, p in ((np.ones(5), np.full(5, 0.5)), (np.array([0, 1]), np.full(2, np.nan))):
        assert all(estimate.value is None for estimate in transfer_metrics(labels, p).values())


def test_all_subjects_called_the_same() -> None:
    result = transfer_metrics(np.repeat([0, 1], 10), np.full(20, 0.7))
    assert result["mcc"].value == 0.0
    assert result["balanced_accuracy"].value == 0.5
    assert result["auroc"].value == 0.5
    assert result["calibration_slope"].value is None


@pytest.mark.parametrize("abnormal", range(2, 30))
def test_every_metric_of_a_constant_lies_in_its_interval(abnormal: int) -> None:
    labels = np.repeat([0, 1], [17, abnormal])
    for name, estimate in transfer_metrics(labels, np.full(len(labels), labels.mean()), seed=0, resamples=100).items():
        if estimate.value is not None and estimate.low is not None:
            assert estimate.low <= estimate.value <= estimate.high, name
