"""Only flagged brains have lesions to read."""

from types import SimpleNamespace

import pandas as pd

from brain_cae.detector.lesions import Lesion
from brain_cae.stages.lesions import COLUMNS, lesion_table


def lesion(volume, mni=(1.0, 2.0, 3.0)):
    return Lesion(volume, 2 * volume, 5.0, 0.1, (10.0, -20.0, 30.0), mni, "right", "white")


def test_flagged_brains_are_listed_by_score_and_others_are_not():
    table = pd.DataFrame({"score": [1.0, 3.0, 2.0, 9.0], "flagged": [True, True, False, None]}, index=list("abcd"))
    lesions = {"a": [lesion(1.0)], "b": [lesion(5.0), lesion(0.5, None)], "c": [lesion(9.0)], "d": [lesion(7.0)]}
    rows = lesion_table(table, {name: SimpleNamespace(lesions=found) for name, found in lesions.items()})
    assert list(rows.columns) == COLUMNS
    assert rows[["subject", "lesion", "volume_ml"]].to_numpy().tolist() == [["b", 1, 5.0], ["b", 2, 0.5], ["a", 1, 1.0]]
    assert rows.loc[0, ["x_mm", "y_mm", "z_mm", "mni_x_mm", "mni_z_mm"]].tolist() == [10.0, -20.0, 30.0, 1.0, 3.0]
    assert pd.isna(rows.loc[1, "mni_x_mm"])


def test_without_flagged_brains_the_table_has_only_its_header():
    table = pd.DataFrame({"score": [1.0], "flagged": [False]}, index=["a"])
    assert lesion_table(table, {"a": SimpleNamespace(lesions=[lesion(1.0)])}).empty
