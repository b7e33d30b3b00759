"""Scoring and classification; neither changes its input."""

import errno
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.errors import DatasetError, StorageError
from brain_cae.files.system_errors import writing
from brain_cae.scans.index import make_index
from brain_cae.stages import prediction
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.prediction import classify_new, classify_unseen, score, unseen_subjects, with_classifier
from brain_cae.stages.transfer import PatientClassifier

from ..detector.conftest import make_detector  # noqa: F401

NAMES = ("h0", "h1", "h2", "p0", "p1", "p2")


@pytest.fixture
def cohort(make_subject):
    """Return three healthy brains and three with a bright corner, all from one scanner."""
    prepared = {name: make_subject(name, seed=50 + number) for number, name in enumerate(NAMES)}
    for name in ("p0", "p1", "p2"):
        prepared[name].volume[:, 8:16, 8:16, 6:12] += 3 * prepared[name].mask[8:16, 8:16, 6:12]
    rows = [
        {
            "subject": name, "modality": modality, "source": "ixi",
            "label": "healthy" if name[0] == "h" else "abnormal",
            "series_hash": f"{name}{modality}", "path": "x", "skull": "stripped", "rows": 28, "columns": 24,
            "slices": 20, "spacing_row_mm": 2, "spacing_column_mm": 2, "spacing_slice_mm": 3, "orientation": "axial",
            "sequence": "SE", "dimensionality": "2D",
        }
        for name in NAMES for modality in ("t1", "flair")
    ]  # fmt: skip
    return Cohort(
        make_index(rows), pd.DataFrame(), ["caution of the import"], ["t1", "flair"], "flair", prepared=prepared
    )


@pytest.fixture
def detector(make_detector):  # noqa: F811
    return make_detector("modality=t1_flair", "evaluation.folds=2", "evaluation.permutations=2",
                         "evaluation.resamples=20", "trainer.progress=false", "transfer.compare=[]")  # fmt: skip


@pytest.fixture
def scores(detector, cohort, tmp_path):
    roles = pd.Series("test", index=list(NAMES))
    return score(detector, cohort, list(NAMES), roles, known=FindingsCache(tmp_path, detector))


def test_unseen_subjects_are_sorted_and_at_least_one_has_a_required_role():
    cohort = SimpleNamespace(prepared=dict.fromkeys("dcbae"))
    roles = pd.Series({"a": "train", "b": "test", "c": "validation", "d": "classifier", "f": "test"})
    assert unseen_subjects(cohort, roles) == ["b", "d"]
    assert unseen_subjects(cohort, roles, required=("test",)) == ["b", "d"]
    with pytest.raises(DatasetError, match="No subject is left to evaluate"):
        unseen_subjects(cohort, roles.replace("test", "classifier"), required=("test",))
    with pytest.raises(DatasetError, match="No subject is left to evaluate"):
        unseen_subjects(cohort, roles.replace(["test", "classifier"], "train"))


def test_bright_corners_score_higher_and_every_row_is_complete(scores, cohort):
    table = scores.table
    assert list(table.index) == list(NAMES) == list(scores.features.index)
    assert table.loc[["p0", "p1", "p2"], "score"].min() > table.loc[["h0", "h1", "h2"], "score"].max()
    assert table["role"].eq("test").all() and table["p_value"].between(0, 1).all()
    assert scores.unreached == [] and scores.cohort is cohort
    assert "fold" not in table and "classifier_probability" not in table


def test_cached_findings_are_used_unless_maps_are_written(scores, detector, cohort, tmp_path, monkeypatch):
    examined, written = [], {}
    examine = prediction.examine
    monkeypatch.setattr(prediction, "examine", lambda *pair: examined.append(pair[1].subject) or examine(*pair))
    roles, known = pd.Series("test", index=["h0", "p0"]), FindingsCache(tmp_path, detector)
    again = score(detector, cohort, ["h0", "p0"], roles, known=known)
    assert examined == []
    pd.testing.assert_series_equal(again.table["score"], scores.table.loc[["h0", "p0"], "score"])
    score(detector, cohort, ["h0", "p0"], roles, known=known, write_map=written.__setitem__)
    assert examined == ["h0", "p0"]
    assert list(written) == [f"{name}_{kind}" for name in ("h0", "p0") for kind in ("t1", "flair", "all")]
    assert written["p0_all"].shape == (24, 28, 20)


def test_subjects_of_the_run_are_classified_out_of_fold_and_the_scores_are_not_changed(detector, scores):
    assessment = classify_unseen(detector, scores)
    assert assessment.table["fold"].value_counts().to_dict() == {0: 3, 1: 3}
    assert assessment.table["classifier_probability"].notna().all()
    assert "fold" not in scores.table and detector.classifier is None
    part = assessment.among(["p1", "h2", "nobody"])
    assert sorted(part.table.index) == sorted(part.findings) == sorted(part.detectors) == ["h2", "p1"]
    assert list(part.features.index) == list(part.table.index)


def test_a_new_detector_stores_the_classifier_and_the_scans_it_was_trained_on(detector, scores):
    classifier = prediction.patient_classifier(detector, scores)
    assert classifier.training_subjects == list(NAMES)
    after = with_classifier(detector, PatientClassifier(classifier.pipeline, ["h0"], pd.DataFrame()), scores.cohort)
    assert after.classifier is classifier.pipeline and detector.classifier is None
    assert after.seen == {"h0t1": "classifier", "h0flair": "classifier"} and detector.seen == {}

    assessment = classify_new(after, scores)
    assert assessment.table["classifier_probability"].isna().tolist() == [True] + [False] * 5
    assert assessment.cohort.cautions[1:] == [
        "The classifier was trained on 1 of these subjects; their probabilities are left out."
    ]
    assert scores.cohort.cautions == ["caution of the import"]


def test_without_a_classifier_new_subjects_have_scores_but_no_probability(detector, scores):
    assessment = classify_new(detector, scores)
    assert assessment.table["classifier_probability"].isna().all() and assessment.table["fold"].isna().all()
    assert np.isfinite(assessment.table["score"].astype(float)).all()
    assert assessment.cohort.cautions == ["caution of the import"]


def test_a_map_that_cannot_be_written_is_lost_alone(scores, detector, cohort, tmp_path, caplog):
    written = []

    def write(name, image):
        if name == "h0_flair":
            raise OSError(36, "File name too long")
        written.append(name)

    roles, known = pd.Series("test", index=["h0", "p0"]), FindingsCache(tmp_path, detector)
    after = score(detector, cohort, ["h0", "p0"], roles, known=known, write_map=write)
    assert written == ["h0_t1", "h0_all", "p0_t1", "p0_flair", "p0_all"]
    pd.testing.assert_series_equal(after.table["score"], scores.table.loc[["h0", "p0"], "score"])
    assert after.cohort.cautions[-1].endswith("scores are complete: h0 (flair: File name too long).")
    assert after.cohort.cautions[-1] in caplog.text


def test_a_full_disk_during_the_maps_ends_the_scoring(detector, cohort, tmp_path):
    def write(name, image):
        with writing(tmp_path / name):
            raise OSError(errno.ENOSPC, "No space left on device")

    roles, known = pd.Series("test", index=["h0"]), FindingsCache(tmp_path, detector)
    with pytest.raises(StorageError, match="no room") as caught:
        score(detector, cohort, ["h0"], roles, known=known, write_map=write)
    assert caught.value.where == str(tmp_path / "h0_t1")
