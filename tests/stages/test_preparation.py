"""Prepared subjects, subjects that fail, and the cautions about both."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.data.registration import Alignment
from brain_cae.errors import DatasetError
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.preparation import Preparation, prepare

LOADED = """
import sys, brain_cae.workflows.training, brain_cae.stages.preparation, brain_cae.stages.space
print([name for name in ("torch", "monai", "pytorch_lightning", "nilearn") if name in sys.modules])
"""
LESION, EMPTY, MASK = np.arange(8).reshape(2, 2, 2) < 1, np.zeros((2, 2, 2), bool), np.ones((2, 2, 2), bool)


def subject(*, covered=1.0, lesion=None, foreground_ml=1300.0, shortest_mm=130.0, shown=None):
    appearance = {"t1_covered": covered, "background_same": 1.0}
    appearance |= {
        f"mask_extent_{axis}_mm": extent for axis, extent in (("x", 140.0), ("y", 170.0), ("z", shortest_mm))
    }
    return SimpleNamespace(
        appearance=appearance,
        lesion=lesion,
        mask=MASK,
        has_lesion=lesion is not None and lesion.any(),
        foreground_ml=foreground_ml,
        shown=shown or {},
        to_template=None,
        masks=(),
    )


def store(prepared, refused=None, without_mask=None, alignments=None):
    """Replace the caches on disk by some that return these prepared and refused subjects."""
    return Preparation(
        alignments and SimpleNamespace(load_all=lambda index, progress: alignments),
        SimpleNamespace(complete=lambda index, progress: (index.copy(), without_mask or {})),
        SimpleNamespace(load_all=lambda index, moved, progress: (dict(prepared), refused or {})),
    )


@pytest.fixture
def cohort():
    labels = ["abnormal", "abnormal", "abnormal", "healthy"]
    index = pd.DataFrame(
        {"subject": list("abcd"), "modality": "t1", "label": labels, "skull": "stripped", "stripped_by": "delivered"}
    )
    return Cohort(
        index, index.assign(status="imported", reason=""), ["caution of the import"], ["flair", "t1"], "flair"
    )


def test_incomplete_brains_and_odd_masks_are_cautions(cohort):
    prepared = {
        "a": subject(covered=0.72, lesion=LESION),
        "b": subject(covered=0.995, lesion=LESION),
        "c": subject(lesion=EMPTY),
        "d": subject(),
    }
    imported, first, second = prepare(cohort, store(prepared), progress=False).cautions
    assert imported == "caution of the import"
    assert first.startswith("1 subject has a t1 that covers only part of the brain (down to 72 %)") and first.endswith(
        ": a."
    )
    assert second.startswith("1 abnormal subject has an empty lesion mask")


def test_subjects_that_cannot_be_prepared_are_removed_from_the_index_and_refused_in_the_report(cohort, caplog):
    prepared = {name: subject() for name in "bd"}
    after = prepare(cohort, store(prepared, {"a": "empty volume"}, {"c": "no brain mask"}), progress=False)
    assert after.index["subject"].tolist() == sorted(after.prepared) == ["b", "d"]
    rows = after.report.set_index("subject")
    assert rows["status"].to_dict() == {"a": "refused", "b": "imported", "c": "refused", "d": "imported"}
    assert rows.loc[["a", "c"], "reason"].tolist() == ["empty volume", "no brain mask"]
    caution = "2 subjects could not be prepared and are left out: c: no brain mask; a: empty volume."
    assert caution in after.cautions and caution in caplog.messages


def test_preparation_does_not_change_its_input(cohort):
    index, report = cohort.index.assign(skull="unknown"), cohort.report.copy()
    original = Cohort(index.copy(), cohort.report, cohort.cautions, cohort.modalities, cohort.reference)
    prepare(original, store({name: subject() for name in "bcd"}, {"a": "empty volume"}), progress=False)
    pd.testing.assert_frame_equal(original.index, index)
    pd.testing.assert_frame_equal(original.report, report)
    assert original.cautions == ["caution of the import"] and original.prepared == {}


def test_unknown_skull_states_are_estimated_and_heads_are_a_caution(cohort):
    index = cohort.index.assign(skull=["on", "unknown", "unknown", "unknown"], stripped_by="")
    sizes = {"a": (4500.0, 200.0), "b": (4500.0, 200.0), "c": (2100.0, 160.0), "d": (450.0, 20.0)}
    prepared = {name: subject(foreground_ml=volume, shortest_mm=extent) for name, (volume, extent) in sizes.items()}
    after = prepare(Cohort(index, cohort.report, [], ["t1"], "t1"), store(prepared), progress=False)
    assert after.skull.to_dict() == {"a": "on", "b": "on", "c": "unknown", "d": "unknown"}
    assert set(after.index["stripped_by"]) == {""}
    (caution,) = after.cautions
    assert caution.startswith("The skull is on in 2 subjects (a, b)") and "pip install 'brain-cae[strip]'" in caution


def test_estimated_stripped_brains_were_delivered_so(cohort):
    index = cohort.index.assign(skull="unknown", stripped_by="")
    after = prepare(
        Cohort(index, cohort.report, [], ["t1"], "t1"), store({n: subject() for n in "abcd"}), progress=False
    )
    assert set(after.skull) == {"stripped"} and set(after.index["stripped_by"]) == {"delivered"} and not after.cautions


def test_heads_among_stripped_brains_are_refused_by_name(cohort):
    index = cohort.index.assign(skull=["stripped", "unknown", "unknown", "on"])
    prepared = {
        name: subject(foreground_ml=volume) for name, volume in zip("abcd", (1300, 4500, 1300, 4500), strict=True)
    }
    with pytest.raises(DatasetError, match="on in 2: b, d; stripped in 2: a, c"):
        prepare(Cohort(index, cohort.report, [], ["t1"], "t1"), store(prepared), progress=False)


def test_scans_that_cannot_be_aligned_are_left_out_and_movements_stand_in_the_report(cohort):
    index = pd.concat([cohort.index, cohort.index.assign(modality="flair")], ignore_index=True)
    report = index.assign(status="imported", reason="")
    moved = {name: {"t1": Alignment(np.eye(4).tolist(), 34.2, 3.0, 0.61, 0.97)} for name in "bcd"}
    steps = store({name: subject() for name in "bcd"}, alignments=(moved, {"a": "not aligned"}))
    after = prepare(replace(cohort, index=index, report=report), steps, progress=False)
    rows = after.report.set_index(["subject", "modality"])
    assert rows.loc[("b", "t1"), ["shift_mm", "rotation_deg", "overlap"]].tolist() == [34.2, 3.0, 0.97]
    assert rows.loc[("b", "flair"), "shift_mm"] != rows.loc[("b", "flair"), "shift_mm"]  # the reference does not move
    assert rows.loc[("a", "t1"), ["status", "reason"]].tolist() == ["refused", "not aligned"]
    assert any("3 scans lay more than 10 mm" in caution for caution in after.cautions)


def test_a_run_that_stops_after_preparation_loads_no_torch():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
