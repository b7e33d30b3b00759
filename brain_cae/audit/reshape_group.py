"""Does the reshape group's number alone tell the label?"""

import numpy as np

from brain_cae.audit.result import CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import read_label
from brain_cae.audit.table import AuditTable, one_hot


def reshape_group(cohort: AuditTable, *, seed: int = 0, permutations: int = 999) -> AuditTest | None:
    """Cross-fitted AUROC of the reshape group as only predictor, with a permutation p; ``None`` without the column.

    Clustered reshape writes the scan's dimensions into the shape of what the network sees, so a group that goes with
    the label is a way for the acquisition to reach the score. It explains; it does not move the verdict.
    """
    if "reshape_group" not in cohort.table or cohort.table["reshape_group"].isna().all():
        return None
    truth = cohort.truth
    if truth.all() or not truth.any():
        return unable("reshape_group", "Only one class is present.", n=cohort.n)
    codes = np.unique(cohort.table["reshape_group"].astype(str).to_numpy(dtype=str), return_inverse=True)[1]
    if codes.max() == 0:
        text = "All subjects fall into one reshape group, so it cannot tell the label."
        return AuditTest("reshape_group", 0.5, 0.5, 0.5, None, NO_CONCERN, text, cohort.n)
    reading = read_label(truth, one_hot(codes), seed=seed, permutations=permutations)
    own, p = reading.own, reading.p
    text = f"The reshape group's number alone tells the label with AUROC {own.value:.2f} (chance is 0.50; p = {p:.3f})."
    return AuditTest(
        "reshape_group", own.value, own.low, own.high, p, CONCERN if p <= 0.05 else NO_CONCERN, text, cohort.n
    )
