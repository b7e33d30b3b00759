"""Estimates with confidence intervals: the form in which every result is reported."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brain_cae.errors import DatasetError

Weighted = Callable[[NDArray, NDArray, NDArray], NDArray]

MIN_PER_CLASS_HELD_OUT = 5
"""Subjects of each class that a held-out protocol needs for figures that compare the classes."""


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval; all three numbers are ``None`` if the estimate is undefined.

    Args:
        value: The point estimate.
        low: Lower end of the interval (95 % unless ``method`` says otherwise).
        high: Upper end of the interval.
        n: Number of subjects (or trials) used.
        n_positive: Number of abnormal subjects (or successes); ``None`` if not applicable.
        method: How value and interval were computed, or why they are undefined.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_positive: int | None
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; numbers that are not finite become ``None``."""
        return {key: _plain(entry) for key, entry in asdict(self).items()}

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


def undefined(reason: str, *, n: int = 0, n_positive: int | None = None) -> Estimate:
    """Return an estimate without a value, whose ``method`` gives the reason."""
    return Estimate(None, None, None, n, n_positive, f"undefined: {reason}")


def auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
    min_per_class: int = 1,
) -> Estimate:
    """Estimate the area under the ROC curve; ties count one half.

    The interval is the percentile bootstrap over subjects, stratified by class. If the resamples reach 0 or 1, the
    bootstrap is too narrow (an AUROC of 1 would get [1, 1]), and the score interval of Newcombe (2006, Statistics in
    Medicine 25:559, method 5; the variance of Hanley and McNeil 1982 with equal exponents) replaces it.

    Args:
        labels: Shape (subjects,), 1/True/"abnormal" or 0/False/"healthy".
        scores: Shape (subjects,), higher means more abnormal; subjects without a finite score are left out.
        seed: Seed of the resampling.
        resamples: Number of bootstrap resamples.
        level: Coverage of the interval.
        min_per_class: Subjects that each class needs; with fewer the estimate is undefined.

    Raises:
        DatasetError: The arrays differ in length or the labels are not binary.
    """
    truth, values = _paired(labels, scores)
    n, positives = len(truth), int(truth.sum())
    if reason := _too_few(truth, min_per_class):
        return undefined(reason, n=n, n_positive=positives)
    value = float(_rank_auroc(truth, values))
    drawn = _resampled(truth, values, "auroc", seed, resamples)
    low, high = _percentiles(drawn, level)
    method = f"{_percent(level)} percentile bootstrap over subjects, stratified by class ({resamples} resamples)"
    if low <= 0 or high >= 1 or high - low < 1e-12:
        low, high = newcombe_interval(value, positives, n - positives, level=level)
        method = (
            f"{_percent(level)} score interval of Newcombe (2006, method 5); bootstrap degenerate (0, 1 or no spread)"
        )
    return Estimate(value, min(low, value), max(high, value), n, positives, method)


def average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
    min_per_class: int = 1,
) -> Estimate:
    """Estimate the average precision (area under the precision-recall steps); tied scores form one step.

    Percentile bootstrap over subjects, stratified by class. If the resamples reach 1, a Wilson interval on the
    number of positives replaces it (the binomial interval of Boyd, Eng and Page 2013, in its score form).
    Arguments and errors as for :func:`auroc`.
    """
    truth, values = _paired(labels, scores)
    n, positives = len(truth), int(truth.sum())
    if reason := _too_few(truth, min_per_class):
        return undefined(reason, n=n, n_positive=positives)
    value = float(_weighted_average_precision(truth, values, np.ones((1, n)))[0])
    low, high = _percentiles(_resampled(truth, values, "average_precision", seed, resamples), level)
    method = f"{_percent(level)} percentile bootstrap over subjects, stratified by class ({resamples} resamples)"
    if high >= 1 or high - low < 1e-12:
        low, high = wilson_interval(value * positives, positives, level=level)
        method = (
            f"{_percent(level)} Wilson interval on the positives (Boyd 2013); bootstrap degenerate (1 or no spread)"
        )
    return Estimate(value, min(low, value), max(high, value), n, positives, method)


def proportion(successes: int, total: int, *, level: float = 0.95) -> Estimate:
    """Return the share of successes with the score interval of Wilson (1927)."""
    if total <= 0:
        return undefined("no subject to count", n=0, n_positive=0)
    if not 0 <= successes <= total:
        raise DatasetError(
            "A proportion cannot have more successes than trials.",
            found=f"{successes} of {total}",
            expected="0 to total",
        )
    low, high = wilson_interval(successes, total, level=level)
    return Estimate(
        successes / total, low, high, int(total), int(successes), f"{_percent(level)} Wilson score interval"
    )


