"""Classes that are called healthy but are not healthy."""

import pandas as pd

from brain_cae.audit import LabelMeaning, audit
from brain_cae.audit.label_semantics import label_semantics
from brain_cae.audit.table import make_table


def test_the_declared_meaning_decides(simulate) -> None:
    cohort = make_table(*simulate(1))
    assert label_semantics(cohort, LabelMeaning("volunteers", "patients", True)).verdict == "no concern"
    assert label_semantics(cohort, None).verdict == "cannot tell"
    patients = label_semantics(cohort, LabelMeaning("MGMT_value 0", "MGMT_value 1", False))
    assert (patients.verdict, patients.value) == ("concern", 1.0) and "MGMT_value 0" in patients.sentence


def test_a_lesion_in_a_healthy_brain_contradicts_its_label(simulate) -> None:
    subjects, acquisition = simulate(1)
    lesion = pd.Series(subjects["label"] == "abnormal")
    meaning = LabelMeaning("volunteers", "patients", True)
    assert label_semantics(make_table(subjects.assign(lesion=lesion), acquisition), meaning).verdict == "no concern"
    lesion.iloc[:2] = True
    test = label_semantics(make_table(subjects.assign(lesion=lesion), acquisition), meaning)
    assert test.verdict == "concern" and test.value == 2 / 28 and "2 of 28" in test.sentence


def test_wrong_labels_invalidate_figures_between_the_classes_and_the_verdict_is_never_clear(simulate) -> None:
    subjects, acquisition = simulate(1)
    result = audit(
        subjects, acquisition=acquisition, meaning=LabelMeaning("patients", "patients", False), explain=False
    )
    assert result.verdict == "cannot tell" and "consists of patients" in result.reasons[0]
    standing = {row["keys"][0]: row["standing"] for row in result.figures}
    assert standing["detection"] == standing["detection.specificity"] == "no evidence"
    assert standing["localisation"] == "stands"
