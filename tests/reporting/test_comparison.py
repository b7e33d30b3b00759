"""Comparison of classifiers and feature sets over a sweep, and over modalities."""

import json

import numpy as np
import pandas as pd
import pytest

from brain_cae.reporting.summary import write_summary

COLUMNS = ("probability.both", "probability.encoder", "probability.both.svm", "score.residual")


def job(folder, choices, strength, seed):
    """Write a finished run in which every predictor separates the classes with this strength."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {key}={name}\n" for key, name in choices.items()))
    (folder / "status.json").write_text(json.dumps({"status": "finished"}))
    metrics = {"audit": {"verdict": "clear"}, "transfer": {"classifier": "logistic", "features": "both"}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    generator = np.random.default_rng(seed)
    label = np.array(["healthy"] * 40 + ["abnormal"] * 40)
    table = pd.DataFrame({"subject": [f"s{i:02d}" for i in range(80)], "label": label, "role": "test", "protocol": "a"})
    for column in COLUMNS:
        table[column] = generator.standard_normal(80) + strength * (label == "abnormal")
    table.to_csv(folder / "subjects.csv", index=False)


@pytest.fixture
def sweep(tmp_path):
    jobs = [(name, strength, seed) for name, strength in (("t1_flair", 2.5), ("t2", 0.0)) for seed in (0, 1)]
    for number, (name, strength, seed) in enumerate(jobs):
        job(tmp_path / str(number), {"modality": name, "seed": seed}, strength, number)
    write_summary(tmp_path)
    return tmp_path


def test_every_classifier_with_every_feature_set_has_a_row(sweep):
    table = pd.read_csv(sweep / "comparison.csv")
    pairs = set(zip(table["features"], table["classifier"], strict=True))
    assert pairs == {("both", "logistic"), ("encoder", "logistic"), ("both", "svm"), ("residual score", "none")}
    assert len(table) == 8 and (table["auroc.n"] == 80).all()
    strong, weak = (table[table["modality"] == name] for name in ("t1_flair", "t2"))
    assert (strong["auroc"] > 0.95).all() and weak["auroc"].between(0.3, 0.7).all()
    # The two seeds have independent noise: averaging by subject cannot lower the AUROC below that of the worse run.
    assert (strong["auroc"] >= strong["auroc.lowest"]).all()
    assert strong["difference"].isna().all()
    assert (weak["difference.high"] < -0.1).all()
    np.testing.assert_allclose(weak["difference"].to_numpy(), (weak["auroc"].to_numpy() - strong["auroc"].to_numpy()))


def test_a_held_out_protocol_needs_five_subjects_of_each_class(tmp_path):
    for number, name in enumerate(("one", "two")):
        job(tmp_path / str(number), {"split.protocol": name}, 1.0, number)
        table = pd.read_csv(tmp_path / str(number) / "subjects.csv")
        table.iloc[: 44 if number else 80].to_csv(tmp_path / str(number) / "subjects.csv", index=False)
    write_summary(tmp_path)
    table = pd.read_csv(tmp_path / "comparison.csv").set_index("split.protocol")
    assert table.loc["one", "auroc"].notna().all()
    assert table.loc["two", "auroc"].isna().all()  # only four abnormal subjects


def test_the_page_shows_a_heat_map_over_modalities(sweep):
    part = (sweep / "summary.html").read_text().split("Modalities and classifiers")[1].split("</section>")[0]
    assert 'aria-label="AUROC by modality and classifier"' in part
    assert "logistic, encoder" in part and "svm, both" in part and "residual score" in part
    assert "AUROC minus that of modality=t1_flair, paired" in part


def test_a_sweep_of_one_modality_has_rows_and_no_heat_map(tmp_path):
    for seed in (0, 1):
        job(tmp_path / str(seed), {"seed": seed}, 1.0, seed)
    write_summary(tmp_path)
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 4
    assert "Modalities and classifiers" not in (tmp_path / "summary.html").read_text()


def test_the_summary_contains_the_comparison_of_each_job(tmp_path):
    job(tmp_path / "0", {"seed": 0}, 1.0, 0)
    metrics = json.loads((tmp_path / "0" / "metrics.json").read_text())
    row = {"features": "both", "classifier": "svm", "auroc": {"value": 0.7, "low": 0.6, "high": 0.8}}
    metrics["transfer"]["comparison"] = [row]
    (tmp_path / "0" / "metrics.json").write_text(json.dumps(metrics))
    table = pd.read_csv(write_summary(tmp_path))
    assert table["transfer.comparison.both.svm.auroc"].tolist() == [0.7]
    assert table["transfer.comparison.both.svm.auroc.high"].tolist() == [0.8]
