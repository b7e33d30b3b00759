"""The protocol is read from features that carry it, and from no others."""

import numpy as np
import pandas as pd

from brain_cae.audit.protocol_in_features import protocol_in_features
from brain_cae.audit.table import make_table


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
