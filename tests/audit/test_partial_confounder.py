"""The partial confounder test sees a scanner in the score, and names the parameter."""

from brain_cae.audit.partial_confounder import partial_confounder
from brain_cae.audit.table import make_table


def answers(simulate, **settings) -> list[str]:
    tables = (make_table(*simulate(seed, **settings)) for seed in range(24))
    return [partial_confounder(cohort, permutations=199).verdict for cohort in tables]


def test_partial_test_sees_the_scanner_in_the_score_and_nothing_else(simulate) -> None:
    assert answers(simulate, confounding=0.6, effect=3.0).count("concern") <= 4
    assert answers(simulate, dependence=1.0).count("concern") == 24
    assert answers(simulate, dependence=1.0, effect=0.0, confounding=0.6).count("concern") >= 22


def test_partial_test_names_the_parameter(simulate) -> None:
    subjects, acquisition = simulate(3)
    subjects = subjects.assign(score=subjects["score"] + 2 * (acquisition["field_strength_t"] == 3.0))
    test = partial_confounder(make_table(subjects, acquisition))
    assert test.details[0]["parameter"] == "field_strength_t"
    # A shift of 2 in half of the subjects adds a variance of 1 to a noise of 1.
    assert test.low < 0.5 < test.high
