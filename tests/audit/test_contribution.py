"""The acquisition contributes only if both paths exist: label to protocol and protocol to score."""

import numpy as np
import pytest
from scipy.stats import norm

from brain_cae.audit.contribution import contribution
from brain_cae.audit.table import make_table


def test_one_path_alone_gives_nothing(simulate) -> None:
    for settings in ({"confounding": 0.6}, {"dependence": 1.0}):
        test = contribution(make_table(*simulate(1, healthy=400, abnormal=400, **settings)), margin=0.65, resamples=200)
        assert test.value == pytest.approx(0.5, abs=0.05)
        assert test.verdict == "no concern"


def test_both_paths_give_the_expected_shift(simulate) -> None:
    cohort = make_table(*simulate(1, confounding=0.5, dependence=1.0, effect=1.5, healthy=600, abnormal=600))
    test = contribution(cohort, margin=0.65, resamples=200)
    # Abnormal subjects have the two high protocols in 75 %, healthy ones in 25 %; those lie 2 * 0.895 apart.
    shift = 0.5 * 2 * (2 / 3) / 0.745
    spread = np.sqrt(2 - (shift / 2) ** 2)
    assert test.value == pytest.approx(norm.cdf(shift / spread / np.sqrt(2)), abs=0.04)
    assert test.verdict == "concern"


def test_cannot_tell_when_protocol_is_label(simulate) -> None:
    test = contribution(make_table(*simulate(1, confounding=1.0, dependence=1.0)), margin=0.65)
    assert test.value is None and test.verdict == "cannot tell"
