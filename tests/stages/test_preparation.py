"""Prepared subjects, the ones that were lost on the way, and what is said of either."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.data.foreground import skull_state
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.preparation import prepare

LESION, NOTHING = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)


def subject(*, covered=1.0, lesion=None, foreground_ml=1300.0):
    return SimpleNamespace(appearance={"t1_covered": covered}, lesion=lesion, foreground_ml=foreground_ml)


def store(prepared, refused=None, without_mask=None):
    """Stands for the store on disk: it prepares what is asked for, and refuses the others."""
    return SimpleNamespace(
        masks=SimpleNamespace(complete=lambda index, progress: (index.copy(), without_mask or {})),
        load_all=lambda index, progress: ({name: prepared[name] for name in prepared}, refused or {}),
    )


@pytest.fixture
def cohort():
    labels = ["abnormal", "abnormal", "abnormal", "healthy"]
    index = pd.DataFrame({"subject": list("abcd"), "modality": "t1", "label": labels, "skull": "stripped"})
    return Cohort(index, index.assign(status="imported", reason=""), ["from the import"], ["flair", "t1"], "flair")


def test_brain_that_is_not_shown_and_masks_that_mark_nothing_are_told(cohort):
    prepared = {
        "a": subject(covered=0.72, lesion=LESION),
        "b": subject(covered=0.995, lesion=LESION),
        "c": subject(lesion=NOTHING),
        "d": subject(lesion=NOTHING),
    }
    imported, first, second = prepare(cohort, store(prepared), progress=False).notes
    assert imported == "from the import"
    assert first.startswith("1 subjects of whose brain t1 shows only a part (down to 72 %)") and first.endswith(": a.")
    assert second.startswith("1 abnormal subjects whose lesion mask marks nothing") and second.endswith(": c.")


def test_subjects_that_cannot_be_prepared_leave_the_index_and_are_named_in_the_report(cohort):
    prepared = {name: subject() for name in "bd"}
    after = prepare(cohort, store(prepared, {"a": "empty volume"}, {"c": "no brain mask"}), progress=False)
    assert after.index["subject"].tolist() == sorted(after.prepared) == ["b", "d"]
    rows = after.report.set_index("subject")
    assert rows["status"].to_dict() == {"a": "refused", "b": "imported", "c": "refused", "d": "imported"}
    assert rows.loc[["a", "c"], "reason"].tolist() == ["empty volume", "no brain mask"]
    assert "2 subjects could not be prepared and are left out: c: no brain mask; a: empty volume." in after.notes


def test_the_cohort_that_is_given_stays_as_it_is(cohort):
    index, report = cohort.index.assign(skull="unknown"), cohort.report.copy()
    given = Cohort(index.copy(), cohort.report, cohort.notes, cohort.modalities, cohort.reference)
    prepare(given, store({name: subject() for name in "bcd"}, {"a": "empty volume"}), progress=False)
    pd.testing.assert_frame_equal(given.index, index)
    pd.testing.assert_frame_equal(given.report, report)
    assert given.notes == ["from the import"] and given.prepared == {}


def test_the_size_of_the_foreground_says_what_the_source_does_not_and_mixed_states_are_a_caution(cohort):
    volumes = {"a": 1300.0, "b": 4500.0, "c": 1300.0, "d": 4500.0}
    assert [skull_state(volumes[name]) for name in "ab"] == ["stripped", "on"]
    given = Cohort(cohort.index.assign(skull=["stripped", "unknown", "unknown", "on"]), cohort.report, [], ["t1"], "t1")
    prepared = {name: subject(foreground_ml=volume) for name, volume in volumes.items()}
    after = prepare(given, store(prepared), progress=False)
    assert after.skull.to_dict() == {"a": "stripped", "b": "on", "c": "stripped", "d": "on"}
    assert after.notes[0].startswith("Skulls are on in some scans and stripped in others (on: b, d; stripped: a, c)")
