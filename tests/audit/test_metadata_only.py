"""Condition A: the null is calibrated, an association is found."""

import numpy as np

from brain_cae.audit.metadata_only import metadata_only
from brain_cae.audit.table import make_table


def test_permutation_p_is_calibrated_and_finds_an_association(simulate) -> None:
    null = [metadata_only(make_table(*simulate(seed)), margin=0.65, permutations=99)[0].p for seed in range(40)]
    assert sum(p <= 0.05 for p in null) <= 6
    assert 0.3 < np.mean(null) < 0.7
    found, lead = metadata_only(make_table(*simulate(1, confounding=0.7)), margin=0.65)
    assert found.p <= 0.01 and found.value > 0.7 and found.verdict == "concern"
    assert lead.name == "image_minus_metadata" and lead.low < lead.value < lead.high


def test_gaps_in_the_acquisition_can_tell_the_label(simulate) -> None:
    subjects, acquisition = simulate(2)
    gone = acquisition.copy()
    gone.loc[subjects["label"] == "healthy", "flair_rows"] = np.nan
    assert metadata_only(make_table(subjects, gone), margin=0.65)[0].value > 0.9
