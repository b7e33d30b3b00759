"""Healthy brains are flagged at the same rate under all protocols, or the test says that they are not."""

import numpy as np
import pytest

from brain_cae.audit.false_alarms import false_alarms
from brain_cae.audit.table import make_table


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


def test_flags_read_from_a_table_of_text_count_as_flags_and_unknown_ones_are_left_out(simulate) -> None:
    subjects, acquisition = simulate(1, healthy=80)
    flags = (np.arange(len(subjects)) % 4 == 0).astype(object)
    flags[:8] = np.nan
    test = false_alarms(make_table(subjects.assign(flagged=flags), acquisition))
    assert test.n == 72 and test.value == pytest.approx(18 / 72) and "18 of 72" in test.sentence
    words = subjects.assign(flagged=[str(flag) if flag in (True, False) else None for flag in flags])
    assert false_alarms(make_table(words, acquisition)) == test


def test_abnormal_subjects_are_not_false_alarms(simulate) -> None:
    subjects, acquisition = simulate(1)
    cohort = make_table(subjects.assign(flagged=subjects["label"] == "abnormal"), acquisition)
    assert false_alarms(cohort).value == 0.0
    none = false_alarms(make_table(subjects.assign(label="abnormal"), acquisition))
    assert (none.verdict, none.n, none.value) == ("cannot tell", 0, None)


def test_one_protocol_cannot_differ_and_few_subjects_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(1)
    single = false_alarms(make_table(subjects.assign(protocol="one"), acquisition))
    assert (single.p, single.verdict, len(single.details)) == (None, "no concern", 1)
    # 28 healthy subjects under four protocols: fewer than ten each.
    few = false_alarms(make_table(subjects.assign(flagged=np.arange(80) % 7 == 0), acquisition))
    assert (few.verdict, few.n, few.n_needed) == ("cannot tell", 28, 40) and few.p > 0.05
