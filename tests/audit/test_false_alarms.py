"""Whether healthy brains are flagged alike under all protocols."""

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
