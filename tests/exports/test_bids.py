import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_cae.exports import bids
from brain_cae.exports.bids import Brain, labels, write_clusters, write_description, write_map
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.lesions import COLUMNS

from .conftest import HOSTILE, renamed, work_of

VALIDATOR = shutil.which("bids-validator-deno", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
AFFINE = np.array([[0, 2.0, 0, -9], [-1.5, 0, 0, 20], [0, 0, 3.0, 5], [0, 0, 0, 1]])


def test_labels_are_letters_and_digits():
    assert labels(["p-3f9a1c", "sub-01", "Müller"]) == {"p-3f9a1c": "p3f9a1c", "sub-01": "01", "Müller": "Mller"}


@settings(max_examples=30)
@given(st.lists(st.text(max_size=80), unique=True, max_size=8))
def test_every_name_has_a_label_of_its_own_also_where_case_does_not_count(names):
    found = labels([*names, "a", "A", "a-", "sub-a", "", "..", "x" * 300, "x" * 299])
    assert len({label.lower() for label in found.values()}) == len(found)
    assert all(label.isascii() and label.isalnum() and len(label) < 100 for label in found.values())


def write_data_set(root: Path) -> None:
    """Two brains of one session, one flagged; names that no label may have; T1 after contrast agent."""
    folder = RunFolder(root)
    names = labels(["../../outside", "=1+1"])
    zeros = np.zeros((5, 6, 7), np.float32)
    numbers = zeros.copy()
    numbers[1:3, 2:4, 3] = 1
    numbers[4, 5, 6] = 2
    found = {"subject": "x", "volume_ml": 1.5, "mass": 2.0, "peak_z": 4.5, "x_mm": 1, "y_mm": 2, "z_mm": 3}
    clusters = pd.DataFrame(
        [found | {"lesion": n, "hemisphere": "left", "tissue": ""} for n in (1, 2)], columns=COLUMNS
    )
    for name, reference in (("../../outside", "t1ce"), ("=1+1", "flair")):
        brain = Brain(names[name], "20190304", reference, stripped=True)
        write_map(brain, nibabel.Nifti1Image(zeros + 1.25, AFFINE), folder.write)
    write_clusters(brain, nibabel.Nifti1Image(numbers, AFFINE), clusters, folder.write)
    participants = pd.DataFrame(
        {
            "subject": list(names),
            "score": [2.5, np.nan],
            "p_value": [0.1, 0.2],
            "rate_bound": [0.3, 0.4],
            "threshold": [None, None],
            "flagged": [None, True],
            "out_of_calibration": [False, True],
        }
    )
    write_description(["folder", "ixi"], participants, names, folder.write)


def test_files_hold_what_was_found(tmp_path):
    write_data_set(tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    stem = "sub-11/ses-20190304/anat/sub-11_ses-20190304"
    assert files == {
        "README",
        "dataset_description.json",
        "participants.json",
        "participants.tsv",
        *(f"{stem}_desc-anomaly_FLAIR.{end}" for end in ("nii.gz", "json")),
        *(f"{stem}_desc-anomaly_mask.{end}" for end in ("nii.gz", "json")),
        *(f"{stem}_desc-anomaly_dseg.{end}" for end in ("nii.gz", "json", "tsv")),
        *(f"{stem.replace('11', 'outside')}_ce-gadolinium_desc-anomaly_T1w.{end}" for end in ("nii.gz", "json")),
    }
    image, mask, dseg = (
        nibabel.load(tmp_path / f"{stem}_desc-anomaly_{kind}.nii.gz") for kind in ("FLAIR", "mask", "dseg")
    )
    assert np.allclose(image.affine, AFFINE) and np.all(image.get_fdata() == 1.25)
    assert np.allclose(dseg.affine, AFFINE) and np.bincount(np.ravel(dseg.dataobj)).tolist() == [205, 4, 1]
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(dseg.dataobj) > 0)
    assert (tmp_path / f"{stem}_desc-anomaly_dseg.tsv").read_text().splitlines()[:2] == [
        "index\tname\tvolume_ml\tmass\tpeak_z\tp_value\tx_mm\ty_mm\tz_mm\tmni_x_mm\tmni_y_mm\tmni_z_mm\themisphere\ttissue",
        "1\tcluster 1\t1.5\t2.0\t4.5\tn/a\t1\t2\t3\tn/a\tn/a\tn/a\tleft\tn/a",
    ]
    assert (tmp_path / "participants.tsv").read_text().splitlines() == [
        "participant_id\toriginal_id\tscore\tp_value\trate_bound\tthreshold\tflagged\tout_of_calibration",
        "sub-11\t'=1+1\tn/a\t0.2\t0.4\tn/a\ttrue\ttrue",
        "sub-outside\t../../outside\t2.5\t0.1\t0.3\tn/a\tn/a\tfalse",
    ]
    described = json.loads((tmp_path / "participants.json").read_text())
    assert set(described) == {"original_id", *bids.COLUMNS} and described["flagged"]["Levels"]
    description = json.loads((tmp_path / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Version"]


@pytest.mark.skipif(VALIDATOR is None, reason="no command bids-validator-deno (pip install bids-validator-deno)")
def test_the_validator_finds_no_error(tmp_path):
    write_data_set(tmp_path / "bids")
    done = subprocess.run([VALIDATOR, tmp_path / "bids", "--format=json"], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == [] and done.returncode == 0
    (tmp_path / "bids" / "sub-11" / "anat.nii.gz").touch()
    done = subprocess.run([VALIDATOR, tmp_path / "bids"], capture_output=True, text=True, check=False)
    assert done.returncode != 0, "it would have found one"


def test_maps_of_a_run_are_those_of_its_folder_and_a_lost_image_costs_its_brain(
    scored, tiny_run, tmp_path, monkeypatch, caplog
):
    names = dict(zip(scored.table.index, HOSTILE, strict=True))
    write = RunFolder.write

    def failing(self, name, writer):
        if "sub-P1" in name and name.endswith("FLAIR.nii.gz"):
            raise ValueError("text of a header")
        write(self, name, writer)

    monkeypatch.setattr(RunFolder, "write", failing)
    (folder,) = bids.export(work_of(renamed(scored, names), tiny_run, tmp_path / "out"))
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("*") if path.is_file())
    assert len(pd.read_csv(folder / "participants.tsv", sep="\t")) == 3
    assert "1 subject lacks images in export/bids: P 1 (ValueError)" in caplog.text and "header" not in caplog.text
    for name, label in zip(scored.table.index, ("outside", "11x"), strict=False):
        image = nibabel.load(folder / f"sub-{label}" / "anat" / f"sub-{label}_desc-anomaly_FLAIR.nii.gz")
        other = nibabel.load(tiny_run / "anomaly_maps" / f"{name}_all.nii.gz")
        assert np.allclose(image.affine, other.affine)
        assert np.allclose(image.get_fdata(), other.get_fdata(), atol=0.011)
        assert (folder / f"sub-{label}" / "anat" / f"sub-{label}_desc-anomaly_dseg.tsv").is_file() == scored.table.at[
            name, "flagged"
        ]
