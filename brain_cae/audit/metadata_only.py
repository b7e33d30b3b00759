"""Condition A: can the label be predicted from the acquisition alone?"""

import math

import numpy as np
from numpy.typing import NDArray

from brain_cae.audit.protocol_label import needed_for_margin
from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import LabelReading, read_label
from brain_cae.audit.table import AuditTable
from brain_cae.estimates import paired_difference

ALPHA = 0.05


def metadata_only(cohort: AuditTable, *, margin: float, seed: int = 0, permutations: int = 999) -> list[AuditTest]:
    """Estimate the AUROC of a classifier that sees only acquisition metadata, and the image score's lead over it.

    The first test is condition A, cross-fitted; ``upper_bound`` is the one-sided 95 % bound that is compared with
    ``margin``. The second, ``image_minus_metadata``, is the paired bootstrap difference.
    """
    truth = cohort.truth
    if cohort.metadata.shape[1] == 0 and truth.any() and not truth.all():
        text = "All subjects were scanned with the same settings, so the settings cannot predict the label."
        return [AuditTest("metadata_only", 0.5, None, None, None, NO_CONCERN, text, cohort.n, upper_bound=0.5)]
    if truth.all() or not truth.any():
        return [unable("metadata_only", "Only one class is present, so acquisition cannot be compared.", n=cohort.n)]
    reading = read_label(truth, cohort.metadata, seed=seed, permutations=permutations)
    tests = [_association(reading, margin, cohort)]
    return [*tests, _lead(cohort, reading.predicted, seed)] if cohort.scored.any() else tests


def _association(reading: LabelReading, margin: float, cohort: AuditTable) -> AuditTest:
    estimate, p, bound = reading.estimate, reading.p, reading.bound
    text = f"Scanner settings alone, without any image, predict the label with an AUROC of {estimate.value:.2f}"
    text += f" (95 % interval {_number(estimate.low):.2f} to {_number(estimate.high):.2f};"
    text += f" shuffled labels give {reading.chance:.2f}; p = {p:.3f})."
    needed = None
    if p <= ALPHA:
        verdict = CONCERN
        text += " This suggests that the two classes were scanned differently."
    elif bound < margin:
        verdict = NO_CONCERN
        text += f" With 95 % confidence it is below {margin:.2f}."
    else:
        verdict = CANNOT_TELL
        positives = int(cohort.truth.sum())
        groups = len(np.unique(cohort.pooled))
        needed = needed_for_margin(positives, cohort.n - positives, groups - 1, margin)
        text += f" An association is neither shown nor excluded; about {needed} subjects would be needed."
    return AuditTest(
        "metadata_only", estimate.value, estimate.low, estimate.high, p, verdict, text, cohort.n, needed, bound
    )


def _lead(cohort: AuditTable, predicted: NDArray, seed: int) -> AuditTest:
    keep = cohort.scored
    lead = paired_difference(cohort.truth[keep], cohort.scores[keep], predicted[keep], seed=seed)
    if lead.value is None or lead.low is None or lead.high is None:
        return unable(
            "image_minus_metadata", "Too few scored subjects to compare image and scanner settings.", n=int(keep.sum())
        )
    side = "above" if lead.value >= 0 else "below"
    text = f"The image score's AUROC is {abs(lead.value):.2f} {side} that of the scanner settings"
    text += f" (95 % interval of the difference {lead.low:+.2f} to {lead.high:+.2f}), on the same subjects."
    verdict = NO_CONCERN if lead.low > 0 else CONCERN if lead.high < 0 else CANNOT_TELL
    text += {
        NO_CONCERN: " The image predicts the label better than the settings.",
        CONCERN: " The settings predict the label better than the image.",
        CANNOT_TELL: " The image is not shown to predict the label better than the settings.",
    }[verdict]
    return AuditTest("image_minus_metadata", lead.value, lead.low, lead.high, None, verdict, text, lead.n)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
