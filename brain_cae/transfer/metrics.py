"""Metrics of a classifier's out-of-fold probabilities, each with its confidence interval."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brain_cae.errors import DatasetError
from brain_cae.estimates import Estimate, auroc, average_precision, binary, bootstrap_counts, undefined

DECISION_METRICS = ("balanced_accuracy", "f1", "mcc")
METRICS = ("auroc", "average_precision", *DECISION_METRICS, "brier", "calibration_slope")


def transfer_metrics(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    threshold: float = 0.5,
    seed: int = 0,
    resamples: int = 2000,
    min_per_class: int = 1,
) -> dict[str, Estimate]:
    """Return discrimination, decision and calibration metrics, by bootstrap over subjects within each class.

    Args:
        labels: Shape (subjects,), 1/True/"abnormal" or 0/False/"healthy".
        probabilities: Shape (subjects,), probability of abnormal; subjects without one are left out.
        threshold: Probability from which a subject is called abnormal.
        seed: Seed of the resampling.
        resamples: Number of bootstrap resamples.
        min_per_class: Subjects that each class needs for AUROC and average precision.

    Returns:
        ``auroc, average_precision, balanced_accuracy, f1, mcc, brier, calibration_slope``.
    """
    truth, values = binary(labels), np.asarray(probabilities, dtype=float).ravel()
    if len(truth) != len(values):
        raise DatasetError(
            "Labels and probabilities differ in length.", expected=str(len(truth)), found=str(len(values))
        )
    known = np.isfinite(values)
    truth, values = truth[known], values[known]
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        reason = "no subject has a probability" if not len(truth) else "all subjects have the same label"
        return {name: undefined(reason, n=len(truth), n_positive=positives) for name in METRICS}
    return {
        "auroc": auroc(truth, values, seed=seed, resamples=resamples, min_per_class=min_per_class),
        "average_precision": average_precision(
            truth, values, seed=seed, resamples=resamples, min_per_class=min_per_class
        ),
        **_decisions(truth, values >= threshold, seed=seed, resamples=resamples),
        "brier": _brier(truth, values, seed=seed, resamples=resamples),
        "calibration_slope": calibration_slope(truth, values, seed=seed),
    }


def _decisions(truth: NDArray, called: NDArray, *, seed: int, resamples: int) -> dict[str, Estimate]:
    """Return balanced accuracy, F1 and Matthews correlation of yes/no decisions.

    Resampling subjects within each class draws the true positives and negatives from binomials, so these are drawn
    directly. A sensitivity or specificity of exactly 0 or 1 would have no spread; draws from the Jeffreys posterior
    are used instead.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    hits, rejections = int((called & truth).sum()), int((~called & ~truth).sum())
    rng = np.random.default_rng(seed)
    if hits in (0, positives) or rejections in (0, negatives):
        sensitivity = rng.beta(hits + 0.5, positives - hits + 0.5, resamples)
        specificity = rng.beta(rejections + 0.5, negatives - rejections + 0.5, resamples)
        method = f"95 % of {resamples} Jeffreys draws (bootstrap degenerate: a rate of 0 or 1)"
    else:
        sensitivity = rng.binomial(positives, hits / positives, resamples) / positives
        specificity = rng.binomial(negatives, rejections / negatives, resamples) / negatives
        method = f"95 % percentile bootstrap over subjects, stratified by class ({resamples} resamples)"
    estimates = {}
    for name in DECISION_METRICS:
        measure = _MEASURES[name]
        counts = (np.array([hits / positives]), np.array([rejections / negatives]), positives, negatives)
        value = float(measure(*counts)[0])
        low, high = np.quantile(measure(sensitivity, specificity, positives, negatives), [0.025, 0.975])
        estimates[name] = Estimate(
            value, min(float(low), value), max(float(high), value), len(truth), positives, method
        )
    return estimates


def _balanced_accuracy(sensitivity: NDArray, specificity: NDArray, _positives: int, _negatives: int) -> NDArray:
    return (sensitivity + specificity) / 2


def _f1(sensitivity: NDArray, specificity: NDArray, positives: int, negatives: int) -> NDArray:
    hits, false_alarms = sensitivity * positives, (1 - specificity) * negatives
    return 2 * hits / (hits + false_alarms + positives)


