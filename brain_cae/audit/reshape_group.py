"""Can the label be predicted from the reshape group alone?"""

import numpy as np

from brain_cae.audit.result import CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import read_label
from brain_cae.audit.table import AuditTable, one_hot


def reshape_group(cohort: AuditTable, *, seed: int = 0, permutations: int = 999) -> AuditTest | None:
    """Estimate the cross-fitted AUROC of the reshape group as the only predictor; ``None`` without the column.

    With clustered reshape, the shape of the network's input depends on the scan's dimensions, so the acquisition can
    reach the score through a group that is associated with the label. Explanatory: it does not change the verdict.
    """
    if "reshape_group" not in cohort.table or cohort.table["reshape_group"].isna().all():
        return None
    truth = cohort.truth
    if truth.all() or not truth.any():
        return unable("reshape_group", "Only one class is present.", n=cohort.n)
    codes = np.unique(cohort.table["reshape_group"].astype(str).to_numpy(dtype=str), return_inverse=True)[1]
    if codes.max() == 0:
        text = "All subjects fall into one reshape group, so it cannot predict the label."
        return AuditTest("reshape_group", 0.5, 0.5, 0.5, None, NO_CONCERN, text, cohort.n)
    reading = read_label(truth, one_hot(codes), seed=seed, permutations=permutations)
    estimate, p = reading.estimate, reading.p
    text = f"The reshape group alone predicts the label with an AUROC of {estimate.value:.2f}"
    text += f" (chance is 0.50; p = {p:.3f})."
    verdict = CONCERN if p <= 0.05 else NO_CONCERN
    return AuditTest("reshape_group", estimate.value, estimate.low, estimate.high, p, verdict, text, cohort.n)