def threshold_metrics(labels: ArrayLike, flagged: ArrayLike) -> dict[str, Estimate]:
    """Return sensitivity and specificity of yes/no decisions, with Wilson intervals.

    Args:
        labels: Shape (subjects,), as for :func:`auroc`.
        flagged: Shape (subjects,), truthy where the subject was called abnormal.
    """
    truth, decision = _paired(labels, np.asarray(flagged).astype(float))
    positives = int(truth.sum())
    sensitivity = proportion(int((decision[truth] > 0).sum()), positives)
    specificity = proportion(int((decision[~truth] <= 0).sum()), len(truth) - positives)
    return {"sensitivity": sensitivity, "specificity": specificity}


def mean(values: ArrayLike, *, seed: int = 0, resamples: int = 2000, level: float = 0.95) -> Estimate:
    """Return the mean over subjects with a percentile bootstrap interval; values that are not finite are left out."""
    array = np.asarray(values, dtype=float).ravel()
    array = array[np.isfinite(array)]
    n = len(array)
    if n == 0:
        return undefined("no finite value")
    if n == 1:
        return Estimate(float(array[0]), None, None, 1, None, "mean of one subject; no interval")
    counts = bootstrap_counts(np.random.default_rng(seed), n, resamples)
    low, high = _percentiles(counts @ array / n, level)
    method = f"mean; {_percent(level)} percentile bootstrap over subjects ({resamples} resamples)"
    return Estimate(float(array.mean()), low, high, n, None, method)


def mean_count(values: ArrayLike, *, seed: int = 0, resamples: int = 2000, level: float = 0.95) -> Estimate:
    """Return the mean of counts (subjects,) as :func:`mean` does, but if nothing was counted, with an upper limit.

    The bootstrap of zeros has no width; the limit is the exact one of a Poisson rate (Garwood 1936, Biometrika 28:437).
    """
    estimate = mean(values, seed=seed, resamples=resamples, level=level)
    if estimate.value != 0:
        return estimate
    high = -math.log((1 - level) / 2) / estimate.n
    return replace(estimate, low=0.0, high=high, method=f"mean count; {_percent(level)} exact Poisson interval of none")


def paired_difference(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    metric: str | Weighted = "auroc",
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
    min_per_class: int = 1,
) -> Estimate:
    """Estimate the metric of ``scores_a`` minus that of ``scores_b`` on the same subjects, by a paired bootstrap.

    Both scores use the same resamples, stratified by class. If one of the two metrics is exactly 0 or 1, its bootstrap
    has no width. The interval is then built from the two single intervals (MOVER, Newcombe 1998), which ignores the
    pairing and is conservative.

    Args:
        labels: Shape (subjects,), as for :func:`auroc`.
        scores_a: Shape (subjects,).
        scores_b: Shape (subjects,). A subject that lacks either score is left out.
        metric: ``"auroc"``, ``"average_precision"``, ``"mean"`` (labels serve only to stratify), or a function of
            (labels (n,), scores (n,), counts (resamples, n)) that returns one figure for each row of counts.
        seed: Seed of the resampling.
        resamples: Number of bootstrap resamples.
        level: Coverage of the interval.
        min_per_class: As for :func:`auroc`.
    """
    truth, first, second = _paired(labels, scores_a, scores_b)
    n, positives = len(truth), int(truth.sum())
    if metric != "mean" and (reason := _too_few(truth, min_per_class)):
        return undefined(reason, n=n, n_positive=positives)
    if n < 2:
        return undefined("fewer than two subjects", n=n, n_positive=positives)
    single = {"auroc": auroc, "average_precision": average_precision}.get(metric) if isinstance(metric, str) else None
    function = _weighted(metric)
    once = np.ones((1, n))
    a, b = (float(function(truth, scores, once)[0]) for scores in (first, second))
    if single and {a, b} & {0.0, 1.0}:
        one, two = (single(truth, scores, seed=seed, resamples=resamples, level=level) for scores in (first, second))
        low = a - b - math.hypot(a - _number(one.low), _number(two.high) - b)
        high = a - b + math.hypot(_number(one.high) - a, b - _number(two.low))
        method = f"paired difference; {_percent(level)} interval from the two single intervals (MOVER)"
        return Estimate(a - b, max(low, -1.0), min(high, 1.0), n, positives, method)
    counts = _stratified_counts(np.random.default_rng(seed), truth, resamples)
    low, high = _percentiles(function(truth, first, counts) - function(truth, second, counts), level)
    method = f"paired difference; {_percent(level)} percentile bootstrap over subjects ({resamples} resamples)"
    return Estimate(a - b, low, high, n, positives, method)


def wilson_interval(successes: float, total: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927)."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return float(max(0.0, min(share, centre - half))), float(min(1.0, max(share, centre + half)))


