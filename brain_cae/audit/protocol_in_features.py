"""Can the protocol be predicted from the features?"""

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
    """Test the balanced accuracy of predicting the protocol from the features out of fold, by permuted protocols.

    Features reflect the protocol in every cohort with several protocols, so this is explanatory and never changes the
    verdict. The interval is a bootstrap over subjects within each protocol; the out-of-fold predictions
    are kept. ``None`` without features.
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
    correct = np.bincount(codes, weights=_predicted(smoother, one_hot(codes)) == codes).astype(int)
    value = float((correct / sizes).mean())
    # Half a correct and half a wrong prediction are added, so that a rate of 0 or 1 still has an interval.
    rates = (correct + 0.5) / (sizes + 1)
    drawn = np.random.default_rng(seed).binomial(sizes, rates, size=(resamples, len(sizes))) / sizes
    low, high = (float(bound) for bound in np.quantile(drawn.mean(axis=1), [0.025, 0.975]))
    rows = shuffled_rows(codes, permutations=permutations, seed=seed)
    p = permutation_p(value, np.array([_balanced_accuracy(smoother, row) for row in rows]))
    chance = 1 / (codes.max() + 1)
    text = f"The features predict the protocol with a balanced accuracy of {value:.2f}"
    text += f" (chance is {chance:.2f}; p = {p:.3f})."
    text += " They contain information about" if p <= 0.05 else " They are not shown to contain information about"
    text += " the scanner."
    return AuditTest("protocol_in_features", value, low, high, p, CONCERN if p <= 0.05 else NO_CONCERN, text, n)


def protocol_in_harmonised(cohort: AuditTable, harmonised: pd.DataFrame | None, *, seed: int = 0) -> AuditTest | None:
    """Repeat :func:`protocol_in_features` on harmonised features; ``None`` if features were not harmonised."""
    test = protocol_in_features(cohort, harmonised, seed=seed)
    return test and replace(test, name="protocol_in_harmonised", sentence=f"After harmonisation: {test.sentence}")


def _balanced_accuracy(smoother: NDArray, codes: NDArray) -> float:
    indicators = one_hot(codes)
    hits = (_predicted(smoother, indicators) == codes)[:, None] * indicators
    return float(hits.sum(axis=0) @ (1 / indicators.sum(axis=0)) / indicators.shape[1])


def _predicted(smoother: NDArray, indicators: NDArray) -> NDArray:
    """Return the predicted protocol (n,) of each subject, out of fold."""
    # Predictions are deviations from the training mean; dividing by the class size keeps large protocols from
    # always winning.
    return (smoother @ (indicators / indicators.sum(axis=0))).argmax(axis=1)
