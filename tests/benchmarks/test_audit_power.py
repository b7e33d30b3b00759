"""The benchmark of the audit's verdict continues where it stopped, and every table is reproducible."""

import json
from pathlib import Path

import pandas as pd
import pytest

from .conftest import load_benchmark


@pytest.fixture(scope="module")
def power():
    """The benchmark as a module."""
    return load_benchmark("audit_power")


def test_a_second_call_continues_without_repeating_work(power, tmp_path: Path, capsys, monkeypatch) -> None:
    out = tmp_path / "verdicts.csv"

    def call(*more: str) -> dict:
        power.main(["--out", str(out), "--tables", "2", "--confounding", "0", "1", "--subjects", "40", *more])
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    assert call("--minutes", "0") == {"name": "audit_power", "ratios": {}, "tables": 0, "missing": 8}
    first = call()
    # The classes share no protocol, so the verdict is certain; 1.053 = 1 / 0.95.
    assert first["ratios"]["detected"] == 1.053
    assert (first["tables"], first["missing"]) == (8, 0)

    whole = out.read_bytes()
    out.write_bytes(whole[:-3])  # killed in the middle of a line
    assert call() == first
    assert out.read_bytes() == whole

    monkeypatch.setattr(power, "audit", None)  # cannot be called
    assert call() == first
    assert out.read_bytes() == whole
    # After a change of the audit's source, old verdicts are kept but not counted.
    monkeypatch.setattr(power, "source_key", lambda: "another")
    assert call("--minutes", "0")["missing"] == 8
    assert out.read_bytes() == whole


@pytest.mark.parametrize("known", ["headers", "images", "one grid"])
def test_a_table_is_reproducible_and_differs_from_the_next(power, known: str) -> None:
    setting = power.Setting(known, True, 1.0, 80)
    (subjects, acquisition), again, other = (power.simulate(setting, table) for table in (3, 3, 4))
    pd.testing.assert_frame_equal(subjects, again[0])
    pd.testing.assert_frame_equal(acquisition, again[1])
    assert not subjects["score"].equals(other[0]["score"])
    assert (subjects["label"] == "abnormal").sum() == 27
    assert ("manufacturer" in acquisition) == (known == "headers")
    spacings = acquisition[[name for name in acquisition if "spacing" in name]]
    assert (spacings.nunique().max() == 1) == (known == "one grid")


def test_the_score_has_the_intended_auroc(power) -> None:
    setting = power.Setting("headers", False, 0.0, 320)
    areas = []
    for table in range(20):
        subjects, _ = power.simulate(setting, table)
        healthy = subjects.loc[subjects["label"] == "healthy", "score"].to_numpy()
        abnormal = subjects.loc[subjects["label"] == "abnormal", "score"].to_numpy()
        areas.append((abnormal[:, None] > healthy[None, :]).mean())
    assert sum(areas) / len(areas) == pytest.approx(0.85, abs=0.02)
    assert power.SHIFT.std() == pytest.approx(1.0)
