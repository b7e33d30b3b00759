"""The acquisition contributes only if both paths exist: label to protocol and protocol to score."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from brain_cae.audit.contribution import contribution
from brain_cae.audit.table import AuditTable, make_table


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


def hidden(seed: int, *, n: int = 40, names: int = 1, tied: float = 0.8, dependence: float = 1.5) -> AuditTable:
    """Two scanners that differ in TR only, under protocol names that do not tell them apart."""
    rng = np.random.default_rng(seed)
    scanner = rng.integers(0, 2, n)
    label = np.where(rng.random(n) < tied, scanner, 1 - scanner)
    score = rng.normal(size=n) + dependence * scanner
    table = pd.DataFrame({"label": np.where(label, "abnormal", "healthy"), "score": score})
    table["protocol"] = [f"name {number}" for number in rng.integers(0, names, n)]
    return make_table(table, pd.DataFrame({"tr_ms": np.where(scanner, 2000.0, 2200.0) + 30 * rng.normal(size=n)}))


@pytest.mark.parametrize("names", [1, 2])
def test_settings_that_the_names_of_protocols_hide_are_not_called_too_little(names: int) -> None:
    # The scanner gives this score an AUROC of 0.74, and the names show nothing of it.
    verdicts = [contribution(hidden(seed, names=names), margin=0.65, resamples=200).verdict for seed in range(30)]
    assert verdicts.count("no concern") <= 3
    # Without either of the two paths nothing is added.
    for one in ({"tied": 0.5}, {"dependence": 0.0}):
        test = contribution(hidden(1, n=160, names=names, **one), margin=0.65, resamples=200)
        assert test.verdict == "no concern"


def test_one_protocol_without_differing_settings_adds_nothing() -> None:
    table = pd.DataFrame({"label": ["healthy", "abnormal"] * 10, "score": np.arange(20.0), "protocol": "one"})
    test = contribution(make_table(table, pd.DataFrame({"tr_ms": [2000.0] * 20})), margin=0.65)
    assert (test.value, test.low, test.upper_bound, test.verdict) == (0.5, None, 0.5, "no concern")
