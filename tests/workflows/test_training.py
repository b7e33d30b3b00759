"""Whole training runs on a tiny phantom, and the files they write."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nibabel
import nibabel.processing
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score

from brain_cae.configuration import EvaluateConfig
from brain_cae.data.strippers import deepbet_installed
from brain_cae.detector.storage import load
from brain_cae.errors import BrainCaeError, ConfigurationError, DatasetError, LeakageError, RunError
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages import transfer_plan
from brain_cae.workflows import evaluation, training

ROOT = Path(__file__).parents[2]


def estimates(node, path=""):
    """Yield every estimate of metrics.json with its dotted name."""
    if isinstance(node, dict):
        if "method" in node and "low" in node:
            yield path, node
        else:
            for key, value in node.items():
                yield from estimates(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from estimates(value, f"{path}[{number}]")


def test_a_run_writes_every_file_of_the_contract(tiny_run):
    expected = [
        "status.json", "index.csv", "splits.csv", "import_report.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt",
        "model/network.ckpt", "model/calibration.npz", "model/classifier.skops", "model/config.yaml", "tensorboard",
        "metrics.json", "predictions.csv", "report.html", "anomaly_maps", "training.csv", "patients",
    ]  # fmt: skip
    assert [name for name in expected if not (tiny_run / name).exists()] == []
    assert json.loads((tiny_run / "status.json").read_text())["status"] == "finished"
    assert not list(tiny_run.rglob("*.part*"))


def test_the_model_names_the_skull_stripper_and_stripped_scans_are_as_delivered(tiny_run):
    stored = yaml.safe_load((tiny_run / "model" / "config.yaml").read_text())
    assert stored["preprocess"]["skull_strip"] == ("deepbet" if deepbet_installed() else "none")
    assert set(pd.read_csv(tiny_run / "index.csv")["stripped_by"]) == {"delivered"}


def test_tables_have_the_columns_of_the_contract(tiny_run):
    columns = {
        name: (tiny_run / name).read_text().splitlines()[0]
        for name in ("splits.csv", "import_report.csv", "predictions.csv")
    }
    assert columns["splits.csv"] == "subject,role"
    assert columns["import_report.csv"] == (
        "subject,modality,series_hash,status,reason,path,"
        "shift_mm,rotation_deg,overlap_before,overlap,coverage_mm,looks_like"
    )
    assert columns["predictions.csv"] == (
        "subject,session,source,protocol,reshape_group,label,role,fold,score,p_value,rate_bound,threshold,flagged,"
        "out_of_calibration,classifier_probability,out_of_calibration_reason"
    )


def test_lesions_are_counted_where_the_contract_says(tiny_run):
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert set(metrics["localisation"]["lesions"]) == {"sensitivity", "f1", "false_per_healthy_brain"}
    expected, decision = metrics["detection"]["expected_false_alarms"], metrics["detection"]["decisions"]["average"]
    assert (expected["value"], expected["high"]) == (decision["expected_alarms"], decision["largest_alarms"])
    assert (
        (tiny_run / "lesions.csv")
        .read_text()
        .startswith("subject,lesion,volume_ml,x_mm,y_mm,z_mm,hemisphere,tissue,peak_z,p_value,")
    )


def test_every_role_has_subjects_and_only_unseen_ones_are_scored(tiny_run):
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str).set_index("subject")["role"]
    predictions = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str})
    assert set(splits) == {"train", "validation", "classifier", "test"}
    assert set(predictions["subject"]) == set(splits.index[splits.isin(["classifier", "test"])])
    assert predictions["fold"].notna().all()
    assert predictions["p_value"].between(0, 1).all()
    threshold = predictions["threshold"].iloc[0]
    assert ((predictions["score"] > threshold) == predictions["flagged"]).all()


def test_metrics_are_complete_and_consistent(tiny_run):
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    reported = dict(estimates(metrics))
    for name in (
        "reconstruction.l1", "reconstruction.ssim", "detection.auroc", "detection.average_precision",
        "detection.sensitivity", "detection.specificity", "localisation.average_precision", "localisation.dice",
        "localisation.dice_oracle_pooled", "localisation.dice_oracle_per_subject", "baseline.intensity.auroc",
        "baseline.healthy_mean.auroc", "baseline.intensity.dice_oracle_pooled", "transfer.auroc", "transfer.brier",
        "transfer.calibration_slope", "transfer.permutation_p", "reshape.scale_ratio", "reshape.anisotropy_mm",
        "reshape.size_spread_mm", "reshape.round_trip_l1", "reshape.reconstruction", "reshape.voxels",
    ):  # fmt: skip
        assert set(reported[name]) == {"value", "low", "high", "n", "n_positive", "method"}
        assert reported[name]["value"] is not None, name
    assert metrics["schema_version"] == 1
    assert metrics["scoring"]["n_calibration"] == metrics["subjects"]["validation"]
    compared = {(row["classifier"], row["features"]) for row in metrics["transfer"]["comparison"]}
    assert compared >= {(c, f) for c in ("logistic", "dummy") for f in ("encoder", "residual", "both")}
    assert {(None, "intensity score"), (None, "healthy_mean score")} < compared
    assert metrics["audit"]["verdict"] in ("clear", "at risk", "confounded", "cannot tell")
    assert {test["name"] for test in metrics["audit"]["tests"]} >= {"metadata_only", "overlap", "reshape_group"}
    # The network was trained for two epochs with batches of at most 4 brains of about 250 000 voxels.
    assert 1e5 < metrics["reshape"]["voxels"]["value"] < 1e6
    assert 1 < metrics["reshape"]["memory_mb"] < 1000
    assert 0 < metrics["reshape"]["seconds_per_epoch"] < 600
    assert metrics["reshape"]["reconstruction"] == metrics["reconstruction"]["l1"]
    assert metrics["reshape"]["reconstruction"]["value"] > metrics["reshape"]["round_trip_l1"]["value"]
    for name, estimate in reported.items():
        if estimate["value"] is not None and estimate["low"] is not None:
            assert estimate["low"] <= estimate["value"] <= estimate["high"], name
    assert not [name for name, e in reported.items() if name.endswith("auroc") and e["value"] == 1 and e["low"] == 1]


def test_maps_are_in_scan_space_and_highlight_the_lesion(tiny_run):
    index = pd.read_csv(tiny_run / "index.csv", dtype={"subject": str})
    flair = index[(index["modality"] == "flair")].set_index("subject")
    predictions = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).set_index("subject")
    inside = []
    for name in predictions.index:
        scan = nibabel.load(flair.loc[name, "path"])
        for suffix in ("t1", "flair", "all"):
            anomaly = nibabel.load(tiny_run / "anomaly_maps" / f"{name}_{suffix}.nii.gz")
            assert anomaly.shape == scan.shape
            assert np.allclose(anomaly.affine, scan.affine, atol=1e-4)
        values = np.asarray(anomaly.dataobj)
        assert not values[np.asarray(scan.dataobj) == 0].any()
        lesion = nibabel.load(flair.loc[name, "lesion_mask_path"])
        truth = np.asarray(nibabel.processing.resample_from_to(lesion, scan, order=0).dataobj) > 0
        if truth.sum() > 50:
            inside.append(values[truth].mean() - values[np.asarray(scan.dataobj) > 0].mean())
    # Two epochs are little training, but the maps are already higher inside tumours than in the rest of the brain.
    assert len(inside) > 5
    assert np.mean(inside) > 0.5


def test_a_run_stores_no_personal_data_and_no_pickle(tiny_run):
    text = "".join(
        path.read_text() for path in [*tiny_run.glob("*.csv"), *tiny_run.glob("*.json"), tiny_run / "report.html"]
    )
    for word in ("PatientName", "PatientBirthDate", "Phantom^"):
        assert word not in text
    state = torch.load(tiny_run / "model" / "network.ckpt", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    with np.load(tiny_run / "model" / "calibration.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)
    torch.load(tiny_run / "checkpoints" / "last.ckpt", weights_only=True)


def test_the_report_says_that_a_small_run_is_no_result_and_links_to_pages_of_subjects(tiny_run):
    page = (tiny_run / "report.html").read_text()
    cautions = json.loads((tiny_run / "metrics.json").read_text())["cautions"]
    (part,) = (caution for caution in cautions if caution.startswith("Only 36 of the 160 subjects"))
    assert page.index(part) < page.index("Verdict of the audit") and 'class="banner green"' not in page
    linked = set(re.findall(r'href="(patients/[^"]*)"', page))
    assert len(linked) == 5 and all((tiny_run / name).is_file() for name in linked)
    assert "healthy voxels lie above" in page and '"rates": [[' in page
    epochs = pd.read_csv(tiny_run / "training.csv")
    assert epochs["epoch"].tolist() == [1, 2] and epochs["loss"].gt(0).all() and "kept: epoch 2" in page


def test_tensorboard_holds_curves_and_a_panel(tiny_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tiny_run / "tensorboard"))
    events.Reload()
    of_training = {"train/loss", "train/loss_t1", "train/loss_flair", "optimiser/learning_rate", "speed/data_wait"}
    assert of_training | {"result/auroc"} <= set(events.Tags()["scalars"])
    assert {"train/brain_0", "result/roc"} <= set(events.Tags()["images"])
    losses = {name: events.Scalars(f"train/{name}")[-1].value for name in ("loss", "loss_t1", "loss_flair")}
    assert losses["loss"] == pytest.approx((losses["loss_t1"] + losses["loss_flair"]) / 2, rel=1e-4)
    assert sum(path.stat().st_size for path in (tiny_run / "tensorboard").rglob("*")) < 5e6


@pytest.mark.extras  # tests/errors/test_interrupt.py compares a stopped and resumed run with this one in every test run
def test_the_same_seed_gives_the_same_numbers(tiny_run, tiny_overrides, make_config, tmp_path):
    training.run(make_config(*tiny_overrides, "evaluation.maps=false"), tmp_path / "again")
    first, second = (pd.read_csv(run / "predictions.csv") for run in (tiny_run, tmp_path / "again"))
    assert np.array_equal(first["score"], second["score"])
    assert np.allclose(first["classifier_probability"], second["classifier_probability"])


@pytest.mark.parametrize("stage", ["import", "prepare"])
def test_a_run_that_stops_early_trains_nothing(make_config, tiny_overrides, tmp_path, stage):
    assert training.run(make_config(*tiny_overrides, f"stop_after={stage}"), tmp_path / "run") is None
    assert (tmp_path / "run" / "import_report.csv").exists()
    assert not (tmp_path / "run" / "model").exists()
    report = pd.read_csv(tmp_path / "run" / "import_report.csv")
    assert report["coverage_mm"].notna().any() == (stage == "prepare")


@pytest.mark.extras
@pytest.mark.parametrize(
    "overrides",
    [
        ["reshape=fixed", "reshape.dimensions=[40,48,32]", "modality=flair", "evaluation=holdout", "logger=csv"],
        [
            "modality=t1_t2_flair",
            "reshape=modal",
            "balancing=smote",
            "classifier=svm",
            "scoring=absolute",
            "features=residual",
        ],
        [
            "overfit_subjects=2",
            "reshape=isotropic",
            "preprocess.scaling=white_matter",
            "features=encoder",
            "model.corruption=0.3",
        ],
    ],
)
def test_runs_with_other_options_finish(make_config, tiny_overrides, tmp_path, overrides):
    quick = ["evaluation.maps=false", "evaluation.permutations=2", "trainer.max_epochs=1"]
    config = make_config(*tiny_overrides, *quick, *overrides)
    auroc = training.run(config, tmp_path / "run")
    assert 0 <= auroc <= 1
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


@pytest.mark.extras
def test_a_held_out_protocol_is_evaluated_alone_and_trains_nothing(make_config, tiny_overrides, tmp_path, monkeypatch):
    quick = ["evaluation.maps=false", "trainer.max_epochs=1", "split.validation_minimum=5", "evaluation.views=0"]
    name = "GE MEDICAL SYSTEMS Meridian 15 1.5 T axial #1"
    config = make_config(*tiny_overrides, *quick, "split=leave_protocol_out", f"split.protocol='{name}'")
    assert training.run(config, tmp_path / "run") is None
    table = pd.read_csv(tmp_path / "run" / "predictions.csv", dtype={"subject": str})
    tested = table["role"] == "test"
    assert set(table.loc[tested, "protocol"]) == {name} and name not in set(table.loc[~tested, "protocol"])
    assert table.loc[tested, "out_of_calibration"].all()
    assert table["classifier_probability"].notna().equals(tested)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    counts = {label: int((table.loc[tested, "label"] == label).sum()) for label in ("healthy", "abnormal")}
    assert counts == {"healthy": 5, "abnormal": 4}
    sections = [metrics["detection"], metrics["transfer"], metrics["baseline"]["intensity"]]
    for auroc in [section["auroc"] for section in sections] + [metrics["detection"]["difference"]["intensity"]]:
        assert (auroc["value"], auroc["n"], auroc["n_positive"]) == (None, 9, 4)
        assert "5 healthy and 4 abnormal subjects, and 5 of each are needed" in auroc["method"]
    assert [row["protocol"] for row in metrics["detection"]["by_protocol"]] == [name]
    assert metrics["detection"]["false_alarms"]["n"] == 5
    assert f"{name} is held out" in (tmp_path / "run" / "report.html").read_text()
    # The classifier for new patients was not fitted on the protocol either.
    index = pd.read_csv(tmp_path / "run" / "index.csv", dtype={"subject": str})
    held_out = index.loc[index["subject"].isin(table.loc[tested, "subject"]), "series_hash"]
    assert len(held_out) == 18 and not set(held_out) & set(load(tmp_path / "run").seen)

    monkeypatch.setattr(transfer_plan, "MIN_PER_CLASS_HELD_OUT", 4)
    again = evaluation.score_stored(
        EvaluateConfig(run=str(tmp_path / "run"), cache=config.cache, workers=1), tmp_path / "again"
    )
    rows = table[tested]
    truth = rows["label"] == "abnormal"
    assert again.detection.residual.auroc.value == pytest.approx(roc_auc_score(truth, rows["score"]))
    probability = rows["classifier_probability"]
    assert again.transfer.figures["auroc"].value == pytest.approx(roc_auc_score(truth, probability))


def test_a_data_set_without_healthy_brains_is_rejected_with_advice(make_config, tiny_overrides, tmp_path):
    config = make_config(*tiny_overrides, "stop_after=import")
    training.run(config, tmp_path / "import")
    cohort = next(Path(config.cache).glob("phantom/*/train")).parent
    read_as_published = make_config(*tiny_overrides, "dataset=rsna_miccai", f"dataset.root={cohort}", "limit=12")
    with pytest.raises(DatasetError, match="no healthy brain") as caught:
        training.run(read_as_published, tmp_path / "run")
    assert "glioblastoma" in str(caught.value)
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["status"] == "failed" and "no healthy brain" in status["error"]


@pytest.fixture
def mgmt_as_label(make_config, tiny_overrides, tiny_run):
    """A configuration that reads MGMT status as a diagnosis."""
    cohort = next(Path(make_config(*tiny_overrides).cache).glob("phantom/*/train")).parent
    chosen = ["dataset=rsna_miccai", f"dataset.root={cohort}", "dataset.healthy_value=0"]
    return lambda *more: make_config(*tiny_overrides, *chosen, *more)


def test_mgmt_status_as_healthy_label_is_a_caution(mgmt_as_label, tmp_path, caplog):
    training.run(mgmt_as_label("stop_after=import"), tmp_path / "run")
    assert "methylation" in caplog.text


@pytest.mark.extras
def test_mgmt_status_as_healthy_label_is_flagged_in_the_report(mgmt_as_label, tmp_path):
    quick = ("evaluation.maps=false", "trainer.max_epochs=1", "evaluation.permutations=2")
    training.run(mgmt_as_label(*quick), tmp_path / "run")
    assert "methylation" in (tmp_path / "run" / "report.html").read_text()


def test_a_split_file_with_a_leak_is_rejected(make_config, tiny_overrides, tiny_run, tmp_path):
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str)
    moved = splits["subject"][splits["role"] == "train"].iloc[0]
    leak = pd.concat([splits, pd.DataFrame({"subject": [moved], "role": ["test"]})])
    leak.to_csv(tmp_path / "leak.csv", index=False)
    with pytest.raises(LeakageError, match=moved):
        training.run(make_config(*tiny_overrides, f"split.file={tmp_path / 'leak.csv'}"), tmp_path / "run")


def test_a_missing_gpu_is_reported_before_any_work(make_config, tiny_overrides, tmp_path):
    devices = ["trainer.devices=99"] if torch.cuda.is_available() else []
    with pytest.raises(ConfigurationError, match="not enough GPUs"):
        training.run(make_config(*tiny_overrides, "trainer=gpu", *devices), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.extras
def test_two_processes_train_together(tiny_overrides, tiny_run, tmp_path):
    """DDP on two CPU processes: both train, one evaluates, and the run is complete."""
    settings = ["trainer=ddp", "trainer.accelerator=cpu", "evaluation.maps=false", "evaluation.permutations=2"]
    kept = [item for item in tiny_overrides if item != "trainer=cpu"]
    result = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *kept, *settings, f"hydra.run.dir={tmp_path / 'run'}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "finished"
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["detection"]["auroc"]["value"] is not None
    # The log has one line per epoch, from one process only, and one after each tenth of the subjects.
    text = (tmp_path / "run" / "train.log").read_text()
    assert text.count("epoch 1 of 2: training loss ") == text.count("epoch 2 of 2: training loss ") == 1
    assert text.count("calibrate: 9 of 9") == 1


@pytest.mark.extras
def test_a_sweep_is_summarised_even_if_a_job_fails(tiny_overrides, tiny_run, tmp_path):
    arguments = [*tiny_overrides, "split.file=null,/no/such/file", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    arguments += ["trainer.max_epochs=1", "evaluation.maps=false", "evaluation.permutations=2", "evaluation.views=0"]
    result = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "-m", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    table = pd.read_csv(tmp_path / "sweep" / "summary.csv")
    assert table["status"].tolist() == ["finished", "failed"]
    assert table["split.file"].fillna("null").tolist() == ["null", "/no/such/file"]
    assert "cannot be read" in table["error"][1]
    assert table["detection.auroc"].notna().tolist() == [True, False]


def test_the_folder_of_another_run_is_rejected(tiny_run, make_config, tiny_overrides):
    with pytest.raises(RunError, match="another run"):
        training.run(make_config(*tiny_overrides), RunFolder(tiny_run).path)


def test_what_cannot_be_computed_after_losses_in_preparation_is_said_before_training(
    tiny_overrides, make_config, tmp_path, monkeypatch, caplog
):
    def lose(config, cohort, **_):
        return config, cohort.without(dict.fromkeys(cohort.labels.index[cohort.labels == "abnormal"], "not aligned"))

    def train(*_):
        assert "AUROC cannot be computed" in caplog.text
        raise BrainCaeError("trained")

    monkeypatch.setattr(training, "prepare_configured", lose)
    monkeypatch.setattr("brain_cae.workflows.learning.learn_and_evaluate", train)
    with pytest.raises(BrainCaeError, match="trained"):
        training.run(make_config(*tiny_overrides), tmp_path / "run")
