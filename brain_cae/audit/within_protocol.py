"""Condition C: does the score still separate the classes among subjects scanned alike?"""

import math

import numpy as np
from numpy.typing import NDArray

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import permutation_p, shuffled_rows
from brain_cae.audit.table import AuditTable
from brain_cae.estimates import auroc, bootstrap_counts, newcombe_interval, pair_wins

RELEVANT_AUROC = 0.70


def within_protocol(cohort: AuditTable, *, seed: int = 0, resamples: int = 2000, permutations: int = 999) -> AuditTest:
    """Estimate the AUROC over pairs of one healthy and one abnormal subject of the same protocol.

    The pairs of all protocols are pooled (each weighs its number of pairs). Interval: percentile bootstrap over
    subjects, stratified by class; the score interval of Newcombe (2006) where that reaches 0 or 1. p: labels permuted
    within protocols. The comparison can detect an effect if it has 80 % power for the overall AUROC (or 0.70, if
    larger). Otherwise an interval around 0.5 is uninformative, and the test answers ``cannot tell``.
    """
    keep = cohort.scored
    truth, scores, protocols = cohort.truth[keep], cohort.scores[keep], cohort.protocols[keep]
    same = protocols[truth][:, None] == protocols[~truth][None, :]
    pairs, n = int(same.sum()), len(truth)
    if pairs == 0:
        return unable("within_protocol", "No healthy and abnormal subject share a protocol.", n=n)
    wins = pair_wins(scores[truth], scores[~truth]) * same
    value = float(wins.sum() / pairs)
    shared = np.isin(protocols, np.intersect1d(protocols[truth], protocols[~truth]))
    positives, negatives = int((truth & shared).sum()), int((~truth & shared).sum())
    low, high = _interval(truth, wins, same, seed, resamples)
    if low <= 0 or high >= 1:
        low, high = newcombe_interval(value, positives, negatives)
    spread = _null_spread(truth, protocols, pairs)
    detectable = 0.5 + (1.96 + 0.842) * spread
    overall = auroc(truth, scores, seed=seed, resamples=2).value or 0.5
    target = max(abs(overall - 0.5) + 0.5, RELEVANT_AUROC)
    text = f"Among subjects of the same protocol the AUROC is {value:.2f} (95 % interval {low:.2f} to {high:.2f};"
    text += f" {positives + negatives} subjects, {pairs} pairs; over all subjects it is {overall:.2f})."
    needed, verdict = None, NO_CONCERN
    if low > 0.5:
        text += " The score separates the classes there, too."
    elif detectable <= target:
        verdict = CONCERN
        text += f" An AUROC of {detectable:.2f} or more would have been detected, but was not."
    else:
        verdict = CANNOT_TELL
        needed = max(math.ceil(n * ((detectable - 0.5) / (target - 0.5)) ** 2), math.ceil(1.25 * n))
        least = f"Only an AUROC of {detectable:.2f} or more would" if detectable < 1 else "Even one of 1.00 might not"
        text += f" {least} have been detected; about {needed} subjects would be needed."
    p = _permuted_p(truth, scores, protocols, permutations, seed)
    return AuditTest(
        "within_protocol",
        value,
        min(low, value),
        max(high, value),
        p,
        verdict,
        text,
        n,
        needed,
        details=_by_protocol(cohort),
    )


def _interval(truth: NDArray, wins: NDArray, same: NDArray, seed: int, resamples: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    positive = bootstrap_counts(rng, int(truth.sum()), resamples)
    negative = bootstrap_counts(rng, int((~truth).sum()), resamples)
    pairs = ((positive @ same) * negative).sum(axis=1)
    drawn = np.divide(
        ((positive @ wins) * negative).sum(axis=1), pairs, out=np.full(resamples, np.nan), where=pairs > 0
    )
    if np.isfinite(drawn).mean() < 0.95:
        return 0.0, 1.0
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _null_spread(truth: NDArray, protocols: NDArray, pairs: int) -> float:
    """Return the pooled AUROC's standard error for an uninformative score (Mann-Whitney variance per protocol)."""
    variance = 0.0
    for protocol in np.unique(protocols):
        m, k = int((truth & (protocols == protocol)).sum()), int((~truth & (protocols == protocol)).sum())
        variance += m * k * (m + k + 1) / 12
    return math.sqrt(variance) / pairs


def _permuted_p(truth: NDArray, scores: NDArray, protocols: NDArray, permutations: int, seed: int) -> float:
    rows = np.vstack([truth, shuffled_rows(truth, permutations=permutations, seed=seed, within=protocols)]).astype(
        float
    )
    order = 0.5 * (np.sign(scores[:, None] - scores[None, :]) + 1) * (protocols[:, None] == protocols[None, :])
    # Pairs within a protocol in which the abnormal subject scores higher; the number of pairs is the same in each
    # permutation.
    won = ((rows @ order) * (1 - rows)).sum(axis=1)
    return permutation_p(float(won[0]), won[1:])


def _by_protocol(cohort: AuditTable) -> list[dict]:
    rows = []
    for number, name in enumerate(cohort.names):
        member = (cohort.protocols == number) & cohort.scored
        estimate = auroc(cohort.truth[member], cohort.scores[member], resamples=500)
        rows.append({"protocol": name, **estimate.to_dict()})
    return rows
