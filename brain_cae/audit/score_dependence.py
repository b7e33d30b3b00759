"""Condition B: does the score depend on the acquisition among subjects of the same label?"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, ncf, rankdata

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import holm, kernel, permutation_p, shuffled_rows
from brain_cae.audit.table import AuditTable, one_hot

ALPHA = 0.05
LARGE = 0.14


def score_dependence(cohort: AuditTable, *, seed: int = 0, permutations: int = 999) -> AuditTest:
    """Test score against protocol by a Kruskal-Wallis statistic, combined over the labels and permuted within them.

    Scores are ranked within each label; the protocols' rank sums over both labels, against their permutation
    covariance, give a chi-square-like statistic (van Elteren 1960, for several groups). The estimate is a partial
    epsilon-squared, the share of the score's variance within a label that the protocol accounts for; its interval
    inverts the noncentral F. A second statistic, the similarity of scores between subjects with similar metadata (HSIC,
    Gretton 2005), detects differences within a protocol; p is the smaller of the two after Holm's correction.
    """
    keep = cohort.scored
    truth, scores, protocols = cohort.truth[keep], cohort.scores[keep], cohort.pooled[keep]
    n = len(truth)
    if n < 10:
        return unable("score_dependence", "Fewer than ten scored subjects.", n=n, n_needed=40)
    aligned = aligned_ranks(truth, scores)
    if not aligned.any():
        text = "All subjects of a label have the same score, so nothing can change it among them."
        return unable("score_dependence", text, n=n)
    permuted = np.vstack(
        [aligned, shuffled_rows(aligned, permutations=permutations, seed=seed, within=truth.astype(int))]
    )
    groups = one_hot(protocols)
    covariance = _covariance(truth, aligned, groups)
    df = int(np.linalg.matrix_rank(covariance, tol=1e-9))
    similarity = kernel(cohort.metadata[keep])
    centred = similarity - similarity.mean(axis=0) - similarity.mean(axis=1)[:, None] + similarity.mean()
    hsic = np.einsum("pi,pi->p", permuted @ centred, permuted)
    p_values = [permutation_p(float(hsic[0]), hsic[1:])] if np.abs(centred).max() > 1e-9 else [1.0]
    if df == 0:
        return _without_contrast(cohort, p_values[0], n)
    sums = permuted @ groups
    statistic = np.einsum("pg,gh,ph->p", sums, np.linalg.pinv(covariance, rcond=1e-9), sums)
    observed = float(statistic[0])
    p = min(holm([permutation_p(observed, statistic[1:]), *p_values]))
    free = max(n - 2 - df, 1)
    value = max(0.0, (observed - df) / free)
    low, high = share_interval(observed, df, n)
    upper = share_interval(observed, df, n, level=0.90)[1]
    text = f"Among subjects of the same label, the protocol accounts for {100 * value:.0f} % of the score's variance"
    text += f" (95 % interval {100 * low:.0f} to {100 * high:.0f} %; p = {p:.3f})."
    verdict, needed = NO_CONCERN, None
    if p <= ALPHA:
        verdict = CONCERN
        text += " The score depends on the scanner."
    elif upper >= LARGE:
        verdict, needed = CANNOT_TELL, needed_for_share(n, df)
        text += f" A large share is not excluded; about {needed} subjects would be needed."
    return AuditTest("score_dependence", value, low, high, p, verdict, text, n, needed, upper, _by_protocol(cohort))


def aligned_ranks(truth: NDArray, scores: NDArray) -> NDArray:
    """Return the ranks within each label, centred and scaled to one standard deviation."""
    aligned = np.zeros(len(scores))
    for kind in (True, False):
        member = truth == kind
        ranks = rankdata(scores[member])
        if len(ranks) > 1 and ranks.std() > 0:
            aligned[member] = (ranks - ranks.mean()) / ranks.std()
    return aligned


def _covariance(truth: NDArray, aligned: NDArray, groups: NDArray) -> NDArray:
    total = np.zeros((groups.shape[1],) * 2)
    for kind in (True, False):
        member = truth == kind
        n = int(member.sum())
        if n > 1:
            counts = groups[member].sum(axis=0)
            total += aligned[member].var() * n / (n - 1) * (np.diag(counts) - np.outer(counts, counts) / n)
    return total


def _without_contrast(cohort: AuditTable, p: float, n: int) -> AuditTest:
    if len(np.unique(cohort.pooled)) == 1 and p > ALPHA:
        text = (
            f"All subjects share one protocol, and within it the score does not depend on the settings (p = {p:.3f})."
        )
        return AuditTest("score_dependence", 0.0, None, None, p, NO_CONCERN, text, n, upper_bound=0.0)
    if p <= ALPHA:
        text = f"Among subjects of the same label, the score depends on the scanner's settings (p = {p:.3f})."
        return AuditTest("score_dependence", None, None, None, p, CONCERN, text, n)
    return unable(
        "score_dependence", "No label was scanned with two protocols, so the scanner's effect cannot be measured.", n=n
    )


def needed_for_share(n: int, df: int) -> int:
    """Return how many subjects would show in four of five cohorts that an absent effect is small."""
    statistic = float(chi2.ppf(0.8, df))
    sizes = (size for size in range(int(np.ceil(1.25 * n)), 50 * n, max(n // 10, 1)))
    return next((size for size in sizes if share_interval(statistic, df, size, level=0.90)[1] < LARGE), 50 * n)


def share_interval(statistic: float, df: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the share of variance between protocols, from the statistic (at most n - 2)."""
    free = max(n - 2 - df, 1)
    share = min(statistic / (n - 2), 1 - 1e-9)
    ratio = share / df / ((1 - share) / free)

    def end(probability: float) -> float:
        def gap(noncentrality: float) -> float:
            return float(ncf.cdf(ratio, df, free, noncentrality)) - probability

        if gap(1e-9) <= 0:
            return 0.0
        upper_end = 10.0
        while gap(upper_end) > 0 and upper_end < 1e5:
            upper_end *= 4
        root = brentq(gap, 1e-9, upper_end) if gap(upper_end) < 0 else upper_end
        return float(root / (root + n))

    return end(0.5 + level / 2), end(0.5 - level / 2)


def _by_protocol(cohort: AuditTable) -> list[dict]:
    rows = []
    for number, name in enumerate(cohort.names):
        member = (cohort.protocols == number) & cohort.scored
        row: dict = {"protocol": name}
        for label, kind in (("healthy", ~cohort.truth), ("abnormal", cohort.truth)):
            scores = cohort.scores[member & kind]
            row |= {
                f"{label}_n": len(scores),
                f"{label}_median_score": float(np.median(scores)) if len(scores) else None,
            }
        rows.append(row)
    return rows