def _mcc(sensitivity: NDArray, specificity: NDArray, positives: int, negatives: int) -> NDArray:
    hits, rejections = sensitivity * positives, specificity * negatives
    misses, false_alarms = positives - hits, negatives - rejections
    below = np.sqrt((hits + false_alarms) * (rejections + misses) * positives * negatives)
    above = hits * rejections - misses * false_alarms
    # All subjects called the same: the correlation is 0 by convention.
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


_MEASURES: dict[str, Callable[[NDArray, NDArray, int, int], NDArray]] = {
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "mcc": _mcc,
}


def _brier(truth: NDArray, values: NDArray, *, seed: int, resamples: int) -> Estimate:
    errors = (values - truth) ** 2
    rng = np.random.default_rng(seed)
    drawn = sum(bootstrap_counts(rng, int(kind.sum()), resamples) @ errors[kind] for kind in (truth, ~truth)) / len(
        truth
    )
    value, (low, high) = float(errors.mean()), np.quantile(drawn, [0.025, 0.975])
    method = f"95 % percentile bootstrap over subjects, stratified by class ({resamples} resamples)"
    # For a constant, all resamples are the same up to rounding.
    return Estimate(value, min(float(low), value), max(float(high), value), len(truth), int(truth.sum()), method)


def calibration_slope(labels: ArrayLike, probabilities: ArrayLike, *, seed: int = 0, resamples: int = 500) -> Estimate:
    """Estimate the slope of a logistic regression of the label on the logit of the probability (Cox 1958); 1 is ideal.

    Below 1 the probabilities are too extreme, above 1 not extreme enough. Probabilities are clipped to
    [0.001, 0.999]. Undefined if they separate the classes or are all equal; an end of the interval is ``None`` if
    resamples separate the classes.
    """
    truth, values = binary(labels), np.clip(np.asarray(probabilities, dtype=float), 1e-3, 1 - 1e-3)
    logits, n, positives = np.log(values / (1 - values)), len(truth), int(truth.sum())
    if np.ptp(logits) < 1e-9:
        return undefined("all probabilities are equal", n=n, n_positive=positives)
    value = float(_slopes(truth, logits, np.ones((1, n)))[0])
    if not np.isfinite(value):
        return undefined("the probabilities separate the classes completely", n=n, n_positive=positives)
    rng = np.random.default_rng(seed)
    counts = np.zeros((resamples, n))
    for kind in (truth, ~truth):
        counts[:, kind] = bootstrap_counts(rng, int(kind.sum()), resamples)
    low, high = np.quantile(_slopes(truth, logits, counts), [0.025, 0.975], method="nearest")
    method = (
        f"logistic recalibration; 95 % percentile bootstrap over subjects, stratified by class ({resamples} resamples)"
    )
    ends = [float(end) if np.isfinite(end) else None for end in (low, high)]
    if None in ends:
        method += "; an end without bound is null"
    return Estimate(value, ends[0], ends[1], n, positives, method)


def _slopes(truth: NDArray, logits: NDArray, counts: NDArray) -> NDArray:
    """Return the maximum-likelihood slope of each row of counts (Newton's method); infinite if the classes separate."""
    scale = logits.std()
    x = (logits - logits.mean()) / scale
    intercept, slope = np.zeros(len(counts)), np.zeros(len(counts))
    for _ in range(25):
        fitted = 1 / (1 + np.exp(-np.clip(intercept[:, None] + slope[:, None] * x, -35, 35)))
        weight = counts * fitted * (1 - fitted)
        left = counts * (truth - fitted)
        a, b, c = weight.sum(axis=1) + 1e-9, weight @ x, weight @ x**2 + 1e-9
        g, h = left.sum(axis=1), left @ x
        determinant = np.maximum(a * c - b * b, 1e-12)
        intercept += np.clip((c * g - b * h) / determinant, -2, 2)
        slope += np.clip((a * h - b * g) / determinant, -2, 2)
    # Separated classes have no finite slope, and Newton's method does not converge.
    drawn = counts > 0
    least = [np.where(drawn & kind, x, np.inf).min(axis=1) for kind in (truth, ~truth)]
    most = [np.where(drawn & kind, x, -np.inf).max(axis=1) for kind in (truth, ~truth)]
    slope = np.where(least[0] >= most[1], np.inf, slope)
    return np.where(least[1] >= most[0], -np.inf, slope) / scale
