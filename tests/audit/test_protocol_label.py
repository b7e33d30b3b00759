"""Condition A, second test: Cramér's V, its bound, and the number of subjects needed."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, norm

from brain_cae.audit.protocol_label import needed_for_auroc, needed_for_margin, noncentrality_interval, protocol_label
from brain_cae.audit.table import AuditTable, make_table


def test_protocol_label_bound_is_kept_at_the_margin(simulate) -> None:
    # With confounding 0.3 the best rule by protocol has an AUROC of 0.65: a lower bound is wrong, at most 1 in 20.
    bounds = [
        protocol_label(make_table(*simulate(seed, confounding=0.3)), margin=0.65, permutations=9).upper_bound
        for seed in range(60)
    ]
    assert sum(bound < 0.65 for bound in bounds) <= 6


def test_noncentrality_interval_known_value() -> None:
    # Chi-square 3.84 on one degree of freedom is z = 1.96: the lower end is just at 0.
    low, high = noncentrality_interval(1.96**2, 1)
    assert low < 0.2
    assert abs(high - 3.92**2) < 0.1


def cohort(healthy: list[str], abnormal: list[str]) -> AuditTable:
    labels = ["healthy"] * len(healthy) + ["abnormal"] * len(abnormal)
    table = pd.DataFrame({"label": labels, "protocol": healthy + abnormal})
    return make_table(table, pd.DataFrame(index=table.index))


def test_cramers_v_of_a_table_of_four_cells() -> None:
    # Chi-square 20 of 80 subjects: V**2 is (20 / 80 - 1 / 79) / (1 - 1 / 79) after the correction of its bias.
    test = protocol_label(cohort(["a"] * 30 + ["b"] * 10, ["a"] * 10 + ["b"] * 30), margin=0.65)
    assert test.value == pytest.approx(0.4903, abs=1e-4)
    assert 0.2 < test.low < test.value < test.high < 0.75
    assert test.p == 0.001 and test.verdict == "concern" and test.n_needed is None


def test_an_absent_association_is_shown_by_many_subjects_but_not_by_few() -> None:
    many = protocol_label(cohort(["a"] * 105 + ["b"] * 95, ["a"] * 95 + ["b"] * 105), margin=0.65)
    assert (many.value, many.low, many.verdict, many.n_needed) == (0.0, 0.0, "no concern", None)
    # Chi-square 1: at most (1 + 1.645)**2 of 400, a distance of 0.27 between the classes' means.
    assert many.upper_bound == pytest.approx(norm.cdf(np.sqrt(7 / 393 / 0.25 / 2)), abs=0.005)
    few = protocol_label(cohort(["a"] * 6 + ["b"] * 4, ["a"] * 4 + ["b"] * 6), margin=0.65)
    assert few.verdict == "cannot tell" and few.upper_bound > 0.65 and few.n_needed > 20


def test_classes_that_are_alike_to_the_subject_have_no_interval_without_width() -> None:
    test = protocol_label(cohort(["a"] * 3 + ["b"] * 3, ["a"] * 3 + ["b"] * 3), margin=0.65)
    assert (test.value, test.low, test.high, test.p) == (0.0, None, None, 1.0)


def test_classes_that_are_more_alike_than_by_chance_prove_no_more_than_chance_does() -> None:
    # Six of each class on both of two scanners: a chi-square of 0. Half of the cohorts without any association have
    # 0.455 or more, which still allows (0.674 + 1.645)**2 of 24.
    test = protocol_label(cohort(["a"] * 6 + ["b"] * 6, ["a"] * 6 + ["b"] * 6), margin=0.65)
    assert test.verdict == "cannot tell" and test.n_needed > 24
    assert test.upper_bound == pytest.approx(norm.cdf(np.sqrt(5.38 / (24 - 5.38) / 0.25 / 2)), abs=0.005)


def test_rare_protocols_are_pooled() -> None:
    # The four scanners of a single subject each count as one protocol, all of whose subjects are abnormal.
    rare = protocol_label(cohort(["a"] * 20, ["a"] * 16 + ["b", "c", "d", "e"]), margin=0.65)
    together = protocol_label(cohort(["a"] * 20, ["a"] * 16 + ["b"] * 4), margin=0.65)
    assert rare == together


def test_a_single_protocol_and_a_single_class() -> None:
    single = protocol_label(cohort(["a"] * 10, ["a"] * 10), margin=0.65)
    assert (single.value, single.p, single.upper_bound, single.verdict) == (0.0, None, 0.5, "no concern")
    alone = protocol_label(cohort(["a", "b"] * 10, []), margin=0.65)
    assert (alone.value, alone.verdict) == (None, "cannot tell")


@pytest.mark.parametrize("df", [1, 3])
def test_the_needed_number_brings_the_bound_to_the_margin(df: int) -> None:
    needed = needed_for_margin(28, 52, df, 0.65)
    # The chi-square below which four of five cohorts with unrelated protocols lie.
    lucky = chi2.ppf(0.8, df)
    share = 28 / 80

    def bound(n: float) -> float:
        squared = noncentrality_interval(lucky, df, level=0.90)[1] / n
        return float(norm.cdf(np.sqrt(squared / (1 - squared) / (share * (1 - share)) / 2)))

    assert bound(needed) <= 0.65 < bound(0.97 * needed)
    assert needed_for_margin(2800, 5200, df, 0.65) == 10000  # at least a quarter more than in the cohort


def test_the_needed_number_for_an_uninformative_score() -> None:
    # Standard error of an AUROC of 0.5 with 28 and 52 subjects: 0.0681; 0.15 must be 2.487 of them.
    assert needed_for_auroc(28, 52, 0.65) == 102
    assert needed_for_auroc(280, 520, 0.65) == 1000
