"""Condition A: the null is calibrated, and an association is detected."""

import numpy as np

from brain_cae.audit.metadata_only import metadata_only
from brain_cae.audit.table import make_table


def test_permutation_p_is_calibrated_and_detects_an_association(simulate) -> None:
    null = [metadata_only(make_table(*simulate(seed)), margin=0.65, permutations=99)[0].p for seed in range(40)]
    assert sum(p <= 0.05 for p in null) <= 6
    assert 0.3 < np.mean(null) < 0.7
    associated, lead = metadata_only(make_table(*simulate(1, confounding=0.7)), margin=0.65)
    assert associated.p <= 0.01 and associated.value > 0.7 and associated.verdict == "concern"
    assert lead.name == "image_minus_metadata" and lead.low < lead.value < lead.high
    assert f"AUROC is {-lead.value:.2f} below that of the scanner settings" in lead.sentence


def test_missing_values_can_predict_the_label(simulate) -> None:
    subjects, acquisition = simulate(2)
    gone = acquisition.copy()
    gone.loc[subjects["label"] == "healthy", "flair_rows"] = np.nan
    assert metadata_only(make_table(subjects, gone), margin=0.65)[0].value > 0.9
