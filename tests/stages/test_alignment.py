"""Movements in the import report, and the caution about far ones."""

import numpy as np
import pandas as pd

from brain_cae.data.registration import Alignment
from brain_cae.stages.alignment import movement_cautions, with_alignments


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
