"""The whole program on real scans: training on eight heads, scoring a stroke and a glioma."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from scipy.ndimage import binary_fill_holes

from brain_cae.configuration import conf_folder, validate_evaluate
from brain_cae.workflows import evaluation, training

from .conftest import TINY_NETWORK

pytestmark = pytest.mark.extras

SMALL = (
    "workers=1",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "trainer.precision=32-true",
    "trainer.progress=false",
    *TINY_NETWORK,
    "evaluation.resamples=100",
    "evaluation.views=1",
)


def link(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


@pytest.fixture(scope="module")
def heads(real_data, tmp_path_factory) -> Path:
    """T1 and FLAIR of eight people, on different grids, with skull, in the layout of ``dataset=folder``."""
    root = tmp_path_factory.mktemp("heads")
    for path in sorted((real_data / "nifti" / "nichart-demo" / "t1").glob("*.nii.gz")):
        subject = path.name.removesuffix("_T1.nii.gz")
        link(root / subject / "t1.nii.gz", path)
        link(root / subject / "flair.nii.gz", path.parents[1] / "fl" / f"{subject}_FL.nii.gz")
    names = sorted(path.name for path in root.iterdir())
    (root / "labels.csv").write_text("subject,label\n" + "".join(f"{name},healthy\n" for name in names))
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return f"cache={tmp_path_factory.mktemp('cache')}"


@pytest.fixture(scope="module")
def run(make_config, heads, cache, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("real") / "run"
    training.run(make_config("dataset=folder", f"dataset.root={heads}", cache, *SMALL), output)
    return output


@pytest.fixture(scope="module")
def scored(real_data, run, cache, tmp_path_factory) -> Path:
    """A stroke with T1, T2 and FLAIR, and a glioma without T1, scored without labels."""
    root = tmp_path_factory.mktemp("patients")
    for name in ("T1", "T2", "FLAIR"):
        link(root / "stroke" / f"{name.lower()}.nii.gz", real_data / "nifti" / "stroke-triplet" / f"{name}.nii.gz")
    glioma = real_data / "nifti" / "brats2013-pat0005"
    link(root / "glioma" / "flair.nii.gz", glioma / "Flair_subtrMeanDivStd.nii.gz")
    link(root / "glioma" / "t1ce.nii.gz", glioma / "T1c_subtrMeanDivStd.nii.gz")
    output = tmp_path_factory.mktemp("scored") / "run"
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose(
            "evaluate", overrides=["workers=1", f"run={run}", "dataset=folder", f"dataset.root={root}", cache]
        )
    evaluation.run(validate_evaluate(composed), output)
    return output


def test_eight_heads_are_imported_and_trained_on(run):
    report = pd.read_csv(run / "import_report.csv")
    assert report["status"].tolist() == ["imported"] * 16
    roles = pd.read_csv(run / "splits.csv")["role"].value_counts()
    assert roles["train"] >= 2 and roles["validation"] >= 2 and roles["test"] >= 1
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["detection"]["auroc"]["value"] is None
    index = pd.read_csv(run / "index.csv", keep_default_na=False)
    assert set(index["skull"]) == {"stripped"} and set(index["stripped_by"]) == {"deepbet"}
    assert (index["brain_mask_path"] != "").tolist() == (index["modality"] == "t1").tolist()
    assert metrics["scoring"]["threshold"] is None  # with four brains, no p-value can reach 0.10
    assert "No brain is flagged" in (run / "report.html").read_text()


def test_the_stroke_is_scored_as_an_unlabelled_patient(scored, real_data):
    table = pd.read_csv(scored / "predictions.csv").set_index("subject")
    assert list(table.index) == ["stroke"]
    row = table.loc["stroke"]
    assert row["label"] == "unknown" and np.isfinite(row["score"]) and 0 < row["p_value"] <= 1
    assert row["out_of_calibration"]
    index = pd.read_csv(scored / "index.csv", keep_default_na=False)
    assert set(index["skull"]) == {"stripped"} and set(index["stripped_by"]) == {"delivered"}  # as its voxels show
    scan = nibabel.load(real_data / "nifti" / "stroke-triplet" / "FLAIR.nii.gz")
    for name in ("t1", "flair", "all"):
        anomaly = nibabel.load(scored / "anomaly_maps" / f"stroke_{name}.nii.gz")
        assert anomaly.shape == scan.shape and np.allclose(anomaly.affine, scan.affine, atol=1e-4)
        values = np.asarray(anomaly.dataobj)
        brain = binary_fill_holes(np.asarray(scan.dataobj) > 0)
        assert np.ptp(values[brain]) > 0 and not values[~brain].any()


def test_an_excluded_subject_is_reported_with_the_reason(scored):
    report = pd.read_csv(scored / "import_report.csv", keep_default_na=False)
    assert report.loc[report["subject"] == "glioma", ["modality", "status"]].to_numpy().tolist() == [
        ["flair", "imported"],
        ["t1", "missing"],
    ]
    assert "glioma without t1" in (scored / "report.html").read_text()
