"""Scoring with a stored model: the unseen subjects of the run, and new patients."""

import json
import shutil

import nibabel
import nibabel.processing
import numpy as np
import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir

from brain_cae.configuration import conf_folder, validate_evaluate
from brain_cae.detector.findings import examine
from brain_cae.detector.storage import load
from brain_cae.errors import ConfigurationError, LeakageError, RunError
from brain_cae.workflows import evaluation


def evaluate_config(*overrides):
    """Compose and validate `evaluate.yaml` with overrides, for one process: others take seconds to start."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return validate_evaluate(compose("evaluate", overrides=["workers=1", *overrides]))


@pytest.fixture(scope="module")
def cache(tiny_overrides):
    return next(item for item in tiny_overrides if item.startswith("cache="))


@pytest.mark.extras
def test_the_same_subjects_get_the_same_scores(tiny_run, cache, tmp_path):
    evaluation.run(evaluate_config(f"run={tiny_run}", cache), tmp_path / "again")
    first, second = (pd.read_csv(run / "predictions.csv") for run in (tiny_run, tmp_path / "again"))
    for column in ("subject", "score", "p_value", "flagged", "protocol", "reshape_group"):
        assert first[column].tolist() == second[column].tolist(), column
    metrics = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert metrics["environment"]["model_run"] == str(tiny_run)
    assert first["classifier_probability"].tolist() == second["classifier_probability"].tolist()
    assert metrics["detection"]["auroc"] == json.loads((tiny_run / "metrics.json").read_text())["detection"]["auroc"]
    assert str(tiny_run.name) in (tmp_path / "again" / "report.html").read_text()


@pytest.mark.extras
def test_another_classifier_on_a_stored_run_reuses_the_findings(tiny_run, cache, tmp_path, monkeypatch):
    examined, shown = [], []
    monkeypatch.setattr("brain_cae.stages.prediction.examine", lambda detector, subject: examined.append(subject))
    monkeypatch.setattr(
        "brain_cae.stages.report.examine",
        lambda detector, subject: (shown.append(subject.subject), examine(detector, subject))[1],
    )
    chosen = ("classifier=random_forest", "classifier.estimator.n_estimators=10", "classifier.tuning.trials=2")
    chosen += ("balancing=smote", "transfer.compare=[knn]")
    evaluation.run(evaluate_config(f"run={tiny_run}", cache, *chosen), tmp_path / "other")
    assert not examined and not (tmp_path / "other" / "anomaly_maps").exists()
    assert shown and len(set(shown)) == len(shown)
    before, after = (json.loads((run / "metrics.json").read_text()) for run in (tiny_run, tmp_path / "other"))
    assert after["detection"] == before["detection"] and after["localisation"] == before["localisation"]
    assert after["transfer"]["classifier"] == "random_forest" and after["transfer"]["tuning"]
    assert {row["classifier"] for row in after["transfer"]["comparison"]} == {"random_forest", "knn", None}
    assert not (tmp_path / "other" / "model").exists()


@pytest.mark.parametrize("other", ["dataset=phantom", "calibrate=/scans", "audit_only=true"])
@pytest.mark.parametrize("key", ["classifier=svm", "balancing=smote", "transfer.compare=[svm]"])
def test_new_subjects_are_classified_by_the_stored_classifier(other, key):
    with pytest.raises(ConfigurationError, match="can only be chosen for the subjects of the run"):
        evaluate_config(other, key)


@pytest.fixture
def patients(tiny_run, tmp_path):
    """A folder of three unlabelled subjects, one of them on a grid that the run has not seen."""
    index = pd.read_csv(tiny_run / "index.csv", dtype={"subject": str})
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str)
    names = splits.loc[splits["role"] == "test", "subject"].iloc[:3]
    for number, name in enumerate(names):
        target = tmp_path / "patients" / f"patient{number}"
        target.mkdir(parents=True)
        for row in index[index["subject"] == name].itertuples():
            image = nibabel.load(row.path)
            if number == 2:
                image = nibabel.processing.resample_to_output(image, 6.0)
            nibabel.save(image, target / f"{row.modality}.nii.gz")
    return tmp_path / "patients"


def test_unlabelled_patients_get_scores_and_maps_but_no_metrics(tiny_run, cache, patients, tmp_path):
    config = evaluate_config(f"run={tiny_run}", cache, "dataset=folder", f"dataset.root={patients}")
    evaluation.run(config, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert table["subject"].tolist() == ["patient0", "patient1", "patient2"]
    assert table["p_value"].between(0, 1).all()
    assert table["label"].eq("unknown").all()
    # The classifier of the run was trained on the first two; only the resampled one is new to it.
    assert table["classifier_probability"].notna().tolist() == [False, False, True]
    # Nothing in the files says which scanner they come from, and the resampled one has other dimensions.
    reasons = table["out_of_calibration_reason"].tolist()
    assert reasons[:2] == ["scanner not named"] * 2 and "dimensions" in reasons[2] and table["out_of_calibration"].all()
    worklist = pd.read_csv(tmp_path / "out" / "worklist.csv")
    assert worklist["subject"].tolist() == table.sort_values("score", ascending=False)["subject"].tolist()
    assert worklist["false_discoveries_at_most"].tolist() == [1, 2, 3]
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Nothing is promised about false alarms for 3 of 3 subjects" in report and "calibrate=" in report
    assert "The bound on false discoveries is trivial" in report
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["detection"]["auroc"]["value"] is None
    assert metrics["transfer"]["auroc"]["value"] is None
    assert metrics["localisation"] is None
    assert metrics["audit"]["verdict"] == "cannot tell"
    for name in table["subject"]:
        anomaly = nibabel.load(tmp_path / "out" / "anomaly_maps" / f"{name}_all.nii.gz")
        scan = nibabel.load(patients / name / "flair.nii.gz")
        assert anomaly.shape == scan.shape and np.allclose(anomaly.affine, scan.affine, atol=1e-3)


def test_new_subjects_that_could_not_be_prepared_are_not_counted(tiny_run, cache, patients, tmp_path):
    scan = nibabel.load(patients / "patient1" / "flair.nii.gz")
    (patients / "brain_masks").mkdir()
    empty = nibabel.Nifti1Image(np.zeros(scan.shape, np.uint8), scan.affine)
    nibabel.save(empty, patients / "brain_masks" / "patient1.nii.gz")
    config = evaluate_config(f"run={tiny_run}", cache, "dataset=folder", f"dataset.root={patients}")
    evaluation.run(config, tmp_path / "out")
    splits, scored = (pd.read_csv(tmp_path / "out" / name)["subject"] for name in ("splits.csv", "predictions.csv"))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert scored.tolist() == splits.tolist() == ["patient0", "patient2"] and metrics["subjects"]["test"] == 2


def test_transfer_figures_exclude_subjects_that_the_classifier_was_trained_on(tiny_run, cache, patients, tmp_path):
    rows = "subject,label\npatient0,healthy\npatient1,abnormal\npatient2,abnormal\n"
    (patients / "labels.csv").write_text(rows)
    config = evaluate_config(f"run={tiny_run}", cache, "dataset=folder", f"dataset.root={patients}")
    evaluation.run(config, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["detection"]["auroc"]["n"] == 3
    assert metrics["transfer"]["auroc"]["n"] == 1
    assert metrics["transfer"]["auroc"]["value"] is None
    assert "was trained on 2 of these subjects" in (tmp_path / "out" / "report.html").read_text()


def test_brains_that_the_model_was_trained_or_calibrated_with_are_rejected_as_new(tiny_run, cache, tmp_path):
    index = pd.read_csv(tiny_run / "index.csv", dtype={"subject": str})
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str)
    name = splits.loc[splits["role"] == "validation", "subject"].iloc[0]
    (tmp_path / "scans" / "renamed").mkdir(parents=True)
    for row in index[index["subject"] == name].itertuples():
        shutil.copy(row.path, tmp_path / "scans" / "renamed" / f"{row.modality}.nii")
    config = evaluate_config(f"run={tiny_run}", cache, "dataset=folder", f"dataset.root={tmp_path / 'scans'}")
    with pytest.raises(LeakageError, match="renamed"):
        evaluation.run(config, tmp_path / "out")


def test_a_scan_that_trained_the_model_is_rejected_under_the_name_of_an_unseen_subject(tiny_run, cache, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run / "model", run / "model")
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str)
    learnt = splits["subject"][splits["role"] == "train"].iloc[0]
    splits.loc[splits["subject"] == learnt, "role"] = "test"
    splits.to_csv(run / "splits.csv", index=False)
    with pytest.raises(LeakageError, match=f"1 that it has seen, such as {learnt}"):
        evaluation.run(evaluate_config(f"run={run}", cache), tmp_path / "out")


def test_a_new_patient_is_scored_as_in_the_run(tiny_run, cache, patients, tmp_path):
    config = evaluate_config(f"run={tiny_run}", cache, "dataset=folder", f"dataset.root={patients}")
    evaluation.run(config, tmp_path / "out")
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str)
    name = splits.loc[splits["role"] == "test", "subject"].iloc[0]
    before = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).set_index("subject").loc[name, "score"]
    after = pd.read_csv(tmp_path / "out" / "predictions.csv").set_index("subject").loc["patient0", "score"]
    assert after == pytest.approx(before, rel=1e-4)


def test_a_missing_or_truncated_model_is_rejected(tiny_run, tmp_path):
    with pytest.raises(RunError, match="no model"):
        load(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run / "model", copy / "model")
    whole = (copy / "model" / "network.ckpt").read_bytes()
    (copy / "model" / "network.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="cannot be read"):
        load(copy)
    (copy / "model" / "network.ckpt").write_bytes(whole)
    load(copy)


@pytest.mark.parametrize(
    ("group", "key", "target"),
    [
        ("model", "network", {"_target_": "os.system", "command": "touch owned"}),
        ("model", "network", {"_target_": "torch.load", "f": "owned"}),
        (
            "model",
            "network",
            {"_target_": "brain_cae.detector.detector.instantiate", "config": {"_target_": "os.getcwd"}},
        ),
        ("reshape", "_target_", "os.system"),
        ("classifier", "estimator", {"_target_": "sklearn.svm.SVC", "C": [{"_target_": "os.getcwd"}]}),
        ("classifier", "estimator", {"_target_": "sklearn.pipeline.Pipeline", "steps": {"_target_": "os.getcwd"}}),
    ],
)
def test_a_tampered_model_cannot_run_arbitrary_code(tiny_run, tmp_path, group, key, target):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run / "model", copy / "model")
    content = yaml.safe_load((copy / "model" / "config.yaml").read_text())
    content[group][key] = target
    (copy / "model" / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(RunError) as caught:
        load(copy)
    assert any(text in str(caught.value) for text in ("must not use", "no class", "not a class"))
    assert not (tmp_path / "owned").exists()


@pytest.mark.extras
def test_a_model_does_not_choose_where_is_written_and_who_works(tiny_run, cache, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy, ignore=shutil.ignore_patterns("anomaly_maps", "tensorboard"))
    content = yaml.safe_load((copy / "model" / "config.yaml").read_text())
    content["cache"] = str(tmp_path / "elsewhere")
    keys = {"chunk": 1, "jobs": 1, "timeout_min": 5, "mem_gb": 1, "cpus_per_task": 1, "partition": None}
    content["executor"] = {"name": "submitit_slurm", **keys, "account": None, "qos": None, "setup": ["touch owned"]}
    content["executor"]["additional_parameters"] = {}
    (copy / "model" / "config.yaml").write_text(yaml.safe_dump(content))
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    evaluation.run(evaluate_config(f"run={copy}", cache), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "out"}
    assert before == {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}


def test_shuffled_labels_give_chance(tiny_run):
    """Through the whole transfer pipeline: features, balancing, scaler, classifier, folds."""
    from imblearn.over_sampling import SMOTE
    from sklearn.linear_model import LogisticRegression

    from brain_cae import estimates
    from brain_cae.transfer.crossfit import crossfit
    from brain_cae.transfer.pipeline import build_pipeline

    features = pd.read_csv(tiny_run / "features.csv", dtype={"subject": str}).set_index("subject")
    labels = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).set_index("subject")["label"]
    generator = np.random.default_rng(0)
    pipeline = build_pipeline(LogisticRegression(C=0.1), SMOTE(k_neighbors=2))
    aurocs = []
    for _ in range(30):
        shuffled = generator.permutation(labels)
        result = crossfit(pipeline, features.loc[labels.index], shuffled, folds=3, seed=0)
        aurocs.append(estimates.auroc(shuffled, result.probabilities, resamples=10).value)
    # Under the null, cross-fitting is biased slightly below 0.5, never above.
    assert 0.3 < np.mean(aurocs) < 0.56
