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
    """Kruskal-Wallis statistic of score against protocol, combined over the labels, permuted within label.

    Scores are ranked within each label; the protocols' rank sums over both labels, against their permutation
    covariance, give a chi-square-like statistic (van Elteren 1960, for several groups). The estimate is a partial
    epsilon-squared, the share of the score's spread within a label that goes with the protocol; its interval inverts
    the noncentral F. A second statistic, the similarity of scores between subjects of similar metadata (HSIC, Gretton
    2005), sees what differs within a protocol; p is the smaller of both after Holm.
    """
    keep = cohort.scored
    truth, scores, protocols = cohort.truth[keep], cohort.scores[keep], cohort.pooled[keep]
    n = len(truth)
    if n < 10:
        return unable("score_dependence", "Fewer than ten scored subjects.", n=n, n_needed=40)
    aligned = aligned_ranks(truth, scores)
    permuted = np.vstack(
        [aligned, shuffled_rows(aligned, permutations=permutations, seed=seed, within=truth.astype(int))]
    )
    groups = one_hot(protocols)
    covariance = _covariance(truth, aligned, groups)
    df = int(np.linalg.matrix_rank(covariance, tol=1e-9))
    similarity = kernel(cohort.metadata[keep])
    centred = similarity - similarity.mean(axis=0) - similarity.mean(axis=1)[:, None] + similarity.mean()
    alike = np.einsum("pi,pi->p", permuted @ centred, permuted)
    p_values = [permutation_p(float(alike[0]), alike[1:])] if np.abs(centred).max() > 1e-9 else [1.0]
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
    text = f"Among subjects of the same label, the protocol goes with {100 * value:.0f} % of the score's spread"
    text += f" (95 % interval {100 * low:.0f} to {100 * high:.0f} %; p = {p:.3f})."
    verdict, needed = NO_CONCERN, None
    if p <= ALPHA:
        verdict = CONCERN
        text += " The score depends on the scanner."
    elif upper >= LARGE:
        verdict, needed = CANNOT_TELL, needed_for_share(n, df)
        text += f" A large share is not excluded; about {needed} subjects would decide."
    return AuditTest("score_dependence", value, low, high, p, verdict, text, n, needed, upper, _by_protocol(cohort))


def aligned_ranks(truth: NDArray, scores: NDArray) -> NDArray:
    """Ranks within each label, centred and scaled to one standard deviation."""
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
        text = f"All subjects share one protocol, and within it the score does not follow the settings (p = {p:.3f})."
        return AuditTest("score_dependence", 0.0, 0.0, 0.0, p, NO_CONCERN, text, n, upper_bound=0.0)
    if p <= ALPHA:
        text = f"Among subjects of the same label, the score follows the scanner's settings (p = {p:.3f})."
        return AuditTest("score_dependence", None, None, None, p, CONCERN, text, n)
    return unable(
        "score_dependence", "No label was scanned with two protocols, so the scanner's part cannot be seen.", n=n
    )


def needed_for_share(n: int, df: int) -> int:
    """Subjects with which an absent effect would be shown small in four of five cohorts."""
    lucky = float(chi2.ppf(0.8, df))
    sizes = (size for size in range(int(np.ceil(1.25 * n)), 50 * n, max(n // 10, 1)))
    return next((size for size in sizes if share_interval(lucky, df, size, level=0.90)[1] < LARGE), 50 * n)


def share_interval(statistic: float, df: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of the share of spread between protocols, from the statistic (n - 2 at most) by the noncentral F."""
    free = max(n - 2 - df, 1)
    share = min(statistic / (n - 2), 1 - 1e-9)
    ratio = share / df / ((1 - share) / free)

    def end(probability: float) -> float:
        def gap(noncentrality: float) -> float:
            return float(ncf.cdf(ratio, df, free, noncentrality)) - probability

        if gap(1e-9) <= 0:
            return 0.0
        most = 10.0
        while gap(most) > 0 and most < 1e5:
            most *= 4
        found = brentq(gap, 1e-9, most) if gap(most) < 0 else most
        return float(found / (found + n))

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
