"""Duplicates are detected, whatever their names."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit import audit
from brain_cae.audit.leakage import certain, leakage


@pytest.fixture
def scans() -> pd.DataFrame:
    names = [f"{number:03d}" for number in range(40)]
    roles = ["train"] * 10 + ["validation"] * 10 + ["classifier"] * 10 + ["test"] * 10
    return pd.DataFrame({"subject": names, "role": roles, "series_hash": [f"hash{name}" for name in names]})


def fingerprints(names, seed: int = 0) -> pd.DataFrame:
    """Return block means: a part common to all brains plus an individual part."""
    rng = np.random.default_rng(seed)
    blocks = rng.normal(size=(len(names), 8, 8, 8)) + 3 * rng.normal(size=(1, 8, 8, 8))
    return pd.DataFrame(blocks.reshape(len(names), -1), index=list(names))


def test_clean_cohort_is_no_concern(scans) -> None:
    test = leakage(scans, fingerprints(scans["subject"]))
    assert (test.verdict, test.value, test.n) == ("no concern", 0.0, 20)
    assert test.details == [] and not certain(test) and "images" in test.sentence
    assert leakage(None) is None
    assert leakage(scans.assign(series_hash="")).verdict == "cannot tell"


def test_one_subject_in_two_roles_and_one_scan_under_two_names(scans) -> None:
    both = pd.concat([scans, scans.iloc[[3]].assign(role="test", series_hash="other")])
    test = leakage(both)
    assert test.verdict == "concern" and certain(test)
    assert test.details[0] == {"subject": "003", "other": "003", "roles": "test, train / test, train",
                               "same": "subject", "hash_distance": None}  # fmt: skip
    scans.loc[35, "series_hash"] = "hash002"
    copied = leakage(scans)
    assert copied.value == pytest.approx(1 / 20) and certain(copied)
    assert (copied.details[0]["subject"], copied.details[0]["other"]) == ("002", "035")


def test_nearly_the_same_image_is_detected(scans) -> None:
    prints = fingerprints(scans["subject"])
    rng = np.random.default_rng(1)
    prints.loc["031"] = prints.loc["004"] + 0.05 * rng.normal(size=512)
    test = leakage(scans, prints)
    assert test.verdict == "concern" and not certain(test)
    assert [(row["subject"], row["other"], row["same"]) for row in test.details] == [("004", "031", "picture")]
    assert test.details[0]["hash_distance"] < 0.06


def test_a_proven_leak_is_never_clear(simulate, scans) -> None:
    subjects, acquisition = simulate(1)
    scans.loc[35, "series_hash"] = "hash002"
    assert audit(subjects, acquisition=acquisition, explain=False).verdict == "clear"
    result = audit(subjects, acquisition=acquisition, scans=scans, explain=False)
    assert result.verdict == "cannot tell" and "occur twice" in result.reasons[0]
    assert result.warnings and result.warnings[0] == result.reasons[0]
