"""Condition A, second test: how strongly are protocol and label associated?"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2, norm

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import permutation_p, shuffled_rows
from brain_cae.audit.table import AuditTable, one_hot


def protocol_label(cohort: AuditTable, *, margin: float, seed: int = 0, permutations: int = 999) -> AuditTest:
    """Measure Cramér's V of protocol and label (bias-corrected, Bergsma 2013), with a permutation p of its chi-square.

    Protocols of fewer than three subjects are pooled. The interval inverts the noncentral chi-square. ``upper_bound``
    is its one-sided 95 % bound, expressed as the AUROC of a normal marker with that correlation with the label, and
    never below that of the median cohort without any association: classes that are more alike than by chance prove no
    more than such a cohort does (power-constrained limits; Cowan et al. 2011, arXiv:1105.3166).
    """
    groups = one_hot(cohort.pooled)
    if groups.shape[1] < 2:
        text = "All subjects share one protocol, so protocol and label cannot be associated."
        return AuditTest("protocol_label", 0.0, None, None, None, NO_CONCERN, text, cohort.n, upper_bound=0.5)
    if cohort.truth.all() or not cohort.truth.any():
        return unable("protocol_label", "Only one class is present.", n=cohort.n)
    n, df = cohort.n, groups.shape[1] - 1
    rows = np.vstack([cohort.truth, shuffled_rows(cohort.truth, permutations=permutations, seed=seed)]).astype(float)
    expected = groups.sum(axis=0) * cohort.truth.mean()
    statistic = ((rows @ groups - expected) ** 2 / expected).sum(axis=1) / (1 - cohort.truth.mean())
    observed = float(statistic[0])
    p = permutation_p(observed, statistic[1:])
    # For two classes the corrected number of classes is 2 - 1/(n-1).
    value = math.sqrt(max(0.0, observed / n - df / (n - 1)) / (1 - 1 / (n - 1)))
    low, high = (math.sqrt(bound / n) for bound in noncentrality_interval(observed, df))
    text = f"Protocol and label are associated with a Cramér's V of {min(value, 1.0):.2f}"
    text += f" (0 = not at all, 1 = completely; p = {p:.3f})."
    abnormal = int(cohort.truth.sum())
    limited = max(observed, float(chi2.median(df)))
    bound = _as_auroc(noncentrality_interval(limited, df, level=0.90)[1] / n, abnormal / n)
    verdict, needed = CONCERN, None
    if p > 0.05 and bound < margin:
        verdict = NO_CONCERN
        text += f" With 95 % confidence the protocol predicts the label with an AUROC below {margin:.2f}."
    elif p > 0.05:
        verdict, needed = CANNOT_TELL, needed_for_margin(abnormal, n - abnormal, df, margin)
        text += f" An AUROC of {margin:.2f} or more from the protocol is not excluded;"
        text += f" about {needed} subjects would be needed."
    # Of classes that are more alike than by chance, the inversion gives an interval without width.
    first, last = (min(low, 1.0), min(high, 1.0)) if high > 0 else (None, None)
    return AuditTest("protocol_label", min(value, 1.0), first, last, p, verdict, text, n, needed, bound)


def needed_for_margin(positives: int, negatives: int, df: int, margin: float) -> int:
    """Return how many subjects (same class ratio) would show in four of five cohorts that protocols are unrelated."""
    n = positives + negatives
    share = positives / n
    distance = math.sqrt(2) * norm.ppf(margin)
    correlation = distance**2 / (distance**2 + 1 / (share * (1 - share)))
    bound = noncentrality_interval(float(chi2.ppf(0.8, max(df, 1))), max(df, 1), level=0.90)[1]
    return max(math.ceil(bound / correlation), math.ceil(1.25 * n))


def needed_for_auroc(positives: int, negatives: int, margin: float) -> int:
    """Return how many subjects (same class ratio) would show in four of five cohorts that a score is uninformative."""
    n = positives + negatives
    spread = math.sqrt((n + 1) / (12 * positives * negatives))  # of an AUROC of 0.5 (Mann and Whitney 1947)
    return max(math.ceil(n * ((1.645 + 0.842) * spread / (margin - 0.5)) ** 2), math.ceil(1.25 * n))


def _as_auroc(squared_correlation: float, share: float) -> float:
    """Return the AUROC of a normal marker whose squared point-biserial correlation with the label is given."""
    squared = min(squared_correlation, 1 - 1e-9)
    distance = math.sqrt(squared / (1 - squared) / (share * (1 - share)))
    return float(norm.cdf(distance / math.sqrt(2)))


def noncentrality_interval(statistic: float, df: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the noncentrality of a chi-square statistic, by inversion; the lower end may be 0."""

    def end(probability: float) -> float:
        def gap(noncentrality: float) -> float:
            return float(ncx2.cdf(statistic, df, noncentrality)) - probability

        if gap(1e-9) <= 0:
            return 0.0
        return float(brentq(gap, 1e-9, 4 * statistic + 100))

    return end(0.5 + level / 2), end(0.5 - level / 2)