def newcombe_interval(value: float, positives: int, negatives: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of an AUROC (Newcombe 2006, method 5): solve ``|value - a| = z * sd(a)`` for ``a``."""
    from scipy.optimize import brentq  # with scipy.stats half a second, and a look at a cohort needs neither

    z = NormalDist().inv_cdf(0.5 + level / 2)

    def spread(a: float) -> float:
        half = (positives + negatives) / 2 - 1
        inner = 1 + half * (1 - a) / (2 - a) + half * a / (1 + a)
        return math.sqrt(max(a * (1 - a) * inner / (positives * negatives), 0.0))

    tiny = 1e-12
    low = 0.0 if value <= tiny else brentq(lambda a: value - a - z * spread(a), 0.0, value - tiny)
    high = 1.0 if value >= 1 - tiny else brentq(lambda a: a - value - z * spread(a), value + tiny, 1.0)
    return float(low), float(high)


def bootstrap_counts(rng: np.random.Generator, n: int, resamples: int) -> NDArray:
    """Draw bootstrap resamples: how often each of ``n`` subjects is drawn, shape (resamples, n)."""
    drawn = rng.integers(0, n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(float)


def _stratified_counts(rng: np.random.Generator, truth: NDArray, resamples: int) -> NDArray:
    counts = np.zeros((resamples, len(truth)))
    for group in (truth, ~truth):
        if group.any():
            counts[:, group] = bootstrap_counts(rng, int(group.sum()), resamples)
    return counts


def _resampled(truth: NDArray, scores: NDArray, metric: str, seed: int, resamples: int) -> NDArray:
    counts = _stratified_counts(np.random.default_rng(seed), truth, resamples)
    return _weighted(metric)(truth, scores, counts)


def _weighted(metric: str | Weighted) -> Weighted:
    if callable(metric):
        return metric
    known: dict[str, Weighted] = {
        "auroc": _weighted_auroc,
        "average_precision": _weighted_average_precision,
        "mean": lambda _truth, scores, counts: counts @ scores / counts.sum(axis=1),
    }
    if metric not in known:
        raise DatasetError("Unknown metric.", expected=", ".join(known), found=metric)
    return known[metric]


def _rank_auroc(truth: NDArray, scores: NDArray) -> float:
    from scipy.stats import rankdata

    positives, negatives = truth.sum(), (~truth).sum()
    return float((rankdata(scores)[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def pair_wins(positive: NDArray, negative: NDArray) -> NDArray:
    """Return 1 where the positive scores higher, 0.5 where tied, else 0; shape (positives, negatives)."""
    difference = positive[:, None] - negative[None, :]
    return 0.5 * (np.sign(difference) + 1)


def _weighted_auroc(truth: NDArray, scores: NDArray, counts: NDArray) -> NDArray:
    wins = pair_wins(scores[truth], scores[~truth])
    positive, negative = counts[:, truth], counts[:, ~truth]
    return ((positive @ wins) * negative).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))


def _weighted_average_precision(truth: NDArray, scores: NDArray, counts: NDArray) -> NDArray:
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = counts[:, order]
    called = drawn.cumsum(axis=1)[:, ends]
    hits = (drawn * truth[order]).cumsum(axis=1)[:, ends]
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return (np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1) / hits[:, -1]


def _paired(labels: ArrayLike, *columns: ArrayLike) -> tuple[NDArray, ...]:
    truth = binary(labels)
    arrays = [np.asarray(column, dtype=float).ravel() for column in columns]
    if any(len(array) != len(truth) for array in arrays):
        lengths = ", ".join(str(len(array)) for array in arrays)
        raise DatasetError("Labels and scores differ in length.", expected=f"{len(truth)} scores", found=lengths)
    keep = np.logical_and.reduce([np.isfinite(array) for array in arrays])
    return truth[keep], *(array[keep] for array in arrays)


def binary(labels: ArrayLike) -> NDArray:
    """Return labels as booleans, True = abnormal; takes 0/1, False/True or "healthy"/"abnormal"."""
    array = np.asarray(labels).ravel()
    if array.dtype.kind in "OUST":
        known = {"abnormal": True, "healthy": False, "True": True, "False": False, "1": True, "0": False}
        unknown = sorted({str(entry) for entry in array} - set(known))
        if unknown:
            raise DatasetError("Labels must be binary.", expected="healthy or abnormal", found=", ".join(unknown))
        return np.array([known[str(entry)] for entry in array], dtype=bool)
    if not np.isin(array, (0, 1)).all():
        raise DatasetError("Labels must be binary.", expected="0 or 1", found=str(np.unique(array)[:5].tolist()))
    return array.astype(bool)


def _too_few(truth: NDArray, min_per_class: int) -> str:
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if len(truth) == 0:
        return "no subject"
    if min(positives, negatives) == 0:
        return "only abnormal subjects" if positives else "only healthy subjects"
    if min(positives, negatives) < min_per_class:
        return f"{negatives} healthy and {positives} abnormal subjects, and {min_per_class} of each are needed"
    return ""


def _percentiles(drawn: NDArray, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _percent(level: float) -> str:
    return f"{level * 100:g} %"


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _plain(entry: Any) -> Any:
    if isinstance(entry, (bool, str)) or entry is None:
        return entry
    if isinstance(entry, (int, np.integer)):
        return int(entry)
    number = float(entry)
    return number if math.isfinite(number) else None
