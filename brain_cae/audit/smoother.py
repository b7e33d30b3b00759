"""A cross-fitted classifier that is linear in the labels, so that permuting them costs one matrix product."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

FOLDS, REPEATS, RIDGE = 5, 5, 1.0


def kernel(columns: NDArray) -> NDArray:
    """Gaussian kernel with the median distance as its width, shape (n, n); ones where nothing varies."""
    if columns.shape[1] == 0:
        return np.ones((len(columns), len(columns)))
    distances = pdist(columns, "sqeuclidean")
    apart = distances[distances > 1e-12]
    width = np.median(apart) if len(apart) else 1.0
    return np.exp(-squareform(distances) / width)


def crossfit_smoother(similarity: NDArray, *, seed: int, folds: int = FOLDS, repeats: int = REPEATS) -> NDArray:
    """Matrix S, shape (n, n), with ``S @ y`` = out-of-fold kernel ridge predictions of any target ``y``.

    Each subject's prediction comes from the other folds alone and is the deviation from their mean. The folds do not
    look at the labels, so that observed and permuted labels are treated alike and the permutation test is exact.
    Averaged over several partitions (Saunders 1998 for the ridge; scikit-learn's ``KernelRidge`` gives the same for one
    fold).
    """
    n = len(similarity)
    rng = np.random.default_rng(seed)
    total = np.zeros((n, n))
    for _ in range(repeats):
        number = rng.permutation(np.arange(n) % min(folds, n))
        for fold in range(number.max() + 1):
            out, inside = np.flatnonzero(number == fold), np.flatnonzero(number != fold)
            if len(inside) == 0:
                continue
            ridge = similarity[np.ix_(inside, inside)] + RIDGE * np.eye(len(inside))
            weights = np.linalg.solve(ridge, similarity[np.ix_(inside, out)]).T
            total[np.ix_(out, inside)] += weights - weights.mean(axis=1, keepdims=True)
    return total / repeats


def auroc_rows(truth: NDArray, scores: NDArray) -> NDArray:
    """AUROC of each row; both shapes (rows, n)."""
    ranks = rankdata(np.round(scores, 10), axis=1)
    positives = truth.sum(axis=1)
    negatives = truth.shape[1] - positives
    return ((ranks * truth).sum(axis=1) - positives * (positives + 1) / 2) / (positives * negatives)


def permutation_p(observed: float, null: NDArray) -> float:
    """(1 + #(null >= observed)) / (permutations + 1)."""
    return float((1 + (null >= observed - 1e-9).sum()) / (len(null) + 1))


def shuffled_rows(values: NDArray, *, permutations: int, seed: int, within: NDArray | None = None) -> NDArray:
    """Permutations of ``values``, shape (permutations, n), within the groups of ``within`` where given."""
    rng = np.random.default_rng(seed)
    rows = np.tile(values, (permutations, 1))
    groups = np.zeros(len(values), dtype=int) if within is None else within
    for group in np.unique(groups):
        member = np.flatnonzero(groups == group)
        rows[:, member] = rng.permuted(rows[:, member], axis=1)
    return rows


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p values by Holm (1979)."""
    order = np.argsort(p_values)
    adjusted = np.maximum.accumulate([(len(p_values) - step) * p_values[i] for step, i in enumerate(order)])
    result = np.empty(len(p_values))
    result[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in result]
