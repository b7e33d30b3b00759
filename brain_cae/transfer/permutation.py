"""Permutation tests: how often shuffled labels reach the AUROC of the real ones."""

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from numpy.typing import ArrayLike, NDArray

from brain_cae.estimates import Estimate, binary, pair_wins, wilson_interval
from brain_cae.estimates import undefined as undefined_estimate
from brain_cae.transfer.crossfit import crossfit


def permutation_p(
    pipeline: Pipeline,
    features: pd.DataFrame,
    labels: ArrayLike,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: ArrayLike | None = None,
    permutations: int = 200,
    observed: float | None = None,
) -> Estimate:
    """Return the p value of the out-of-fold AUROC: p = (1 + #(null >= observed)) / (permutations + 1).

    The labels are shuffled before the whole cross-fitting, so folds, scaler and balancing are repeated for each one
    (Ojala and Garriga 2010, JMLR 11:1833, test 1). With groups whose rows share one label, whole groups are shuffled.
    ``low`` and ``high`` give the Monte Carlo uncertainty of p.

    Args:
        pipeline, features, labels, folds, seed, groups: As for :func:`brain_cae.transfer.crossfit.crossfit`.
        permutations: Number of permutations.
        observed: AUROC of the pipeline if it was tuned. The shuffled labels are then fitted with the given parameters,
            since two hundred searches would take hours. A search never sees a held-out label, so the null is still
            centred at one half, but its spread is that of the pipeline without tuning.
    """
    truth = binary(labels)
    n, positives = len(truth), int(truth.sum())
    tuned = observed is not None
    if observed is None:
        observed = _auroc(
            truth, crossfit(pipeline, features, truth, folds=folds, seed=seed, groups=groups).probabilities
        )
    if observed is None:
        return undefined_estimate("no out-of-fold prediction", n=n, n_positive=positives)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(permutations):
        shuffled = _shuffle(truth, groups, rng)
        out = crossfit(pipeline, features, shuffled, folds=folds, seed=seed, groups=groups)
        null.append(_auroc(shuffled, out.probabilities))
    method = f"permutation of labels through the whole cross-fitting ({permutations}); interval: Monte Carlo error"
    method += "; shuffled labels learnt without tuning" if tuned else ""
    return _p_value(observed, null, n, positives, method)


def permutation_p_of_predictions(
    labels: ArrayLike, probabilities: ArrayLike, folds: ArrayLike, *, seed: int = 0, permutations: int = 200
) -> Estimate:
    """Return the p value for fixed predictions: labels are shuffled within each held-out fold.

    For one held-out set this is the exact test of independence of prediction and label. Over several folds it is
    approximate, since a subject's label was also used to train the models of the other folds.

    Args:
        labels: Shape (subjects,), as for :func:`brain_cae.transfer.crossfit.crossfit`.
        probabilities: Shape (subjects,), finite.
        folds: Shape (subjects,), fold in which each subject was held out.
        seed: Seed of the shuffling.
        permutations: Number of permutations.
    """
    truth, values, numbers = binary(labels), np.asarray(probabilities, dtype=float), np.asarray(folds, dtype=int)
    n, positives = len(truth), int(truth.sum())
    observed = _auroc(truth, values)
    if observed is None:
        return undefined_estimate("no held-out prediction of both classes", n=n, n_positive=positives)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(permutations):
        shuffled = truth.copy()
        for number in np.unique(numbers):
            shuffled[numbers == number] = rng.permutation(truth[numbers == number])
        null.append(_auroc(shuffled, values))
    method = f"permutation of labels against fixed predictions ({permutations}); interval: Monte Carlo error"
    return _p_value(observed, null, n, positives, method)


def _p_value(observed: float, null: list[float | None], n: int, positives: int, method: str) -> Estimate:
    reached = sum(entry is not None and entry >= observed - 1e-12 for entry in null)
    p = (1 + reached) / (len(null) + 1)
    low, high = wilson_interval(p * len(null), len(null))
    return Estimate(p, low, high, n, positives, method)


def _shuffle(truth: NDArray, groups: ArrayLike | None, rng: np.random.Generator) -> NDArray:
    if groups is None:
        return rng.permutation(truth)
    _, first, member = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    if (truth[first][member] != truth).any():
        return rng.permutation(truth)
    return rng.permutation(truth[first])[member]


def _auroc(truth: NDArray, probabilities: NDArray) -> float | None:
    known = np.isfinite(probabilities)
    positive, negative = probabilities[known & truth], probabilities[known & ~truth]
    if not len(positive) or not len(negative):
        return None
    return float(pair_wins(positive, negative).mean())
