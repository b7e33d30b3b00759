"""The false-alarm rate that a threshold from healthy brains may really have."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, betabinom

from brain_cae.scoring.guarantee import GUARANTEES, Guarantee, outlook, p_value, rate_bound


def test_the_bound_is_the_quantile_of_the_beta_distribution():
    for rank, brains in ((1, 29), (5, 100), (40, 40)):
        assert rate_bound(rank, brains, 0.95) == pytest.approx(beta.ppf(0.95, rank, brains + 1 - rank))
    assert rate_bound(41, 40, 0.95) == 1


def test_the_ranks_and_rates_are_those_of_the_literature():
    rule = Guarantee("probable", 0.10)
    brains = (28, 29, 45, 46, 100, 200)
    assert [rule.rank(n) for n in brains] == [0, 1, 1, 2, 5, 13]
    assert [round(rule.expected_rate(n), 3) for n in (29, 46, 100, 200)] == [0.033, 0.043, 0.05, 0.065]
    assert (rule.needed(), rule.needed(2), rule.other().needed()) == (29, 46, 9)


@pytest.mark.parametrize("kind", GUARANTEES)
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5])
def test_the_rank_is_the_highest_one_that_is_flagged(kind, alpha):
    rule = Guarantee(kind, alpha)
    for brains in range(1, 120):
        flagged = [rank for rank in range(1, brains + 2) if rule.value(rank, brains) <= alpha + 1e-12]
        assert rule.rank(brains) == (max(flagged) if flagged else 0)
    assert rule.rank(rule.needed()) >= 1 > rule.rank(rule.needed() - 1)


def test_the_rate_exceeds_alpha_in_at_most_five_percent_of_calibrations():
    """Scores of any distribution without ties: those of uniform ranks stand for all."""
    generator = np.random.default_rng(0)
    for brains in (29, 46, 80):
        highest = np.sort(generator.random((20_000, brains)), axis=1)[:, ::-1]
        rates = {kind: 1 - highest[:, Guarantee(kind, 0.1).rank(brains) - 1] for kind in GUARANTEES}
        assert np.mean(rates["probable"] > 0.1) <= 0.055
        assert np.mean(rates["average"] > 0.1) > 0.3
        assert np.mean(rates["average"]) <= 0.101
        assert np.quantile(rates["average"], 0.95) == pytest.approx(
            outlook(brains, 0.1, 0.95)[0].average_bound, abs=0.004
        )


def test_the_p_value_is_the_mean_rate():
    assert p_value(3, 29) == pytest.approx(beta.mean(3, 27))


def test_the_number_of_false_alarms_is_beta_binomial():
    for kind in GUARANTEES:
        for brains, scored in ((29, 24), (46, 100), (200, 1)):
            rule = Guarantee(kind, 0.1)
            rank = rule.rank(brains)
            law = betabinom(scored, rank, brains + 1 - rank)
            assert rule.alarms((brains, scored)) == (pytest.approx(law.mean()), law.ppf(0.95))
    assert Guarantee("probable", 0.1).alarms((5, 24)) == (0, 0)


def test_the_alarms_of_several_calibrations_are_added_as_if_independent():
    rule, rng = Guarantee("average", 0.15), np.random.default_rng(0)
    parts = [(8, 5), (20, 7), (4, 9)]  # with 4 brains nothing is flagged
    drawn = sum(rng.binomial(scored, rng.beta(rule.rank(n), n + 1 - rule.rank(n), 100_000)) for n, scored in parts[:2])
    expected, largest = rule.alarms(*parts)
    assert expected == pytest.approx(5 / 9 + 7 * 3 / 21) == pytest.approx(drawn.mean(), abs=0.02)
    assert (drawn <= largest).mean() >= 0.95 > (drawn < largest).mean()


def test_the_outlook_starts_with_the_brains_at_hand():
    rows = outlook(20, 0.1, 0.95)
    assert [row.brains for row in rows[:3]] == [20, 29, 46]
    assert rows[0].probable_rate is None and rows[1].probable_rate == pytest.approx(1 / 30)
    assert outlook(5, 0.1, 0.95)[0].average_bound is None
    assert [row.brains for row in outlook(1000, 0.1, 0.95)] == [1000]


def test_the_documented_table_is_true():
    document = Path(__file__).parents[2] / "docs" / "calibration.md"
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \|$", document.read_text(), re.MULTILINE)
    assert len(rows) == 7
    for brains, probable, average, bound in rows:
        row = outlook(int(brains), 0.10, 0.95)[0]
        shown = [
            f"{100 * rate:.1f} %" if rate else "nobody is flagged" for rate in (row.probable_rate, row.average_rate)
        ]
        assert [probable, average, bound] == [*shown, f"{100 * row.average_bound:.1f} %"]
