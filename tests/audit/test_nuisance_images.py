"""Mask, background and histogram alone."""

import numpy as np
import pandas as pd

from brain_cae.audit.nuisance_images import nuisance_images
from brain_cae.audit.table import make_table


def nuisance(subjects: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = [f"{kind}_{number}" for kind in ("mask", "background", "histogram") for number in range(4)]
    return pd.DataFrame(rng.normal(size=(len(subjects), 12)), index=subjects.index, columns=names)


def test_only_the_image_that_predicts_the_label_is_a_concern(simulate) -> None:
    subjects, acquisition = simulate(1)
    table = nuisance(subjects, 2)
    table["background_0"] += 2.0 * (subjects["label"] == "abnormal")
    tests = {test.name: test for test in nuisance_images(make_table(subjects, acquisition), table, margin=0.65)}
    assert set(tests) == {"nuisance_mask", "nuisance_background", "nuisance_histogram"}
    assert tests["nuisance_background"].verdict == "concern" and tests["nuisance_background"].value > 0.8
    assert tests["nuisance_mask"].p > 0.05 and tests["nuisance_histogram"].p > 0.05
    assert tests["nuisance_mask"].verdict == "cannot tell" and tests["nuisance_mask"].n_needed > 80


def test_false_alarm_rate(simulate) -> None:
    p_values = []
    for seed in range(40):
        subjects, acquisition = simulate(seed)
        table = nuisance(subjects, seed + 100)[[f"mask_{number}" for number in range(4)]]
        p_values += [
            test.p for test in nuisance_images(make_table(subjects, acquisition), table, margin=0.65, permutations=99)
        ]
    assert len(p_values) == 40 and sum(p <= 0.05 for p in p_values) <= 6


def test_images_that_are_all_the_same_or_missing(simulate) -> None:
    subjects, acquisition = simulate(1)
    cohort = make_table(subjects, acquisition)
    assert nuisance_images(cohort, None, margin=0.65) == []
    empty = pd.DataFrame({"background_same": 1.0}, index=subjects.index)
    (test,) = nuisance_images(cohort, empty, margin=0.65)
    assert (test.value, test.verdict) == (0.5, "no concern")
    (few,) = nuisance_images(cohort, empty.iloc[:15], margin=0.65)
    assert few.verdict == "cannot tell" and few.n_needed == 40
