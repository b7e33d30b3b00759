"""The gate: were healthy and abnormal subjects scanned with the same protocols?"""

import numpy as np
from numpy.typing import NDArray

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import shuffled_rows
from brain_cae.audit.table import AuditTable, one_hot
from brain_cae.estimates import bootstrap_counts

MIN_OVERLAP = 0.10
LOW_OVERLAP = 0.50


def overlap(cohort: AuditTable, *, seed: int = 0, permutations: int = 999, resamples: int = 1000) -> AuditTest:
    """Measure the overlap of the classes' distributions over protocols: ``sum(min(healthy share, abnormal share))``.

    0 means that no protocol has both classes, 1 that the classes are distributed alike. Below 0.10 the classes cannot
    be compared, unless protocols are so small that chance alone explains it (p, against shuffled labels). The interval
    is a bootstrap over subjects within each class; it does not account for protocols that were never observed, and
    there is none where no resample differs, as with nothing in common.
    ``details`` gives both counts per protocol. If there are several sources and none has both classes, label equals
    source, and the gate is closed regardless of the number of subjects.
    """
    if cohort.truth.all() or not cohort.truth.any():
        return unable("overlap", "Only one class is present, so the classes cannot be compared.", n=cohort.n)
    groups = one_hot(cohort.protocols)
    rows = np.vstack([cohort.truth, shuffled_rows(cohort.truth, permutations=permutations, seed=seed)]).astype(float)
    abnormal = rows @ groups
    healthy = groups.sum(axis=0) - abnormal
    shared = _overlap_of(healthy, abnormal)
    value = float(shared[0])
    rng = np.random.default_rng(seed)
    drawn = [bootstrap_counts(rng, int(kind.sum()), resamples) @ groups[kind] for kind in (~cohort.truth, cohort.truth)]
    bounds = np.quantile(_overlap_of(*drawn), [0.025, 0.975])
    low = high = None
    if bounds[1] > bounds[0]:
        # Resamples of small protocols have less in common than the subjects themselves.
        low, high = min(float(bounds[0]), value), max(float(bounds[1]), value)
    p = float((1 + (shared[1:] <= value + 1e-9).sum()) / (permutations + 1))
    both = np.minimum(abnormal[0], healthy[0]) > 0
    subjects_in_both = int(groups.sum(axis=0)[both].sum())
    details = [
        {"protocol": name, "healthy": int(h), "abnormal": int(a)}
        for name, h, a in zip(cohort.names, healthy[0], abnormal[0], strict=True)
    ]
    text = f"{subjects_in_both} of {cohort.n} subjects were scanned with a protocol that was used for both classes"
    text += f" (overlap of the two classes {value:.2f}; 1 = distributed alike, 0 = nothing in common)."
    verdict = NO_CONCERN
    if label_is_source(cohort):
        verdict = CONCERN
        text = "No source has both healthy and abnormal subjects. " + text
    elif value < MIN_OVERLAP and p <= 0.05:
        verdict = CONCERN
        text += " The protocol determines the label, so comparisons between the classes are not evidence."
    elif value < MIN_OVERLAP or (value < LOW_OVERLAP and p > 0.05):
        verdict = CANNOT_TELL
        text += " Each protocol has too few subjects to compare the classes within it."
    return AuditTest("overlap", value, low, high, p, verdict, text, cohort.n, details=details)


def _overlap_of(healthy: NDArray, abnormal: NDArray) -> NDArray:
    """Return the overlap for each row of counts per protocol, shape (rows, protocols)."""
    shares = [counts / counts.sum(axis=1, keepdims=True) for counts in (healthy, abnormal)]
    return np.minimum(*shares).sum(axis=1)


def label_is_source(cohort: AuditTable) -> bool:
    """Return whether there are several sources and none of them has both classes."""
    if "source" not in cohort.table:
        return False
    source = cohort.table["source"].astype(str).to_numpy()
    kinds = {name: set(cohort.truth[source == name]) for name in np.unique(source)}
    return len(kinds) > 1 and all(len(kind) == 1 for kind in kinds.values())
