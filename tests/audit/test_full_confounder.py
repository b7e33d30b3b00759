"""The full confounder test: absent, partial and complete confounding, with and without an effect."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.full_confounder import draw_labels, full_confounder
from brain_cae.audit.table import make_table


def test_draws_have_the_conditional_bernoulli_distribution() -> None:
    log_odds = np.array([0.0, 1.0, -1.0, 2.0])
    drawn = draw_labels(log_odds, 2, draws=20000, seed=0)
    assert (drawn.sum(axis=1) == 2).all()
    weights = {pair: np.exp(log_odds[list(pair)].sum()) for pair in combinations(range(4), 2)}
    for pair, weight in weights.items():
        share = drawn[:, list(pair)].all(axis=1).mean()
        assert share == pytest.approx(weight / sum(weights.values()), abs=0.015)


def answers(simulate, number: int = 24, **settings) -> list[str]:
    tables = (make_table(*simulate(seed, **settings)) for seed in range(number))
    return [full_confounder(cohort, permutations=199).verdict for cohort in tables]


def test_the_full_test_detects_an_effect_beyond_the_acquisition(simulate) -> None:
    real = {"confounding": 0.6, "dependence": 0.7, "effect": 1.5}
    assert answers(simulate, **real).count("no concern") >= 22
    none = answers(simulate, **{**real, "effect": 0.0})
    assert none.count("no concern") <= 4 and none.count("concern") >= 14
    assert answers(simulate, 6, confounding=1.0, dependence=0.7) == ["cannot tell"] * 6


def test_the_sentence_reports_the_auroc_that_the_acquisition_alone_gives(simulate) -> None:
    test = full_confounder(make_table(*simulate(1, confounding=0.6, dependence=1.0, effect=0.0)))
    assert "from the acquisition alone would give" in test.sentence
    assert test.value > 0.6 and test.p > 0.05


def test_draws_are_exact_if_the_acquisition_determines_the_label() -> None:
    drawn = draw_labels(np.array([800.0, -800.0, 800.0, -800.0]), 2, draws=50, seed=0)
    assert (drawn == [True, False, True, False]).all()


def test_a_score_that_is_the_label_beats_every_draw_of_the_acquisition() -> None:
    truth = np.repeat([False, True], [20, 10])
    table = pd.DataFrame({"label": np.where(truth, "abnormal", "healthy"), "score": truth * 1.0, "protocol": "a"})
    test = full_confounder(make_table(table, pd.DataFrame(index=table.index)), permutations=1999)
    assert test.value == 1.0 and test.p == 0.0005 and test.verdict == "no concern"
    # Without acquisition parameters, all draws are equally likely.
    assert "an AUROC of 0.50" in test.sentence


def test_only_scored_subjects_count(simulate) -> None:
    subjects, acquisition = simulate(1)
    healthy = subjects.index[subjects["label"] == "healthy"]
    subjects.loc[healthy[5:], "score"] = np.nan
    assert full_confounder(make_table(subjects, acquisition), permutations=9).n == 57
    subjects.loc[healthy[4:], "score"] = np.nan
    few = full_confounder(make_table(subjects, acquisition), permutations=9)
    assert (few.verdict, few.n, few.n_needed, few.value) == ("cannot tell", 56, 40, None)
