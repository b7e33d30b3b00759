"""Runs of one configuration are averaged by subject before any metric is computed."""

import json

import numpy as np
import pandas as pd
import pytest

from brain_cae import estimates
from brain_cae.reporting.configurations import average, average_configurations, score_shift
from brain_cae.reporting.summary import write_summary

SEEDS, HEALTHY, ABNORMAL = 3, 120, 60


def noisy_runs() -> list[pd.DataFrame]:
    """Runs that evaluate every tumour and half of the healthy subjects, each with independent noise on the scores."""
    generator = np.random.default_rng(4)
    names = [f"h{i}" for i in range(HEALTHY)] + [f"t{i}" for i in range(ABNORMAL)]
    label = np.array(["healthy"] * HEALTHY + ["abnormal"] * ABNORMAL)
    truth = generator.standard_normal(len(names)) + 1.2 * (label == "abnormal")
    tables = []
    for seed in range(SEEDS):
        kept = np.sort(np.r_[generator.choice(HEALTHY, HEALTHY // 2, replace=False), HEALTHY : len(names)])
        noise = generator.standard_normal((3, len(names)))
        table = pd.DataFrame({"subject": names, "label": label, "role": "test", "protocol": "a"})
        table["score.residual"] = truth + 1.5 * noise[0]
        table["score.healthy_mean"] = truth + 2.5 * noise[1]
        table["score.intensity"] = 0.3 * truth + noise[2]
        table["probability.both"] = 1 / (1 + np.exp(-truth))
        table["residual.average_precision"] = np.where(label == "abnormal", 0.6 + 0.05 * seed, np.nan)
        table["healthy_mean.average_precision"] = np.where(label == "abnormal", 0.5, np.nan)
        table["reconstruction.l1"] = np.where(label == "healthy", 0.1, 0.9)
        tables.append(table.iloc[kept])
    return tables


def job(folder, number, table, overrides, name="subjects.csv", status="finished"):
    path = folder / str(number)
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra" / "overrides.yaml").write_text("".join(f"- {item}\n" for item in overrides))
    (path / "status.json").write_text(json.dumps({"status": status}))
    (path / "metrics.json").write_text(json.dumps({"audit": {"verdict": "clear"}}))
    table.to_csv(path / name, index=False)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    for seed, table in enumerate(noisy_runs()):
        job(folder, seed, table, ["modality=t1_flair", f"seed={seed}"])
    job(folder, 3, noisy_runs()[0], ["modality=t2", "seed=0"])
    job(folder, 4, noisy_runs()[0], ["modality=t2", "seed=1"], status="failed")
    write_summary(folder)
    return folder


def test_one_row_for_each_configuration(sweep):
    table = pd.read_csv(sweep / "configurations.csv")
    assert table["modality"].tolist() == ["t1_flair", "t2"]
    assert table["runs"].astype(str).tolist() == ["0 1 2", "3"]
    assert table["seeds"].tolist() == [3, 1]
    assert table["detection.auroc.lowest"].isna().tolist() == [False, True]


def test_a_subject_is_averaged_over_the_runs_that_evaluated_it():
    tables = noisy_runs()
    averaged = average(tables)
    for name in ("h3", "t7"):
        scores = [t.set_index("subject").at[name, "score.residual"] for t in tables if name in set(t["subject"])]
        assert averaged.at[name, "score.residual"] == pytest.approx(np.mean(scores))
    assert len(averaged) == len(set(pd.concat(tables)["subject"]))


def test_the_interval_is_over_subjects_and_not_over_repeated_rows(sweep):
    row = pd.read_csv(sweep / "configurations.csv").iloc[0]
    tables = noisy_runs()
    single = [estimates.auroc(t["label"], t["score.residual"], resamples=500) for t in tables]
    averaged = average(tables)
    # Averaging reduces the noise of the runs: the AUROC exceeds that of any run; its interval is that of the subjects.
    assert row["detection.auroc"] > max(one.value for one in single)
    assert row["detection.auroc.n"] == len(averaged)
    assert row["detection.auroc.lowest"] == pytest.approx(min(one.value for one in single))
    assert row["detection.auroc.highest"] == pytest.approx(max(one.value for one in single))
    rows = pd.concat(tables)
    repeated = estimates.auroc(rows["label"], rows["score.residual"], resamples=500)
    width = row["detection.auroc.high"] - row["detection.auroc.low"]
    assert width > 1.15 * (repeated.high - repeated.low)


def test_differences_are_paired_after_averaging(sweep):
    row = pd.read_csv(sweep / "configurations.csv").iloc[0]
    residual, healthy_mean = row["detection.auroc"], row["baseline.healthy_mean.auroc"]
    assert row["detection.difference.healthy_mean"] == pytest.approx(residual - healthy_mean)
    low, high = (row[f"detection.difference.healthy_mean.{end}"] for end in ("low", "high"))
    assert low < residual - healthy_mean < high
    assert row["localisation.average_precision"] == pytest.approx(0.65)
    assert row["localisation.average_precision.n"] == ABNORMAL
    assert row["localisation.average_precision.lowest"] == pytest.approx(0.6)
    assert row["localisation.difference.healthy_mean.average_precision"] == pytest.approx(0.15)
    assert row["reconstruction.l1"] == pytest.approx(0.1)
    assert row["transfer.both.auroc"] > 0.7


def test_a_score_shift_between_runs_is_measured():
    assert score_shift(noisy_runs()) < 0.5
    shifted = noisy_runs()
    shifted[2]["score.residual"] += 10
    assert score_shift(shifted) > 3
    assert score_shift(shifted[:1]) is None


def test_predictions_alone_give_the_residual_score_and_the_classifier(tmp_path):
    for seed, table in enumerate(noisy_runs()):
        old = table.rename(columns={"score.residual": "score", "probability.both": "classifier_probability"})
        old = old[["subject", "label", "role", "protocol", "score", "classifier_probability"]]
        job(tmp_path, seed, old, [f"seed={seed}"], name="predictions.csv")
    write_summary(tmp_path)
    row = pd.read_csv(tmp_path / "configurations.csv").iloc[0]
    assert row["detection.auroc.n"] == len(average(noisy_runs()))
    assert row["transfer.auroc"] > 0.7
    assert "detection.difference.healthy_mean" not in row


def test_a_run_that_was_scored_again_keeps_its_choices(sweep, tmp_path):
    again = tmp_path / "again"
    for number, table in enumerate(noisy_runs()):
        job(again, number, table, [f"run={sweep / str(number)}", "workers=1"])
    write_summary(again)
    table = pd.read_csv(again / "configurations.csv")
    assert table["modality"].tolist() == ["t1_flair"]
    assert table["seeds"].tolist() == [3]


def test_the_page_shows_configurations_before_jobs(sweep):
    page = (sweep / "summary.html").read_text()
    assert page.index("Configurations") < page.index("<h2>Jobs")
    row = pd.read_csv(sweep / "configurations.csv").iloc[0]
    assert f"{row['detection.auroc']:.2f} [{row['detection.auroc.low']:.2f}, " in page
    low, high = row["detection.auroc.lowest"], row["detection.auroc.highest"]
    assert f">{low:.2f} to {high:.2f}</td>" in page


def test_no_finished_job_gives_no_configuration(tmp_path):
    job(tmp_path, 0, noisy_runs()[0], ["seed=0"], status="running")
    write_summary(tmp_path)
    assert average_configurations([]).empty
    assert "Configurations" not in (tmp_path / "summary.html").read_text()


def test_a_held_out_protocol_with_few_subjects_of_a_class_has_no_auroc(tmp_path):
    table = noisy_runs()[0]
    few = pd.concat([table[table["label"] == "healthy"], table[table["label"] == "abnormal"].head(4)])
    job(tmp_path, 0, few, ["split=leave_protocol_out", "split.protocol=a"])
    job(tmp_path, 1, table, ["split=leave_protocol_out", "split.protocol=b"])
    write_summary(tmp_path)
    averaged = pd.read_csv(tmp_path / "configurations.csv")
    for figure in ("detection.auroc", "detection.average_precision", "detection.difference.healthy_mean"):
        assert averaged[figure].notna().tolist() == [False, True], figure
