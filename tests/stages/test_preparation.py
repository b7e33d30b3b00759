"""Prepared subjects, subjects that fail, and the cautions about both."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.data.foreground import skull_state
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.preparation import prepare

LESION, EMPTY = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)


def subject(*, covered=1.0, lesion=None, foreground_ml=1300.0):
    return SimpleNamespace(appearance={"t1_covered": covered}, lesion=lesion, foreground_ml=foreground_ml)


def store(prepared, refused=None, without_mask=None):
    """Replace the store on disk by one that returns these prepared and refused subjects."""
    return SimpleNamespace(
        masks=SimpleNamespace(complete=lambda index, progress: (index.copy(), without_mask or {})),
        load_all=lambda index, progress: ({name: prepared[name] for name in prepared}, refused or {}),
    )


@pytest.fixture
def cohort():
    labels = ["abnormal", "abnormal", "abnormal", "healthy"]
    index = pd.DataFrame({"subject": list("abcd"), "modality": "t1", "label": labels, "skull": "stripped"})
    return Cohort(
        index, index.assign(status="imported", reason=""), ["caution of the import"], ["flair", "t1"], "flair"
    )


def test_incomplete_brains_and_empty_lesion_masks_are_cautions(cohort):
    prepared = {
        "a": subject(covered=0.72, lesion=LESION),
        "b": subject(covered=0.995, lesion=LESION),
        "c": subject(lesion=EMPTY),
        "d": subject(lesion=EMPTY),
    }
    imported, first, second = prepare(cohort, store(prepared), progress=False).cautions
    assert imported == "caution of the import"
    assert first.startswith(
        "1 subjects have a t1 that covers only a part of the brain (down to 72 %)"
    ) and first.endswith(": a.")
    assert second.startswith("1 abnormal subjects have an empty lesion mask") and second.endswith(": c.")


def test_subjects_that_cannot_be_prepared_are_removed_from_the_index_and_refused_in_the_report(cohort):
    prepared = {name: subject() for name in "bd"}
    after = prepare(cohort, store(prepared, {"a": "empty volume"}, {"c": "no brain mask"}), progress=False)
    assert after.index["subject"].tolist() == sorted(after.prepared) == ["b", "d"]
    rows = after.report.set_index("subject")
    assert rows["status"].to_dict() == {"a": "refused", "b": "imported", "c": "refused", "d": "imported"}
    assert rows.loc[["a", "c"], "reason"].tolist() == ["empty volume", "no brain mask"]
    assert "2 subjects could not be prepared and are left out: c: no brain mask; a: empty volume." in after.cautions


def test_preparation_does_not_change_its_input(cohort):
    index, report = cohort.index.assign(skull="unknown"), cohort.report.copy()
    original = Cohort(index.copy(), cohort.report, cohort.cautions, cohort.modalities, cohort.reference)
    prepare(original, store({name: subject() for name in "bcd"}, {"a": "empty volume"}), progress=False)
    pd.testing.assert_frame_equal(original.index, index)
    pd.testing.assert_frame_equal(original.report, report)
    assert original.cautions == ["caution of the import"] and original.prepared == {}


def test_unknown_skull_states_are_estimated_from_the_foreground_and_mixed_states_are_a_caution(cohort):
    volumes = {"a": 1300.0, "b": 4500.0, "c": 1300.0, "d": 4500.0}
    assert [skull_state(volumes[name]) for name in "ab"] == ["stripped", "on"]
    original = Cohort(
        cohort.index.assign(skull=["stripped", "unknown", "unknown", "on"]), cohort.report, [], ["t1"], "t1"
    )
    prepared = {name: subject(foreground_ml=volume) for name, volume in volumes.items()}
    after = prepare(original, store(prepared), progress=False)
    assert after.skull.to_dict() == {"a": "stripped", "b": "on", "c": "stripped", "d": "on"}
    assert after.cautions[0].startswith("Skulls are on in some scans and stripped in others (on: b, d; stripped: a, c)")
