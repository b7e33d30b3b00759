"""The rule of the verdict, line by line, and where it lands when the truth is known."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit import audit


def verdicts(simulate, number: int, **settings) -> Counter:
    tables = (simulate(seed, **settings) for seed in range(number))
    return Counter(audit(subjects, acquisition=acquisition, explain=False).verdict for subjects, acquisition in tables)


@pytest.mark.parametrize("dependence", [0.0, 1.0])
def test_few_false_alarms_and_few_excuses_without_confounding(simulate, dependence: float) -> None:
    found = verdicts(simulate, 60, dependence=dependence)
    # 5 % of 60 is 3; more than 7 would happen once in a hundred times at a true rate of 5 %.
    assert found["confounded"] + found["at risk"] <= 7
    assert found["cannot tell"] <= 12


@pytest.mark.parametrize("effect", [0.0, 1.5])
def test_complete_confounding_is_detected(simulate, effect: float) -> None:
    assert verdicts(simulate, 20, confounding=1.0, dependence=0.7, effect=effect)["confounded"] == 20


def test_partial_confounding_tells_a_real_effect_from_none(simulate) -> None:
    settings = {"confounding": 0.6, "dependence": 0.7, "healthy": 60, "abnormal": 140}
    assert verdicts(simulate, 6, effect=0.0, **settings)["confounded"] >= 5
    assert verdicts(simulate, 6, effect=1.5, **settings)["at risk"] >= 5


def test_association_without_dependence_of_the_score_is_not_held_against_it(simulate) -> None:
    found = verdicts(simulate, 20, confounding=0.4, dependence=0.0)
    assert found["clear"] >= 17


def test_partial_confounding_is_never_clear_at_a_usual_size(simulate) -> None:
    assert verdicts(simulate, 20, confounding=0.7, dependence=1.0)["clear"] <= 1


def test_small_cohorts_cannot_tell_and_say_how_many_would_do(simulate) -> None:
    subjects, acquisition = simulate(1, healthy=4, abnormal=6)
    result = audit(subjects, acquisition=acquisition)
    assert result.verdict == "cannot tell"
    assert any(character.isdigit() for character in result.reasons[0])
    assert "would do" in result.reasons[0]


def test_groups_that_hide_how_the_classes_differ_excuse_nothing() -> None:
    rng = np.random.default_rng(3)
    label = np.repeat(["healthy", "abnormal"], 40)
    table = pd.DataFrame({"label": label, "score": rng.normal(size=80) + (label == "abnormal"), "protocol": "one grid"})
    noise = pd.DataFrame({"flair_noise": np.exp(0.15 * rng.normal(size=80) + 0.2 * (label == "abnormal"))})
    result = audit(table, acquisition=noise, explain=False)
    tests = {test.name: test for test in result.tests}
    # One group adds nothing to any score; but the noise tells the classes apart, and the group does not show it.
    assert tests["contribution"].verdict == "no concern" and tests["metadata_only"].p <= 0.01
    assert result.verdict == "cannot tell" and "audit.strata" in result.reasons[2]


def test_one_scanner_for_all_is_clear(simulate) -> None:
    subjects, acquisition = simulate(1)
    same = acquisition.iloc[[0] * len(acquisition)].set_axis(acquisition.index)
    result = audit(subjects.assign(protocol="only"), acquisition=same)
    assert result.verdict == "clear"
    assert "same settings" in result.reasons[0]


def test_protocol_of_each_subject_alone_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(1)
    result = audit(subjects.assign(protocol=subjects.index), acquisition=acquisition)
    assert result.verdict == "cannot tell"
    assert "few subjects" in result.reasons[0]
