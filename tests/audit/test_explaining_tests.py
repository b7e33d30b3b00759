"""The tests that explain and never move the verdict: reshape group, false alarms, protocol in features."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.false_alarms import false_alarms
from brain_cae.audit.protocol_in_features import protocol_in_features
from brain_cae.audit.reshape_group import reshape_group
from brain_cae.audit.table import make_table


def test_reshape_group(simulate) -> None:
    subjects, acquisition = simulate(1)
    free = reshape_group(make_table(subjects, acquisition))
    tied = reshape_group(make_table(subjects.assign(reshape_group=subjects["label"] == "healthy"), acquisition))
    assert tied.value == 1.0 and tied.p <= 0.01 and tied.verdict == "concern"
    assert free.value < 0.65
    assert reshape_group(make_table(subjects.assign(reshape_group=1), acquisition)).value == 0.5
    assert reshape_group(make_table(subjects.drop(columns="reshape_group"), acquisition)) is None


def test_false_alarms_per_protocol(simulate) -> None:
    subjects, acquisition = simulate(1, healthy=80)
    even = false_alarms(make_table(subjects.assign(flagged=np.arange(len(subjects)) % 8 == 0), acquisition))
    assert even.value == pytest.approx(0.125) and even.n == 80
    one = subjects["protocol"] == "protocol 2"
    uneven = false_alarms(make_table(subjects.assign(flagged=one), acquisition))
    assert uneven.verdict == "concern" and uneven.p <= 0.01
    rows = {row["protocol"]: row for row in uneven.details}
    assert rows["protocol 2"]["value"] == 1.0 and rows["protocol 2"]["low"] < 1.0
    assert rows["protocol 0"]["value"] == 0.0 and rows["protocol 0"]["high"] > 0.0
    assert false_alarms(make_table(subjects.drop(columns="flagged"), acquisition)) is None


def test_protocol_in_features(simulate) -> None:
    subjects, acquisition = simulate(1)
    cohort = make_table(subjects, acquisition)
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(80, 5)), index=subjects.index)
    marked = noise.assign(mark=acquisition["flair_repetition_time_ms"] / 300)
    assert protocol_in_features(cohort, noise).p > 0.01
    found = protocol_in_features(cohort, marked)
    assert found.p <= 0.01 and found.value > 0.5
    assert found.low < found.value < found.high < 1.0 + 1e-9 and found.high - found.low < 0.4
    assert protocol_in_features(cohort, None) is None
