"""Recalibration: healthy reference and thresholds are refitted on healthy brains of another scanner."""

import json
import shutil
from dataclasses import replace

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml

from brain_cae.detector.storage import load
from brain_cae.errors import DatasetError, LeakageError
from brain_cae.workflows import evaluation

from .test_evaluation import evaluate_config

CONTRAST = 1.7
"""Intensity exponent of the other scanner: dark tissue gets darker, bright tissue brighter."""


@pytest.fixture(scope="module")
def cache(tiny_overrides):
    return next(item for item in tiny_overrides if item.startswith("cache="))


@pytest.fixture(scope="module")
def trained(tiny_run, tmp_path_factory):
    """The files of the run that these tests need, configured without maps and views."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(tiny_run / "model", folder / "model")
    for name in ("index.csv", "splits.csv", "predictions.csv"):
        shutil.copy(tiny_run / name, folder)
    config = yaml.safe_load((folder / "model" / "config.yaml").read_text())
    config["evaluation"] |= {"maps": False, "views": 0, "permutations": 1, "resamples": 10}
    (folder / "model" / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def scanned(trained):
    """Write brains of the run, chosen by role and label, as another scanner would image them."""
    index = pd.read_csv(trained / "index.csv", dtype={"subject": str})
    roles = pd.read_csv(trained / "splits.csv", dtype=str).set_index("subject")["role"]

    def scan(folder, roles_wanted, label, part=slice(None), contrast=CONTRAST, mirrored=(False, True)):
        rows = index[index["subject"].map(roles).isin(roles_wanted) & (index["label"] == label)]
        for name in sorted(set(rows["subject"]))[part]:
            for mirror in mirrored:
                target = folder / f"{name}{'m' * mirror}"
                target.mkdir(parents=True)
                for row in rows[rows["subject"] == name].itertuples():
                    # Upright first: reversing the first axis then mirrors left and right in every plane.
                    image = nibabel.as_closest_canonical(nibabel.load(row.path))
                    values = np.asarray(image.dataobj, np.float32)
                    values = values[::-1] if mirror else values
                    median = np.median(values[values > 0])
                    changed = (median * (values.clip(min=0) / median) ** contrast).astype(np.float32)
                    nibabel.save(nibabel.Nifti1Image(changed, image.affine), target / f"{row.modality}.nii.gz")
        return folder

    return scan


@pytest.fixture(scope="module")
def local(scanned, tmp_path_factory):
    """Two folders from the other scanner: healthy brains for calibration, and labelled subjects to score."""
    folder = tmp_path_factory.mktemp("local")
    unseen = ("classifier", "test")
    healthy = scanned(folder / "healthy", unseen, "healthy", slice(0, None, 2))
    patients = scanned(folder / "patients", unseen, "healthy", slice(1, None, 2))
    names = sorted(path.name for path in patients.iterdir())
    scanned(patients, unseen, "abnormal", slice(0, 2), mirrored=(False,))
    labels = [f"{path.name},{'healthy' if path.name in names else 'abnormal'}" for path in sorted(patients.iterdir())]
    (patients / "labels.csv").write_text("\n".join(["subject,label", *labels]) + "\n")
    return healthy, patients


def false_alarms(folder):
    table = pd.read_csv(folder / "predictions.csv")
    return table[table["label"] == "healthy"]["flagged"].mean()


@pytest.mark.extras
def test_a_new_scanner_is_calibrated_with_local_healthy_brains(trained, cache, local, tmp_path):
    healthy, patients = local
    new = [cache, "dataset=folder", f"dataset.root={patients}"]
    evaluation.run(evaluate_config(f"run={trained}", *new), tmp_path / "before")
    evaluation.run(evaluate_config(f"run={trained}", *new, f"calibrate={healthy}"), tmp_path / "after")
    before, after = (pd.read_csv(tmp_path / name / "predictions.csv") for name in ("before", "after"))
    # The calibration of the run flags nearly every healthy brain of the new scanner; scoring.alpha is 20 %.
    assert false_alarms(tmp_path / "before") > 0.7
    assert false_alarms(tmp_path / "after") <= 0.5  # of few brains
    assert before["out_of_calibration"].all()
    assert not after["out_of_calibration"].any() and after["out_of_calibration_reason"].isna().all()
    worklist = pd.read_csv(tmp_path / "after" / "worklist.csv")
    assert worklist["score"].is_monotonic_decreasing and set(worklist["subject"]) == set(after["subject"])
    assert worklist["lesions"].notna().tolist() == worklist["flagged"].tolist()
    assert after["classifier_probability"].isna().all()
    metrics = json.loads((tmp_path / "after" / "metrics.json").read_text())
    brains = len(list(healthy.iterdir()))
    assert metrics["scoring"]["n_calibration"] == brains
    report = (tmp_path / "after" / "report.html").read_text()
    assert f"come from {brains} local healthy brains" in report
    assert f"Only {brains} healthy brains calibrate the threshold" in report
    assert "The transfer classifier is left out" in report
    assert len(pd.read_csv(tmp_path / "after" / "calibration" / "index.csv")) == 2 * brains

    # The recalibrated model scores without another calibration, and remembers the brains that calibrated it.
    evaluation.run(evaluate_config(f"run={tmp_path / 'after'}", *new), tmp_path / "later")
    later = pd.read_csv(tmp_path / "later" / "predictions.csv")
    pd.testing.assert_frame_equal(later, after)
    again = [cache, "dataset=folder", f"dataset.root={healthy}"]
    with pytest.raises(LeakageError, match="calibrated with them"):
        evaluation.run(evaluate_config(f"run={tmp_path / 'after'}", *again), tmp_path / "leak")
    with pytest.raises(DatasetError, match="no unseen subjects"):
        evaluation.run(evaluate_config(f"run={tmp_path / 'after'}", cache), tmp_path / "none")


def test_too_few_healthy_brains_flag_nothing_and_the_report_names_the_number_needed(trained, cache, local, tmp_path):
    healthy, patients = (sorted(path for path in folder.iterdir() if path.is_dir()) for folder in local)
    few, two = tmp_path / "few", tmp_path / "two"
    for path in healthy[:3]:
        shutil.copytree(path, few / path.name)
    shutil.copytree(patients[2], few / "sick")
    for path in patients[:2]:
        shutil.copytree(path, two / path.name)
    rows = [f"{path.name},{'abnormal' if path.name == 'sick' else 'healthy'}" for path in few.iterdir()]
    (few / "labels.csv").write_text("\n".join(["subject,label", *rows]) + "\n")
    new = [f"run={trained}", cache, "dataset=folder", f"dataset.root={two}"]
    config = evaluate_config(*new, f"calibrate={few}")
    evaluation.run(config, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert table["flagged"].isna().all() and table["threshold"].isna().all()
    assert table["p_value"].between(0.25, 1).all()
    report = (tmp_path / "out" / "report.html").read_text()
    assert "scoring.alpha=0.2 needs at least 4 healthy calibration brains, and there are 3" in report
    assert "1 subject is not labelled healthy and is left out: sick." in report


def test_calibration_brains_must_be_new_to_the_network_and_not_scored(trained, cache, local, tmp_path):
    healthy, patients = local
    new = [f"run={trained}", cache, "dataset=folder", f"dataset.root={patients}"]
    with pytest.raises(LeakageError, match=r"calibrate/.*validation.*test") as caught:
        evaluation.run(evaluate_config(*new, f"calibrate={patients}"), tmp_path / "out1")
    assert "same scan" in str(caught.value)
    index = pd.read_csv(trained / "index.csv", dtype={"subject": str})
    roles = pd.read_csv(trained / "splits.csv", dtype=str).set_index("subject")["role"]
    training = tmp_path / "training" / "renamed"
    training.mkdir(parents=True)
    for row in index[index["subject"] == roles.index[roles == "train"][0]].itertuples():
        shutil.copy(row.path, training / f"{row.modality}.nii")
    with pytest.raises(LeakageError, match="network was trained on") as caught:
        evaluation.run(evaluate_config(*new, f"calibrate={training.parent}"), tmp_path / "out2")
    assert "renamed" in str(caught.value)
    one = tmp_path / "one"
    shutil.copytree(next(path for path in healthy.iterdir()), one / "alone")
    with pytest.raises(DatasetError, match="too few healthy brains"):
        evaluation.run(evaluate_config(*new, f"calibrate={one}"), tmp_path / "out3")


@pytest.mark.extras
def test_subjects_with_another_skull_state_are_out_of_calibration(trained, cache, tmp_path, monkeypatch):
    assert load(trained).skull == ["stripped"]
    run = shutil.copytree(trained, tmp_path / "run")
    config = yaml.safe_load((run / "model" / "config.yaml").read_text())
    config["preprocess"] |= {"skull_strip": "none", "space": "mni"}
    (run / "model" / "config.yaml").write_text(yaml.safe_dump(config))
    import_cohort = evaluation.import_cohort

    def with_skulls(*arguments, **settings):
        cohort = import_cohort(*arguments, **settings)
        return replace(cohort, index=cohort.index.assign(skull="on", stripped_by=""))

    monkeypatch.setattr(evaluation, "import_cohort", with_skulls)
    evaluation.run(evaluate_config(f"run={run}", cache), tmp_path / "out")
    after = pd.read_csv(tmp_path / "out" / "predictions.csv", dtype={"subject": str})
    assert after["out_of_calibration"].all()
    report = (tmp_path / "out" / "report.html").read_text()
    assert f"In {len(after)} of these subjects the skull is on" in report and "the whole head counts as brain" in report
