"""Only pairs within one protocol count."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.table import make_table
from brain_cae.audit.within_protocol import within_protocol


def test_scanner_offsets_cancel() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 0, 1], [30, 10, 10, 30])
    protocol = np.repeat(["a", "b"], 40)
    score = rng.normal(size=80) + 5.0 * (protocol == "b")
    table = pd.DataFrame({"label": np.where(truth, "abnormal", "healthy"), "score": score, "protocol": protocol})
    test = within_protocol(make_table(table, pd.DataFrame(index=table.index)))
    pairs = [score[(truth == 1) & (protocol == p)][:, None] > score[(truth == 0) & (protocol == p)] for p in "ab"]
    assert test.value == pytest.approx(np.concatenate([part.ravel() for part in pairs]).mean())
    assert test.low < 0.5 < test.high and test.p > 0.05
    assert test.verdict == "concern"  # the overall AUROC is far higher, and 600 pairs would have detected it
    assert [row["n"] for row in test.details] == [40, 40]


def test_real_effect_survives_and_perfect_separation_is_not_certain(simulate) -> None:
    subjects, acquisition = simulate(1, confounding=0.5, dependence=1.0, effect=2.0)
    test = within_protocol(make_table(subjects, acquisition))
    assert test.verdict == "no concern" and test.low > 0.5 and test.p < 0.01
    perfect = subjects.assign(score=(subjects["label"] == "abnormal") * 1.0)
    sure = within_protocol(make_table(perfect, acquisition))
    assert sure.value == 1.0 and sure.low < 0.99


def test_few_pairs_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(4, effect=0.0, healthy=6, abnormal=8)
    test = within_protocol(make_table(subjects, acquisition))
    assert test.verdict == "cannot tell"
    assert test.n_needed > 14


def test_of_two_brains_a_class_no_auroc_is_detected() -> None:
    table = pd.DataFrame({"label": ["healthy", "abnormal"] * 2, "score": [0.0, 1.0, 2.0, 3.0], "protocol": "a"})
    sentence = within_protocol(make_table(table, pd.DataFrame(index=table.index))).sentence
    assert "Even one of 1.00 might not have been detected" in sentence
