"""Movements in the import report, and the caution about far ones."""

from dataclasses import replace

import numpy as np
import pandas as pd

from brain_cae.data.registration import Alignment
from brain_cae.stages.alignment import movement_cautions, shape_cautions, with_alignments
from brain_cae.vocabulary import Serious


def moved(shift_mm: float) -> dict[str, Alignment]:
    return {"t1": Alignment(np.eye(4).tolist(), shift_mm, 1.234, 0.8123, 0.9777)}


def test_the_movement_of_each_imported_scan_stands_in_the_report() -> None:
    report = pd.DataFrame({"subject": ["a", "a", "b"], "modality": ["t1", "flair", "t1"], "status": "imported"})
    report.loc[2, "status"] = "refused"
    after = with_alignments(report, {"a": moved(3.456), "b": moved(9)})
    assert after.loc[0, ["shift_mm", "rotation_deg", "overlap_before", "overlap"]].tolist() == [
        3.46,
        1.23,
        0.812,
        0.978,
    ]
    assert after.loc[1:, "shift_mm"].isna().all()
    assert "shift_mm" not in report


def test_only_scans_far_from_their_reference_are_a_caution_and_the_furthest_comes_first() -> None:
    assert movement_cautions({"a": moved(9.9), "b": moved(0)}) == []
    (caution,) = movement_cautions({"a": moved(9.9), "b": moved(12), "c": moved(34.1)})
    assert caution.startswith("2 scans lay more than 10 mm") and "c t1 34 mm, b t1 12 mm" in caution


def test_mirrored_and_scaled_scans_are_cautions_and_mirrored_ones_a_serious_one() -> None:
    usual = {"mirrored_gain": 0.8, "scaled_gain": 1.02}
    odd = {
        "a": {**usual, "mirrored_gain": 1.2},
        "b": {**usual, "scaled_gain": 2.0, "scale": (1.1, 1.0, 1.0)},
        "c": usual,
    }
    found = {name: {"t1": replace(moved(0)["t1"], **values)} for name, values in odd.items()}
    mirrored, scaled = shape_cautions(found)
    assert (
        isinstance(mirrored, Serious) and mirrored.subjects == {"a"} and "mirrored" in mirrored and "a t1" in mirrored
    )
    assert not isinstance(scaled, Serious) and "b t1 (1.10 x 1.00 x 1.00)" in scaled


def test_scans_that_match_hardly_better_than_mirrored_may_be_of_two_people() -> None:
    found = {name: {"t1": replace(moved(0)["t1"], mirrored_gain=gain)} for name, gain in {"a": 0.85, "b": 0.9}.items()}
    (caution,) = shape_cautions(found)
    assert not isinstance(caution, Serious) and "two people" in caution and caution.endswith(": b t1.")
