"""Does a classifier of the features generalise to a protocol that it has not seen?"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import crossfit_smoother, smoother_of, standardised
from brain_cae.audit.table import AuditTable
from brain_cae.estimates import auroc, bootstrap_counts, pair_wins

LARGE_DROP = 0.10


def leave_one_protocol_out(
    cohort: AuditTable, features: pd.DataFrame | None, *, seed: int = 0, resamples: int = 1000
) -> AuditTest | None:
    """Estimate a ridge classifier's AUROC on held-out protocols, and its drop from ordinary cross-fitting.

    Both count only pairs within one protocol, so that an offset between protocols neither helps nor hurts; they differ
    in whether the classifier has seen other subjects of that protocol. Interval of AUROC and drop: paired percentile
    bootstrap over subjects within each class. Explanatory: it does not change the verdict. ``None`` without features.
    Leave-site-out validation: e.g. Pearson et al. 2016 (Alzheimers Dement 12:815); folds as in scikit-learn's
    ``LeaveOneGroupOut``.
    """
    if features is None or features.empty:
        return None
    values = features.reindex(cohort.table.index).to_numpy(dtype=float)
    keep = np.isfinite(values).all(axis=1)
    truth, protocols, n = cohort.truth[keep], cohort.pooled[keep], int(keep.sum())
    same = protocols[truth][:, None] == protocols[~truth][None, :]
    shared = np.intersect1d(protocols[truth], protocols[~truth])
    if len(np.unique(protocols)) < 2:
        return unable("leave_one_protocol_out", "There is a single protocol, so none can be left out.", n=n)
    if not len(shared) or min(truth.sum(), (~truth).sum()) < 5:
        text = "No protocol has both classes, so a classifier cannot be scored on a left-out protocol."
        return unable("leave_one_protocol_out", text, n=n)
    columns = standardised(values[keep])
    similarity = columns @ columns.T / max(columns.shape[1], 1)
    held_out = smoother_of(similarity, protocols) @ truth.astype(float)
    ordinary = crossfit_smoother(similarity, seed=seed) @ truth.astype(float)
    wins = [pair_wins(score[truth].round(10), score[~truth].round(10)) * same for score in (held_out, ordinary)]
    drawn = _resampled(truth, wins, same, seed, resamples)
    value, ordinary_value = (float(one.sum() / same.sum()) for one in wins)
    low, high = np.nanquantile(drawn[0], [0.025, 0.975])
    drop = ordinary_value - value
    drop_low, drop_high = np.nanquantile(drawn[1] - drawn[0], [0.025, 0.975])
    text = f"On protocols that the classifier has not seen, its AUROC is {value:.2f} (95 % interval {low:.2f} to"
    text += f" {high:.2f}); with other subjects of them in training it is {ordinary_value:.2f}"
    text += f" (difference {0 - drop:+.2f}, {0 - drop_high:+.2f} to {0 - drop_low:+.2f})."
    verdict, needed = NO_CONCERN, None
    if drop_low > 0:
        verdict = CONCERN
        text += " Part of what it has learnt is specific to the protocols."
    elif drop_high > LARGE_DROP:
        verdict = CANNOT_TELL
        half = (drop_high - drop_low) / 2
        needed = max(math.ceil(n * (half / LARGE_DROP) ** 2), math.ceil(1.25 * n))
        text += f" A drop of more than {LARGE_DROP:.2f} is not excluded; about {needed} subjects would be needed."
    details = [
        {
            "protocol": _name(cohort, keep, number),
            "held_out": auroc(truth[protocols == number], held_out[protocols == number], resamples=500).to_dict(),
            "ordinary": auroc(truth[protocols == number], ordinary[protocols == number], resamples=500).to_dict(),
        }
        for number in np.unique(protocols)
    ]
    low, high = min(float(low), value), max(float(high), value)
    return AuditTest("leave_one_protocol_out", value, low, high, None, verdict, text, n, needed, details=details)


def _resampled(truth: NDArray, wins: list[NDArray], same: NDArray, seed: int, resamples: int) -> list[NDArray]:
    """Return the AUROC of each of ``wins`` in the same resamples; NaN if no pair within one protocol was drawn."""
    rng = np.random.default_rng(seed)
    positive = bootstrap_counts(rng, int(truth.sum()), resamples)
    negative = bootstrap_counts(rng, int((~truth).sum()), resamples)
    pairs = ((positive @ same) * negative).sum(axis=1)
    nothing = np.full(resamples, np.nan)
    return [
        np.divide(((positive @ one) * negative).sum(axis=1), pairs, out=nothing.copy(), where=pairs > 0) for one in wins
    ]


def _name(cohort: AuditTable, keep: NDArray, number: int) -> str:
    names = sorted({cohort.names[code] for code in cohort.protocols[keep][cohort.pooled[keep] == number]})
    return names[0] if len(names) == 1 else f"{len(names)} rare protocols"
