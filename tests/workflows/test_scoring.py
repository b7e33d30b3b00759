"""What scoring leaves in a run's folder."""

from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.detector.storage import load
from brain_cae.errors import DatasetError
from brain_cae.executor import HERE
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cohort import Cohort
from brain_cae.workflows.scoring import score_new, score_unseen


def test_each_scored_subject_has_features_and_a_map_in_its_native_space(tiny_run: Path) -> None:
    predictions = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).set_index("subject")
    features = pd.read_csv(tiny_run / "features.csv", dtype={"subject": str}).set_index("subject")
    assert set(features.index) == set(predictions.index)
    index = pd.read_csv(tiny_run / "index.csv", dtype={"subject": str})
    scans = index[index["modality"] == "flair"].set_index("subject")
    for subject in predictions.index[:3]:
        image = nibabel.load(tiny_run / "anomaly_maps" / f"{subject}_all.nii.gz")
        size = scans.loc[subject, ["rows", "columns", "slices"]]
        assert sorted(image.shape) == sorted(size.astype(int))
        assert np.asarray(image.dataobj).max() > 0


def test_without_subjects_nothing_is_written(tiny_run: Path, tmp_path: Path) -> None:
    detector, nobody = load(tiny_run), Cohort(pd.DataFrame(columns=["subject"]), pd.DataFrame(), [], ["t1"], "t1")
    splits = pd.DataFrame({"subject": ["a"], "role": ["train"]})
    for score in (score_new, score_unseen):
        with pytest.raises(DatasetError, match="No subject is left"):
            score(detector, nobody, splits, RunFolder(tmp_path / "out"), cache=str(tmp_path / "cache"), executor=HERE)
    assert not list((tmp_path / "out").glob("*.csv"))
