"""Tables of other models: columns and labels are recognised or refused by name, never guessed."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.scores import groups, read_scores
from brain_cae.errors import DatasetError

TABLE = pd.DataFrame(
    {
        "subject": ["a", "b", "c", "d"],
        "label": ["healthy", "abnormal", "unknown", None],
        "score": ["0.1", "0.9", "", "0.4"],
        "Manufacturer": ["S", "G", "S", "S"],
        "flair_RepetitionTime": [9000, 9500, 5000, None],
        "age": [30, 40, 50, 60],
    }
)


def test_scan_parameters_are_recognised_by_name_and_age_is_none() -> None:
    read = read_scores(TABLE)
    assert list(read.acquisition) == ["Manufacturer", "flair_RepetitionTime"]
    assert read.subjects["label"].tolist() == ["healthy", "abnormal", "unknown", "unknown"]
    np.testing.assert_array_equal(read.subjects["score"], [0.1, 0.9, np.nan, 0.4])
    assert read.subjects.index.tolist() == ["a", "b", "c", "d"] and read.strata == "protocol"
    assert "Manufacturer, flair_RepetitionTime" in read.cautions[0] and "no column protocol" in read.cautions[1]
    assert "Not used: age; audit.acquisition names" in read.cautions[0]


def test_infinite_scores_are_the_highest_and_the_lowest() -> None:
    read = read_scores(TABLE.assign(score=["-inf", "inf", 0.1, 0.4]))
    np.testing.assert_allclose(read.subjects["score"], [-0.9, 1.4, 0.1, 0.4])
    assert any(caution.startswith("Infinite scores (2) are taken as 1 above") for caution in read.cautions)
    assert not [caution for caution in read.cautions if "no score" in caution]


def test_numbers_of_a_chain_and_equal_text_are_one_group() -> None:
    table = pd.DataFrame({"vendor": list("SSSGS"), "tr": [1000, 1150, 1300, 1000, 2000]})
    assert groups(table).tolist() == ["S, tr 1000-1300"] * 3 + ["G, tr 1000-1300", "S, tr 2000"]


@pytest.mark.parametrize("values", [[0, 1, 0, 1], ["0", "1", "0", "1"], [False, True, False, True]])
def test_numbers_are_labels(values) -> None:
    assert read_scores(TABLE.assign(label=values)).subjects["label"].tolist() == ["healthy", "abnormal"] * 2


def test_other_labels_are_named_and_taken_once_patients_are_known() -> None:
    table = TABLE.assign(label=["control", "glioma", "control", None])
    with pytest.raises(DatasetError, match=r"control \(2\), glioma \(1\)"):
        read_scores(table)
    assert read_scores(table, abnormal="glioma").subjects["label"].tolist() == [
        "healthy",
        "abnormal",
        "healthy",
        "unknown",
    ]
    with pytest.raises(DatasetError, match="metastasis"):  # a third class is neither
        read_scores(table.assign(label=["control", "glioma", "metastasis", "glioma"]), abnormal="glioma")
    with pytest.raises(DatasetError, match="abnormal=tumour"):
        read_scores(table, abnormal="tumour")


@pytest.mark.parametrize(
    ("column", "names"), [("PatientID", list("abcd")), ("ID ", list("abcd")), ("name", list("0123"))]
)
def test_names_of_subjects_are_found_under_their_usual_headings(column, names) -> None:
    assert read_scores(TABLE.rename(columns={"subject": column})).subjects.index.tolist() == names


def test_columns_that_are_missing_are_named_together_with_those_that_can_only_be_them() -> None:
    table = TABLE.rename(columns={"label": "y_true", "score": "y_prob"}).drop(columns="age")
    with pytest.raises(DatasetError) as raised:
        read_scores(table)
    assert raised.value.advice == "Name the columns: audit.label=y_true audit.score=y_prob"
    with pytest.raises(DatasetError) as raised:
        read_scores(table.assign(other=[5, 6, 7, 8]), label="y_true")
    assert raised.value.advice == "Name the column: audit.score=…", "two columns could be the score"


def test_decimal_commas_are_points_unless_they_may_separate_thousands() -> None:
    read = read_scores(TABLE.assign(score=["0,1", "0,9", "", "4"], tesla=["1,5", "3", "1,5", "3"]))
    np.testing.assert_array_equal(read.subjects["score"], [0.1, 0.9, np.nan, 4])
    assert read.acquisition["tesla"].tolist() == ["1.5", "3", "1.5", "3"]
    for values in (["1,250", "2,500", "", "4"], ["0,5", "0.5", "", "4"], ["0,5", "1,2,3", "", "4"]):
        with pytest.raises(DatasetError, match="not numbers"):
            read_scores(TABLE.assign(score=values))


@pytest.mark.parametrize(
    ("keys", "key"),
    [({"label": "diagnosis"}, "audit.label"), ({"score": "p"}, "audit.score"), ({"acquisition": ["tr"]}, "acquisition"),
     ({"strata": "site"}, "audit.strata"), ({"subject": "name"}, "audit.subject")],
)  # fmt: skip
def test_a_missing_column_is_named_with_those_that_exist(keys, key) -> None:
    with pytest.raises(DatasetError, match=key) as refused:
        read_scores(TABLE, **keys)
    assert "flair_RepetitionTime" in str(refused.value)


def test_spellings_of_one_scanner_are_one_group() -> None:
    table = TABLE.assign(Manufacturer=["S", "s ", "G", "G"], tesla=["3T", "3.0 T", "1.5T", "1.5 T"])
    read = read_scores(table.drop(columns="flair_RepetitionTime"))
    assert read.subjects["protocol"].tolist() == ["S, tesla 3"] * 2 + ["G, tesla 1.5"] * 2
    assert "Spellings that differ in case or blanks only count as one: Manufacturer." in read.cautions
    sites = read_scores(table.assign(site=["North", "north", "South ", "-"]), strata="site").subjects["site"]
    assert sites.tolist()[:3] == ["North", "North", "South"] and sites.isna().tolist() == [False] * 3 + [True]


def test_subjects_that_are_not_evaluated_are_counted() -> None:
    table = TABLE.assign(label=["healthy", "abnormal"] * 2, role=["train", "test", "test", "validation"])
    read = read_scores(table)
    assert read.subjects.index.tolist() == read.acquisition.index.tolist() == ["b", "c"]
    assert read.cautions[:2] == [
        "Subjects with the roles train and validation are left out (2).",
        "Without a score, and left out of its figures: 1 of 2 subjects (1 healthy).",
    ]
    other = read_scores(table.assign(role=["train", "test", "val", "test"]))
    assert len(other.subjects) == 4 and "role" not in other.subjects
    assert "The column role is not used: it has other words than" in other.cautions[0] and "(val)" in other.cautions[0]


def test_text_in_scores_and_tables_without_parameters_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"1 others, such as high(.|\n)*plain numbers"):
        read_scores(TABLE.assign(score=["0.1", "high", "", "0.4"]))
    with pytest.raises(DatasetError, match=r"No column of the table is a scan parameter"):
        read_scores(TABLE[["subject", "label", "score", "age"]])
