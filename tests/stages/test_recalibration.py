"""Recalibration with local healthy brains: which brains can calibrate, and the new detector."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brain_cae.detector.crossfit import crossfitted
from brain_cae.errors import LeakageError
from brain_cae.scans.index import make_index
from brain_cae.stages.cautions import calibration_cautions, serious
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.recalibration import halves, healthy_only, recalibrated, refuse_overlap
from brain_cae.vocabulary import Serious

from ..detector.conftest import make_detector  # noqa: F401

ROW = {
    "source": "local", "path": "x", "skull": "on", "rows": 28, "columns": 24, "slices": 20, "spacing_row_mm": 2,
    "spacing_column_mm": 2, "spacing_slice_mm": 3, "orientation": "axial", "sequence": "SE", "dimensionality": "2D",
}  # fmt: skip


def index_of(names, *, label="healthy"):
    return make_index(
        [
            ROW | {"subject": name, "modality": modality, "label": label, "series_hash": f"{name}{modality}"}
            for name in names
            for modality in ("t1", "flair")
        ]
    )


@pytest.fixture
def local(make_subject):
    names = ["a", "b", "c", "d"]
    prepared = {name: make_subject(name, shape=(40, 20, 30), seed=30 + i) for i, name in enumerate(names)}
    return Cohort(
        index_of(names), pd.DataFrame(), ["caution of the import"], ["t1", "flair"], "flair", prepared=prepared
    )


@pytest.fixture
def detector(make_detector):  # noqa: F811
    detector = make_detector("modality=t1_flair", "scoring.alpha=0.1", "trainer.progress=false")
    seen = {"old": "train", "other": "classifier"}
    return replace(detector, seen=seen, skull=["stripped"], cautions=["caution of the run"], classifier=object())


def test_reference_and_thresholds_come_from_the_local_brains_and_the_input_is_not_changed(detector, local):
    before = detector.fingerprint()
    after = recalibrated(detector, local, index_of(["z"]), origin="/local")
    assert detector.fingerprint() == before and detector.classifier is not None and detector.skull == ["stripped"]
    assert detector.cautions == ["caution of the run"] and detector.seen == {"old": "train", "other": "classifier"}
    assert not detector.reshape.group(local.prepared["a"].grid).known

    assert after.network is detector.network
    assert [len(one.scorers["residual"].calibration.scores) for one in (detector, after)] == [6, 4]
    assert not np.array_equal(after.encoder_references[""].mean, detector.encoder_references[""].mean)
    assert after.reshape.group(local.prepared["a"].grid).known
    assert after.classifier is None and after.skull == ["on"]
    assert after.seen == {"old": "train"} | dict.fromkeys(local.index["series_hash"], "validation")


def test_of_cross_fitted_detectors_the_first_is_calibrated_with_the_local_brains(detector, local):
    after = recalibrated(crossfitted([detector] * 3), local, index_of(["z"]), origin="/local")
    calibration = after.scorers["residual"].calibration
    assert after.folds == [] and after.calibration == "leave_one_out" and after.network is detector.network
    assert len(calibration.scores) == 4 and not len(calibration.folds)
    assert any("Of 3 cross-fitted networks only the first is used" in caution for caution in after.cautions)


def test_a_serious_caution_about_the_local_brains_is_serious_for_all_that_they_calibrate(detector, local):
    broken = replace(local, cautions=[Serious("one image as several contrasts", ["a"])])
    (caution,) = serious(recalibrated(detector, broken, index_of(["z"]), origin="/local").cautions)
    assert caution == "Calibration: one image as several contrasts"


def test_cautions_of_the_run_are_kept_except_those_about_its_calibration(detector, local):
    outdated = calibration_cautions(6, detector.guarantee)
    assert len(outdated) == 2
    detector = replace(detector, cautions=["caution of the run", *outdated])
    cautions = recalibrated(detector, local, index_of(["d"]), origin="/local").cautions
    assert cautions[0] == "caution of the run" and not any(caution in outdated for caution in cautions)
    assert "come from 4 local healthy brains (/local), not from the 6 of the run" in cautions[1]
    assert cautions[2].startswith("The transfer classifier is left out")
    assert "(leave-one-out), so p-values and bounds are approximations. From 58 local brains on" in cautions[3]
    assert cautions[4] == "Calibration: caution of the import" and not isinstance(cautions[4], Serious)
    assert cautions[5].startswith("Only 4 healthy brains") and cautions[6].startswith("No brain is flagged")
    assert cautions[7].startswith("1 subject has the same name as a calibration subject: d")
    assert len(cautions) == 8


def test_local_brains_are_halved_if_each_half_is_enough_for_the_promise(detector, local):
    def halved(count):
        return halves(list(range(count)), detector.guarantee)

    assert halved(57) == (list(range(57)), None)
    calibrating, reference = halved(59)
    assert (len(calibrating), len(reference)) == (30, 29) and not set(calibrating) & set(reference)
    few = replace(detector, config=replace(detector.config, scoring=replace(detector.config.scoring, alpha=0.9)))
    after = recalibrated(few, local, index_of(["z"]), origin="/local")
    assert after.calibration == "split" and len(after.scorers["residual"].calibration.scores) == 2
    assert any("2 of the local brains are the healthy reference, the other 2 calibrate" in c for c in after.cautions)


def test_without_labels_all_brains_are_healthy_and_with_labels_only_those_labelled_healthy(local):
    unlabelled = replace(local, index=local.index.assign(label="unknown"))
    assert set(healthy_only(unlabelled).labels) == {"healthy"} and set(unlabelled.labels) == {"unknown"}
    labels = local.index["subject"].map({"a": "healthy", "b": "abnormal", "c": "unknown", "d": "healthy"})
    kept = healthy_only(replace(local, index=local.index.assign(label=labels)))
    assert kept.index["subject"].unique().tolist() == ["a", "d"]
    assert kept.cautions[1:] == ["2 subjects are not labelled healthy and are left out: b, c."]
    assert local.cautions == ["caution of the import"]


def test_calibration_brains_that_were_trained_on_or_are_scored_are_leakage(detector, local):
    refuse_overlap(detector, local, index_of(["z"]))
    with pytest.raises(LeakageError, match="The network was trained on") as caught:
        refuse_overlap(replace(detector, seen={"bt1": "train"}), local, index_of(["z"]))
    assert "training brain: b" in str(caught.value)
    scored = index_of(["z"])
    scored.loc[0, "series_hash"] = "ct1"
    with pytest.raises(LeakageError, match="calibrate/c"):
        refuse_overlap(detector, local, scored)
