"""Does the label ``healthy`` mean healthy?"""

import pandas as pd

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest
from brain_cae.audit.table import AuditTable
from brain_cae.vocabulary import LabelMeaning


def label_semantics(cohort: AuditTable, meaning: LabelMeaning | None) -> AuditTest:
    """Compare the names of the classes with their declared meaning and with the lesion masks.

    A healthy class of patients is a concern regardless of the scanner: figures that compare the classes then say
    nothing about disease. So is a lesion mask on a healthy subject (column ``lesion`` of the subjects, where known).
    Value: share of the healthy subjects that contradict their label.
    """
    declared = meaning or LabelMeaning()
    healthy = ~cohort.truth
    count = int(healthy.sum())
    marked = pd.Series(False, index=cohort.table.index)
    if "lesion" in cohort.table:
        marked = cohort.table["lesion"].fillna(False).astype(bool)
    contradicting = int((marked & healthy).sum())
    sentence = f"`healthy` means: {declared.healthy or 'not declared'}; "
    sentence += f"`abnormal` means: {declared.abnormal or 'not declared'}."
    share = contradicting / count if count else None
    verdict = NO_CONCERN
    if declared.controls is False:
        verdict, share = CONCERN, 1.0 if count else None
        sentence += " The class called healthy consists of patients, so no figure here says anything about disease."
    elif contradicting:
        verdict = CONCERN
        sentence += f" {contradicting} of {count} healthy subjects have a lesion mask."
    elif declared.controls is None:
        verdict = CANNOT_TELL
        sentence += " It is not declared that the healthy class is free of the disease (set audit.healthy_means)."
    return AuditTest("label_semantics", share, None, None, None, verdict, sentence, cohort.n)
