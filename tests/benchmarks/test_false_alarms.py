"""The benchmark of false alarms: rates over draws are those of theory, and nothing is computed twice."""

import json

import numpy as np
import pandas as pd
import pytest

from ..conftest import TINY_NETWORK
from .conftest import load_benchmark


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark as a module."""
    return load_benchmark("false_alarms")


@pytest.fixture(scope="module")
def scores(benchmark):
    """Scores of 600 healthy brains by two networks; those of the new scanner are higher."""
    random, number = np.random.default_rng(0), np.arange(600)
    protocols = np.array(["axial-3t", "sagittal-3t", benchmark.NEW])[number % 3]
    return pd.concat(
        pd.DataFrame(
            {
                "network": network, "number": number, "protocol": protocols, "age": 20 + number % 60,
                "score": random.normal(size=600) + 3 * (protocols == benchmark.NEW),
            }
        )
        for network in (0, 1)
    )  # fmt: skip


def test_the_rates_are_those_of_theory_and_the_promise_is_kept(benchmark, scores, capsys):
    rates = benchmark.drawn(scores, (29, 46, 400), 1000)
    assert set(rates["brains"]) == {29, 46}  # 400 brains of the old scanners are all that there are
    for (brains, kind), rows in rates.groupby(["brains", "kind"]):
        assert rows["rate"].mean() == pytest.approx(benchmark.rule(kind).expected_rate(brains), abs=0.004)
        theory = benchmark.exceeding(brains, kind, 400 - brains)
        assert (rows["rate"] > 0.1).mean() == pytest.approx(theory, abs=0.03)
        assert (theory < 0.06) == (kind == "probable")
    figures = benchmark.report(rates, pd.DataFrame())["figures"]
    assert figures["probable_46_above"] < 0.06 < figures["average_46_above"]
    text = capsys.readouterr().out
    assert "| protocol: axial-3t |" in text and "| age: above 60 |" in text and "local" not in text
    assert rates.groupby("kind")["new"].mean().min() > 0.7


def test_a_stratum_counts_its_own_brains_of_the_rest(benchmark, scores):
    rates = benchmark.drawn(scores[scores["network"] == 0], (46,), 50)
    ages = rates[[name for name in rates if name.startswith("age")]].mean(axis=1)
    assert ages.mean() == pytest.approx(rates["rate"].mean(), abs=0.02)


def test_whole_runs_are_counted_against_the_beta_binomial(benchmark, tmp_path, capsys):
    random = np.random.default_rng(1)
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        folder.mkdir()
        calibration, scores = random.normal(size=46), random.normal(size=40)
        p_values = [(1 + (calibration >= score).sum()) / 47 for score in scores]
        table = pd.DataFrame({"label": ["healthy"] * 40, "p_value": p_values})
        ill = pd.DataFrame({"label": ["abnormal"] * 9, "p_value": 1 / 47})
        pd.concat([table, ill]).to_csv(folder / "predictions.csv", index=False)
        (folder / "metrics.json").write_text(json.dumps({"scoring": {"n_calibration": 46}}))
    table = benchmark.whole_runs(folders).set_index(["run", "kind"])
    assert table.loc[("0", "average"), "expected"] == pytest.approx(40 * 4 / 47) and table["p"].min() > 0.01
    assert table.loc[("all", "probable"), "healthy"] == 240
    assert (
        table.loc[("all", "probable"), "alarms"]
        == table.loc[[str(n) for n in range(6)]].xs("probable", level=1)["alarms"].sum()
    )
    everybody = pd.read_csv(folders[0] / "predictions.csv").assign(p_value=1 / 47)
    everybody.to_csv(folders[0] / "predictions.csv", index=False)
    benchmark.main(["--runs", *map(str, folders)])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]["probable_p"] < 0.01


@pytest.mark.extras
def test_a_small_benchmark_runs_whole_and_continues(benchmark, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BRAIN_CAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(benchmark, "LOCAL", (2,))
    numbers = ["--networks", "1", "--brains", "24", "--epochs", "1", "--subjects", "48", "--repeats", "1"]
    overrides = ["trainer=cpu", "workers=1", "split.validation_minimum=9", *TINY_NETWORK]
    arguments = [*numbers, "--out", str(tmp_path), *overrides]
    benchmark.main(arguments)
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert first["missing"] == 0 and "local_probable_2" in first["figures"]
    monkeypatch.setattr(benchmark, "brain", None)
    monkeypatch.setattr(benchmark.subprocess, "run", None)
    benchmark.main(arguments)
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == first
