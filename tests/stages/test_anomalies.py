"""What exports get of each brain, and what an export that fails costs."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.detector.lesions import Lesion
from brain_cae.errors import ScanError, StorageError
from brain_cae.scoring.calibration import Calibration
from brain_cae.stages import anomalies
from brain_cae.stages.anomalies import for_each_anomaly

CALIBRATION = Calibration(np.arange(9.0), 2.0, masses=np.zeros(9))


@pytest.fixture
def assessment(make_subject, monkeypatch):
    """Brain ``a`` is flagged and brain ``b`` is not; both have a joint map of 4.004 in one voxel and 1 elsewhere."""
    brains = {name: make_subject(name) for name in "ab"}
    lesion = Lesion(0.012, 0.024, 4.004, 0.1, (0.0, 0.0, 0.0), None, "left", "")
    config = SimpleNamespace(
        scoring=SimpleNamespace(alpha=0.2, cluster_share=0.0), trainer=SimpleNamespace(progress=False)
    )
    detector = SimpleNamespace(
        scorers={"residual": SimpleNamespace(calibration=CALIBRATION)}, config=config, on_gpu=False
    )

    def examine(detector, subject):
        joint_map = np.ones(int(subject.mask.sum()), np.float32)
        joint_map[100] = 4.004
        return None, None, joint_map

    monkeypatch.setattr(anomalies, "examine", examine)
    return SimpleNamespace(
        table=pd.DataFrame({"score": [3.0, 1.0], "flagged": [True, False]}, index=["a", "b"]),
        findings={name: SimpleNamespace(lesions=[lesion]) for name in "ab"},
        detectors=dict.fromkeys("ab", detector),
        cohort=SimpleNamespace(prepared=brains),
    )


def test_maps_and_clusters_lie_on_the_grid_of_the_scan(assessment):
    found = []
    assert for_each_anomaly(assessment, found.append) == {}
    a, b = found
    brain = assessment.cohort.prepared["a"]
    place = tuple(np.argwhere(brain.mask)[100])
    assert a.map.shape == brain.source_shape and np.array_equal(a.map.affine, brain.source_affine)
    assert np.asarray(a.map.dataobj)[place] == np.float32(4.0), "two decimals, as in anomaly_maps"
    numbers = np.asarray(a.numbers.dataobj)
    assert numbers.sum() == numbers[place] == 1 and a.clusters["lesion"].tolist() == [1]
    assert b.numbers is None and b.clusters.empty and b.threshold == 2.0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ScanError("changed since the import"), "changed since the import"),
        (ValueError("Secret^Person"), "ValueError"),
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
    ],
)
def test_a_brain_that_cannot_be_written_is_named_without_text_of_headers(assessment, error, reason):
    written = []

    def write(anomaly):
        if anomaly.subject == "a":
            raise error
        written.append(anomaly.subject)

    assert for_each_anomaly(assessment, write) == {"a": reason} and written == ["b"]


def test_without_room_nothing_else_is_tried(assessment):
    def write(anomaly):
        raise StorageError("The disk is full.")

    with pytest.raises(StorageError):
        for_each_anomaly(assessment, write)
