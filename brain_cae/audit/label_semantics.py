"""Does ``healthy`` mean healthy?"""

import pandas as pd

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest
from brain_cae.audit.table import AuditTable
from brain_cae.vocabulary import LabelMeaning


def label_semantics(cohort: AuditTable, meaning: LabelMeaning | None) -> AuditTest:
    """Compare what the classes are called with what their source says they are, and with the lesion masks.

    A healthy class of patients is a concern whatever the scanner does: no figure between the classes can then speak of
    disease. So is a lesion mask on a healthy subject (column ``lesion`` of the subjects, where known). Value: share of
    the healthy subjects that contradict their label.
    """
    declared = meaning or LabelMeaning()
    healthy = ~cohort.truth
    count = int(healthy.sum())
    marked = pd.Series(False, index=cohort.table.index)
    if "lesion" in cohort.table:
        marked = cohort.table["lesion"].fillna(False).astype(bool)
    contradicting = int((marked & healthy).sum())
    words = f"`healthy` means: {declared.healthy or 'not declared'}; "
    words += f"`abnormal` means: {declared.abnormal or 'not declared'}."
    share = contradicting / count if count else None
    verdict = NO_CONCERN
    if declared.controls is False:
        verdict, share = CONCERN, 1.0 if count else None
        words += " The class called healthy holds patients, so no figure of this cohort says anything about disease."
    elif contradicting:
        verdict = CONCERN
        words += f" {contradicting} of {count} healthy subjects have a lesion drawn in."
    elif declared.controls is None:
        verdict = CANNOT_TELL
        words += " Nobody has declared that the healthy class is free of the disease (audit.healthy_means says so)."
    return AuditTest("label_semantics", share, None, None, None, verdict, words, cohort.n)
