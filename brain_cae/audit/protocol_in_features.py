"""Can the protocol be read from the features?"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.audit.result import CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import crossfit_smoother, kernel, permutation_p, shuffled_rows, standardised
from brain_cae.audit.table import AuditTable, one_hot


def protocol_in_features(
    cohort: AuditTable, features: pd.DataFrame | None, *, seed: int = 0, permutations: int = 199, resamples: int = 1000
) -> AuditTest | None:
    """Balanced accuracy of naming the protocol from the features out of fold, against permuted protocols.

    Features show the protocol in every cohort with several, so this explains and never moves the verdict. The interval
    is a bootstrap over subjects within each protocol, their out-of-fold answers kept. ``None`` without features.
    """
    if features is None or features.empty:
        return None
    values = features.reindex(cohort.table.index).to_numpy(dtype=float)
    keep = np.isfinite(values).all(axis=1)
    codes = np.unique(cohort.pooled[keep], return_inverse=True)[1]
    n = int(keep.sum())
    if n < 20 or codes.max() < 1:
        return unable(
            "protocol_in_features", "Fewer than twenty subjects with features, or a single protocol.", n=n, n_needed=40
        )
    smoother = crossfit_smoother(kernel(standardised(values[keep])), seed=seed)
    sizes = np.bincount(codes)
    right = np.bincount(codes, weights=_named(smoother, one_hot(codes)) == codes).astype(int)
    value = float((right / sizes).mean())
    # Half an answer more of either kind: all right, or all wrong, is no certainty.
    rates = (right + 0.5) / (sizes + 1)
    drawn = np.random.default_rng(seed).binomial(sizes, rates, size=(resamples, len(sizes))) / sizes
    low, high = (float(bound) for bound in np.quantile(drawn.mean(axis=1), [0.025, 0.975]))
    rows = shuffled_rows(codes, permutations=permutations, seed=seed)
    p = permutation_p(value, np.array([_balanced_accuracy(smoother, row) for row in rows]))
    chance = 1 / (codes.max() + 1)
    text = (
        f"The features name the protocol with a balanced accuracy of {value:.2f} (chance is {chance:.2f}; p = {p:.3f})."
    )
    text += " They carry the scanner's mark." if p <= 0.05 else " The scanner's mark was not found in them."
    return AuditTest("protocol_in_features", value, low, high, p, CONCERN if p <= 0.05 else NO_CONCERN, text, n)


def protocol_in_harmonised(cohort: AuditTable, harmonised: pd.DataFrame | None, *, seed: int = 0) -> AuditTest | None:
    """The same of the features after harmonising; ``None`` where features were not harmonised."""
    found = protocol_in_features(cohort, harmonised, seed=seed)
    return found and replace(found, name="protocol_in_harmonised", sentence=f"After harmonising: {found.sentence}")


def _balanced_accuracy(smoother: NDArray, codes: NDArray) -> float:
    indicators = one_hot(codes)
    hits = (_named(smoother, indicators) == codes)[:, None] * indicators
    return float(hits.sum(axis=0) @ (1 / indicators.sum(axis=0)) / indicators.shape[1])


def _named(smoother: NDArray, indicators: NDArray) -> NDArray:
    """Protocol (n,) that each subject is given out of fold."""
    # Predictions are deviations from the training mean; dividing by the class size keeps large protocols from winning
    # always.
    return (smoother @ (indicators / indicators.sum(axis=0))).argmax(axis=1)
