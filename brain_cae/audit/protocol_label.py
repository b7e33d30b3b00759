"""Condition A, second look: how strongly protocol and label go together."""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import ncx2

from brain_cae.audit.cohort import Cohort, one_hot
from brain_cae.audit.result import CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import permutation_p, shuffled_rows


def protocol_label(cohort: Cohort, *, seed: int = 0, permutations: int = 999) -> AuditTest:
    """Cramér's V of protocol and label (bias-corrected, Bergsma 2013), permutation p of its chi-square.

    Protocols of fewer than three subjects are taken together. The interval inverts the noncentral chi-square.
    """
    groups = one_hot(cohort.pooled)
    if groups.shape[1] < 2:
        text = "All subjects share one protocol, so protocol and label cannot go together."
        return AuditTest("protocol_label", 0.0, 0.0, 0.0, None, NO_CONCERN, text, cohort.n)
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
    text = f"Protocol and label go together with Cramér's V {min(value, 1.0):.2f} (0 = not at all, 1 = completely; p = {p:.3f})."
    return AuditTest(
        "protocol_label", min(value, 1.0), min(low, 1.0), min(high, 1.0), p, CONCERN if p <= 0.05 else NO_CONCERN, text, n
    )


def noncentrality_interval(statistic: float, df: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of the noncentrality of a chi-square statistic, by inversion; the lower end may be 0."""

    def end(probability: float) -> float:
        def gap(noncentrality: float) -> float:
            return float(ncx2.cdf(statistic, df, noncentrality)) - probability

        if gap(1e-9) <= 0:
            return 0.0
        return float(brentq(gap, 1e-9, 4 * statistic + 100))

    return end(0.5 + level / 2), end(0.5 - level / 2)
