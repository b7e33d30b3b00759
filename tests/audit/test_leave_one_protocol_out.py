"""Classifiers that do, or do not, generalise to a new scanner."""

import numpy as np
import pandas as pd

from brain_cae.audit.leave_one_protocol_out import leave_one_protocol_out
from brain_cae.audit.table import make_table


def features(subjects: pd.DataFrame, seed: int, *, flipped: bool) -> pd.DataFrame:
    """One feature shows the disease; ``flipped``: another feature under each protocol."""
    rng = np.random.default_rng(seed)
    truth = (subjects["label"] == "abnormal").to_numpy()
    number = pd.factorize(subjects["protocol"])[0]
    values = rng.normal(size=(len(subjects), 5))
    for protocol in range(4):
        member = number == protocol
        column = protocol if flipped else 0
        values[member, column] += 2.5 * truth[member]
    return pd.DataFrame(values, index=subjects.index)


def test_a_disease_that_looks_the_same_everywhere_survives(simulate) -> None:
    subjects, acquisition = simulate(1, healthy=60, abnormal=60)
    test = leave_one_protocol_out(make_table(subjects, acquisition), features(subjects, 1, flipped=False))
    assert test.value > 0.85 and test.low > 0.75 and test.verdict != "concern"
    assert len(test.details) == 4 and test.details[0]["protocol"].startswith("protocol")


def test_an_effect_specific_to_each_protocol_is_lost(simulate) -> None:
    subjects, acquisition = simulate(1, healthy=60, abnormal=60)
    test = leave_one_protocol_out(make_table(subjects, acquisition), features(subjects, 1, flipped=True))
    assert test.verdict == "concern" and test.value < 0.8
    assert test.details[0]["ordinary"]["value"] > test.details[0]["held_out"]["value"]


def test_noise_shows_no_drop(simulate) -> None:
    alarms = 0
    for seed in range(20):
        subjects, acquisition = simulate(seed)
        noise = pd.DataFrame(np.random.default_rng(seed).normal(size=(80, 5)), index=subjects.index)
        alarms += leave_one_protocol_out(make_table(subjects, acquisition), noise, resamples=200).verdict == "concern"
    assert alarms <= 3


def test_it_cannot_tell_without_a_protocol_to_leave_out(simulate) -> None:
    subjects, acquisition = simulate(1)
    noise = features(subjects, 0, flipped=False)
    assert leave_one_protocol_out(make_table(subjects, acquisition), None) is None
    single = make_table(subjects.assign(protocol="one"), acquisition)
    assert leave_one_protocol_out(single, noise).verdict == "cannot tell"
    tied = make_table(subjects.assign(protocol=subjects["label"]), acquisition)
    assert "No protocol has both" in leave_one_protocol_out(tied, noise).sentence
