"""Condition A, second look: Cramér's V, its bound, and how many subjects would decide."""

from brain_cae.audit.protocol_label import noncentrality_interval, protocol_label
from brain_cae.audit.table import make_table


def test_protocol_label_bound_is_kept_at_the_margin(simulate) -> None:
    # With confounding 0.3 the best rule by protocol has an AUROC of 0.65: a bound below it is wrong, at most 1 in 20.
    bounds = [
        protocol_label(make_table(*simulate(seed, confounding=0.3)), margin=0.65, permutations=9).upper_bound
        for seed in range(60)
    ]
    assert sum(bound < 0.65 for bound in bounds) <= 6


def test_noncentrality_interval_known_value() -> None:
    # Chi-square 3.84 on one degree of freedom is z = 1.96: the noncentrality may just be 0.
    low, high = noncentrality_interval(1.96**2, 1)
    assert low < 0.2
    assert abs(high - 3.92**2) < 0.1
