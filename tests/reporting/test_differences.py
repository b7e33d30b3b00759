"""Paired differences from the reference choice, on the same subjects."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.reporting.configurations import Configuration
from brain_cae.reporting.differences import differences, differences_table, other_choices, paired


def table_of(strength: float, *, healthy: int = 20, abnormal: int = 20, seed: int = 0) -> pd.DataFrame:
    label = np.repeat(["healthy", "abnormal"], [healthy, abnormal])
    noise = np.random.default_rng(seed).standard_normal(len(label))
    table = pd.DataFrame({"subject": [f"s{place:02d}" for place in range(len(label))], "label": label, "role": "test"})
    return table.assign(**{
        "score.residual": noise + strength * (label == "abnormal"),
        "residual.dice": np.where(label == "abnormal", 0.1 * strength, np.nan),
        "reconstruction.l1": np.where(label == "healthy", 0.1 * strength, 9.0),
    })  # fmt: skip


def configuration(strength: float, **choices: str) -> Configuration:
    return Configuration(choices, [], [table_of(strength)])


def test_each_choice_is_compared_with_the_reference_that_is_otherwise_the_same():
    configurations = [
        configuration(strength, reshape=reshape, seedless=other)
        for strength, reshape, other in ((0, "fixed", "a"), (3, "clustered", "a"), (2, "fixed", "b"), (2, "modal", "b"))
    ]
    rows = differences(configurations)
    dice = rows[rows["figure"] == "localisation.dice"].set_index("reshape")
    assert dice["value"].to_dict() == pytest.approx({"clustered": 0.3, "modal": 0.0})
    assert (dice["n"] == 20).all() and set(rows["plain"]) == {"fixed"}
    l1 = rows[rows["figure"] == "reconstruction.l1"].set_index("reshape")
    assert l1.loc["clustered", "value"] == pytest.approx(0.3)  # over healthy subjects only
    auroc = rows[rows["figure"] == "detection.auroc"].set_index("reshape")
    assert auroc.loc["clustered", "low"] > 0 and auroc.loc["modal", "value"] == 0


def test_the_table_has_a_column_for_each_metric_and_signed_values():
    rows = differences([configuration(1, reshape="fixed"), configuration(3, reshape="clustered")])
    (table,) = differences_table(rows)
    assert table.caption == "Difference from reshape=fixed" and table.columns[0] == "reshape"
    cells = dict(zip(table.columns, (cell.text for cell in table.rows[0]), strict=True))
    assert cells["reshape"] == "clustered" and cells["Dice"].startswith("+0.20")
    assert differences_table(differences([configuration(1, reshape="modal")])) == []


def test_a_window_is_compared_with_the_whole_volume_of_the_same_strategy():
    swept = [
        configuration(strength, **{"reshape.crop": crop, "reshape": reshape})
        for strength, crop, reshape in ((1, "none", "fixed"), (2, "foreground", "fixed"), (2, "none", "modal"))
    ]
    captions = [table.caption for table in differences_table(differences(swept))]
    assert captions == ["Difference from reshape=fixed", "Difference from reshape.crop=none"]


def test_other_choices_leave_out_one_key():
    assert other_choices(configuration(1, reshape="fixed", modality="t2"), "reshape") == (("modality", "t2"),)


def test_subjects_with_another_label_are_not_paired():
    one, other = table_of(1), table_of(1)
    other.loc[[0, 39], "label"] = ["abnormal", "healthy"]
    common = paired(one, other, "score.residual", "auroc", 1)
    assert common is not None and (common.n, common.value) == (38, 0)


def test_only_common_subjects_are_paired_and_small_classes_give_no_difference():
    one, other = table_of(1).iloc[:30], table_of(1).iloc[10:]
    common = paired(one, other, "score.residual", "auroc", 1)
    assert common is not None and (common.n, common.value) == (20, 0)
    small = paired(one, other, "score.residual", "auroc", 15)
    assert small is not None and not small.defined
    assert paired(one, other.drop(columns="residual.dice"), "residual.dice", "abnormal", 1) is None
