"""Conditions A and B together: what AUROC could the acquisition alone produce?"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.score_dependence import aligned_ranks
from brain_cae.audit.smoother import read_label, shuffled_rows
from brain_cae.audit.table import AuditTable, one_hot
from brain_cae.estimates import bootstrap_counts

PERMUTATIONS = 99
"""Shuffled labels and ranks whose mean shows what chance gives."""


def contribution(cohort: AuditTable, *, margin: float, seed: int = 0, resamples: int = 1000) -> AuditTest:
    """Estimate the AUROC that the score would have if only the protocols differed between the classes.

    Ranks of the score within each label are regressed on label and protocol; the protocols' effects, weighted by the
    difference of their shares in the two classes, give a shift d in standard deviations within a label, shown as an
    AUROC, ``Phi(d / sqrt(2))``. It is the product of both paths (label-protocol and protocol-score; Baron and Kenny
    1986), so it is 0.50 if either path is absent. Percentile bootstrap over subjects within each class; resamples in
    which the effects of protocol and label cannot be separated count as unbounded.

    Protocols hide settings that differ within them: ``upper_bound`` is at least what these could add, see
    :func:`_within_protocols`.
    """
    keep = cohort.scored
    truth, codes = cohort.truth[keep], cohort.pooled[keep]
    n = len(truth)
    if min(truth.sum(), (~truth).sum()) < 5:
        return unable("contribution", "Fewer than five scored subjects in a class.", n=n, n_needed=40)
    groups, aligned = one_hot(codes), aligned_ranks(truth, cohort.scores[keep])
    rng = np.random.default_rng(seed)
    counts = np.ones((resamples + 1, n))
    for kind in (truth, ~truth):
        counts[1:, kind] = bootstrap_counts(rng, int(kind.sum()), resamples)
    shift, solvable = _shifts(truth, aligned, groups, counts)
    if not solvable[0]:
        return unable("contribution", "The effects of protocol and label cannot be separated.", n=n)
    reach = ndtr(shift / math.sqrt(2))
    value = float(reach[0])
    low = float(np.quantile(np.where(solvable, reach, 0.0)[1:], 0.025))
    high, bound = (float(np.quantile(np.where(solvable, reach, 1.0)[1:], level)) for level in (0.975, 0.95))
    upper = bound
    if bound < margin:
        upper = max(bound, _within_protocols(truth, aligned, groups, cohort.metadata[keep], seed))
    text = f"Differences between protocols alone would give this score an AUROC of {value:.2f}"
    text += f" (95 % interval {low:.2f} to {high:.2f}; 0.50 = no contribution)."
    interval: tuple[float | None, float | None] = (low, high)
    if groups.shape[1] == 1:
        text, interval = "All subjects share one protocol, so it adds nothing to the AUROC.", (None, None)
    verdict, needed = CANNOT_TELL, None
    if upper < margin:
        verdict = NO_CONCERN
        text += (
            f" With 95 % confidence the acquisition gives it less than {margin:.2f}: too little to explain a result."
        )
    elif low > 0.5:
        verdict = CONCERN
        text += " Part of the result comes from the scanner."
    else:
        gap = margin - min(value, margin - 0.05)
        needed = max(math.ceil(n * ((upper - value) / gap) ** 2), math.ceil(1.25 * n))
        larger = "A larger contribution is not excluded"
        inside = "But settings that differ within protocols could contribute more"
        text += f" {larger if bound >= margin else inside}; about {needed} subjects would be needed."
    return AuditTest("contribution", value, *interval, None, verdict, text, n, needed, upper)


def _within_protocols(truth: NDArray, aligned: NDArray, groups: NDArray, settings: NDArray, seed: int) -> float:
    """Return a bound of the AUROC that the score could have from settings that differ within protocols.

    It is the product of both paths, each with its one-sided 95 % bound: how far apart the classes lie along these
    settings, and the correlation of the ranks with what the settings predict of them, both out of fold.

    Args:
        truth: Shape (n,), True = abnormal.
        aligned: Ranks of the score within each label, shape (n,).
        groups: Indicators of the protocols, shape (n, protocols).
        settings: Encoded acquisition, shape (n, columns).
        seed: Seed of folds and permutations.
    """
    inside = settings - groups @ (groups.T @ settings / groups.sum(axis=0)[:, None])
    inside = inside[:, np.abs(inside).max(axis=0, initial=0.0) > 1e-9]
    if not inside.shape[1]:
        return 0.5
    label = read_label(truth, inside, seed=seed, permutations=PERMUTATIONS)
    shuffled = shuffled_rows(aligned, permutations=PERMUTATIONS, seed=seed, within=truth.astype(int))
    rows = np.vstack([aligned, shuffled])
    predicted = rows @ label.smoother.T
    predicted -= predicted.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1) * predicted.std(axis=1)
    found = np.divide((rows * predicted).mean(axis=1), spread, out=np.zeros_like(spread), where=spread > 1e-9)
    # Predictions out of fold of what cannot be predicted are opposed to it, as those of labels are (read_label).
    chance = min(float(found[1:].mean()), 0.0)
    correlation = max((float(found[0]) - chance) / (1 - chance), 0.0)
    most = math.tanh(math.atanh(min(correlation, 1 - 1e-9)) + float(ndtri(0.95)) / math.sqrt(len(truth) - 3))
    return float(ndtr(ndtri(max(label.bound, 0.5)) * most))


def _shifts(truth: NDArray, aligned: NDArray, groups: NDArray, counts: NDArray) -> tuple[NDArray, NDArray]:
    """Return the shift by protocols for each row of counts, and whether its regression is solvable.

    The regression has one effect for the label and one for each protocol. Within protocols the label's is that of the
    deviations from the protocol's means (Frisch and Waugh 1933), so that the cost does not grow with the protocols'
    number squared.
    """
    members, abnormal = counts @ groups, (counts * truth) @ groups
    sums, total = (counts * aligned) @ groups, (counts * truth).sum(axis=1)
    # A protocol that is absent from a resample gets an effect of 0 and a share of 0.
    share = np.divide(abnormal, members, out=np.zeros_like(members), where=members > 0)
    between = (abnormal * share).sum(axis=1)
    # The smallest eigenvalue of the normal equations with a unit diagonal.
    solvable = 1 - np.sqrt(between / total) > 1e-6
    together = (counts * aligned * truth).sum(axis=1) - (share * sums).sum(axis=1)
    slope = np.divide(together, total - between, out=np.zeros_like(total), where=solvable)
    effects = np.divide(sums - slope[:, None] * abnormal, members, out=np.zeros_like(members), where=members > 0)
    shares = [(counts * kind) @ groups / kind.sum() for kind in (truth, ~truth)]
    return ((shares[0] - shares[1]) * effects).sum(axis=1), solvable
