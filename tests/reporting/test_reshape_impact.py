"""Sweep over reshape strategies: paired differences from the reference, distortion, groups."""

import json

import numpy as np
import pandas as pd
import pytest

from brain_cae.reporting.summary import write_summary

SIZES = {"fixed": ["80, 80, 48"], "clustered": ["64, 80, 24", "80, 64, 24"]}


def subjects(strategy: str, seed: int) -> pd.DataFrame:
    """The same subjects for every strategy; clustered has less noise, a smaller error and a smaller scale ratio."""
    common = np.random.default_rng(1)
    label = np.array(["healthy"] * 60 + ["abnormal"] * 40)
    truth = common.standard_normal(100) + 1.0 * (label == "abnormal")
    generator = np.random.default_rng(10 * seed + len(strategy))
    better = strategy == "clustered"
    table = pd.DataFrame({"subject": [f"s{i}" for i in range(100)], "label": label, "role": "test", "protocol": "a"})
    table["score.residual"] = truth + (0.1 if better else 2.0) * generator.standard_normal(100)
    table["score.healthy_mean"] = truth
    table["reconstruction.l1"] = (0.10 if better else 0.15) + 0.01 * common.random(100)
    table["reshape.scale_ratio"] = (1.1 if better else 2.0) + 0.1 * common.random(100)
    table["reshape.anisotropy_mm"] = (3.0 if better else 1.5) + 0.1 * common.random(100)
    return table


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    for number, (strategy, seed) in enumerate((s, n) for s in SIZES for n in (0, 1)):
        path = folder / str(number)
        (path / ".hydra").mkdir(parents=True)
        (path / ".hydra" / "overrides.yaml").write_text(f"- reshape={strategy}\n- seed={seed}\n")
        (path / "status.json").write_text(json.dumps({"status": "finished"}))
        targets = [[int(size) for size in text.split(",")] for text in SIZES[strategy]]
        groups = [{"name": f"<b>{n}</b>", "target": target, "members": 20 + n} for n, target in enumerate(targets)]
        tests = [{"name": "reshape_group", "value": 0.5 + 0.04 * seed * (len(groups) - 1)}]
        reshape = {"strategy": strategy, "groups": groups, "seconds_per_epoch": 4.0, "voxels": {"value": 300000.0}}
        (path / "metrics.json").write_text(json.dumps({"reshape": reshape, "audit": {"tests": tests}}))
        subjects(strategy, seed).to_csv(path / "subjects.csv", index=False)
    write_summary(folder)
    return folder


def test_differences_are_paired_by_subject(sweep):
    table = pd.read_csv(sweep / "differences.csv").set_index("figure")
    assert set(table["reshape"]) == {"clustered"}
    assert set(table["plain"]) == {"fixed"}
    auroc, error = table.loc["detection.auroc"], table.loc["reconstruction.l1"]
    assert auroc["low"] > 0
    assert error["value"] == pytest.approx(-0.05, abs=1e-3)
    # The error of every subject differs by the same amount, so that only a paired interval is this narrow.
    assert error["high"] - error["low"] < 1e-3
    assert error["n"] == 60


def test_each_configuration_has_its_distortion(sweep):
    table = pd.read_csv(sweep / "configurations.csv").set_index("reshape")
    assert table.at["fixed", "reshape.scale_ratio"] > table.at["clustered", "reshape.scale_ratio"]
    assert table.at["fixed", "reshape.anisotropy_mm"] < table.at["clustered", "reshape.anisotropy_mm"]


def test_the_page_shows_the_groups_and_their_auroc(sweep):
    page = (sweep / "summary.html").read_text()
    assert "Difference from reshape=fixed" in page
    assert "20 \N{RIGHTWARDS ARROW} 64\N{MULTIPLICATION SIGN}80\N{MULTIPLICATION SIGN}24" in page
    assert "0.50 to 0.54" in page
    assert 'aria-label="AUROC of the residual score against each measure of distortion"' in page
    assert "<b>" not in page.split("Reshape groups")[1].split("</table>")[0]


def test_a_sweep_over_seeds_only_has_no_differences(tmp_path):
    path = tmp_path / "0"
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra" / "overrides.yaml").write_text("- seed=0\n")
    (path / "status.json").write_text(json.dumps({"status": "finished"}))
    subjects("fixed", 0).to_csv(path / "subjects.csv", index=False)
    write_summary(tmp_path)
    assert not (tmp_path / "differences.csv").exists()
    assert "Distortion and detection" not in (tmp_path / "summary.html").read_text()
