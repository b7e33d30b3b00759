"""A cross-fitted classifier that is linear in the labels, so that each permutation costs one matrix product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from brain_cae.estimates import Estimate, auroc

FOLDS, REPEATS, RIDGE = 5, 5, 1.0


def kernel(columns: NDArray) -> NDArray:
    """Return the Gaussian kernel (n, n) with the median distance as its width; all ones if nothing varies."""
    if columns.shape[1] == 0:
        return np.ones((len(columns), len(columns)))
    distances = pdist(columns, "sqeuclidean")
    apart = distances[distances > 1e-12]
    width = np.median(apart) if len(apart) else 1.0
    return np.exp(-squareform(distances) / width)


def crossfit_smoother(similarity: NDArray, *, seed: int, folds: int = FOLDS, repeats: int = REPEATS) -> NDArray:
    """Return the matrix S (n, n) with ``S @ y`` = out-of-fold kernel ridge predictions of any target ``y``.

    Each subject's prediction comes from the other folds alone and is the deviation from their mean. The folds
    ignore the labels, so observed and permuted labels are treated alike and the permutation test is exact. Averaged
    over several partitions (Saunders 1998 for the ridge; scikit-learn's ``KernelRidge`` gives the same for one
    fold).
    """
    n = len(similarity)
    rng = np.random.default_rng(seed)
    partitions = [rng.permutation(np.arange(n) % min(folds, n)) for _ in range(repeats)]
    return sum((smoother_of(similarity, number) for number in partitions), np.zeros((n, n))) / repeats


def smoother_of(similarity: NDArray, number: NDArray) -> NDArray:
    """Return the same matrix for one partition; ``number`` (n,) is the fold in which each subject is held out."""
    total = np.zeros(similarity.shape)
    for fold in np.unique(number):
        out, inside = np.flatnonzero(number == fold), np.flatnonzero(number != fold)
        if len(inside) == 0:
            continue
        ridge = similarity[np.ix_(inside, inside)] + RIDGE * np.eye(len(inside))
        weights = np.linalg.solve(ridge, similarity[np.ix_(inside, out)]).T
        total[np.ix_(out, inside)] += weights - weights.mean(axis=1, keepdims=True)
    return total


@dataclass(frozen=True)
class LabelReading:
    """How well the label can be predicted from some columns.

    Attributes:
        estimate: Cross-fitted AUROC.
        p: Permutation p value, against shuffled labels.
        chance: Mean AUROC of shuffled labels.
        bound: One-sided 95 % upper bound.
        predicted: Shape (n,), out of fold.
        smoother: Shape (n, n), see :func:`crossfit_smoother`; it predicts any other target from the same columns.
    """

    estimate: Estimate
    p: float
    chance: float
    bound: float
    predicted: NDArray
    smoother: NDArray


def read_label(truth: NDArray, columns: NDArray, *, seed: int, permutations: int) -> LabelReading:
    """Predict the label (n,) from columns (n, k) out of fold; both classes must be present."""
    smoother = crossfit_smoother(kernel(columns), seed=seed)
    predicted = (smoother @ truth.astype(float)).round(10)
    estimate = auroc(truth, predicted, seed=seed)
    rows = shuffled_rows(truth, permutations=permutations, seed=seed)
    null = auroc_rows(rows, rows.astype(float) @ smoother.T)
    observed, chance = float(estimate.value or 0.0), float(null.mean())
    # Classes that are more alike than shuffled ones prove no more than these do (Cowan et al. 2011, arXiv:1105.3166).
    bound = min(float(auroc(truth, predicted, seed=seed, level=0.90).high or 1.0) + max(chance - observed, 0.0), 1.0)
    # If nothing predicts the label, the cross-fitted AUROC is below 0.5 (holding a subject out lowers the mean of its
    # group). The bound is therefore stretched from [chance, 1] to [0.5, 1]; otherwise absence is shown too easily.
    bound = 1 - (1 - bound) * 0.5 / (1 - min(chance, 0.5))
    return LabelReading(estimate, permutation_p(observed, null), chance, bound, predicted, smoother)


def standardised(columns: NDArray) -> NDArray:
    """Return the columns (n, k) with mean 0 and standard deviation 1, without those that do not vary."""
    spread = columns.std(axis=0)
    kept = spread > 1e-9 * np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-9)
    return (columns - columns.mean(axis=0))[:, kept] / spread[kept]


def auroc_rows(truth: NDArray, scores: NDArray) -> NDArray:
    """Return the AUROC of each row; both shapes (rows, n)."""
    ranks = rankdata(np.round(scores, 10), axis=1)
    positives = truth.sum(axis=1)
    negatives = truth.shape[1] - positives
    return ((ranks * truth).sum(axis=1) - positives * (positives + 1) / 2) / (positives * negatives)


def permutation_p(observed: float, null: NDArray) -> float:
    """Return (1 + #(null >= observed)) / (permutations + 1)."""
    return float((1 + (null >= observed - 1e-9).sum()) / (len(null) + 1))


def shuffled_rows(values: NDArray, *, permutations: int, seed: int, within: NDArray | None = None) -> NDArray:
    """Return permutations of ``values``, shape (permutations, n), within the groups of ``within`` if given."""
    rng = np.random.default_rng(seed)
    rows = np.tile(values, (permutations, 1))
    groups = np.zeros(len(values), dtype=int) if within is None else within
    for group in np.unique(groups):
        member = np.flatnonzero(groups == group)
        rows[:, member] = rng.permuted(rows[:, member], axis=1)
    return rows


def holm(p_values: list[float]) -> list[float]:
    """Return p values adjusted by Holm (1979)."""
    order = np.argsort(p_values)
    adjusted = np.maximum.accumulate([(len(p_values) - step) * p_values[i] for step, i in enumerate(order)])
    result = np.empty(len(p_values))
    result[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in result]
