"""Subjects aligned with their acquisition: who is included, under which protocol, with which values."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.table import as_codes, as_numbers, make_table, one_hot, require_columns
from brain_cae.errors import ConfigurationError, DatasetError


def subjects(number: int, **columns) -> pd.DataFrame:
    index = pd.Index([f"{one:03d}" for one in range(number)], name="subject")
    labels = np.where(np.arange(number) % 2, "abnormal", "healthy")
    return pd.DataFrame({"label": labels, "score": np.arange(number) * 1.0, "protocol": "a"} | columns, index=index)


def test_rows_of_acquisition_follow_the_subjects_and_values_may_be_missing() -> None:
    table = subjects(4)
    acquisition = pd.DataFrame({"echo_time_ms": [30.0, np.nan, 10.0, 0.0]}, index=["003", "002", "001", "000"])
    aligned = make_table(table, acquisition)
    np.testing.assert_array_equal(aligned.acquisition["echo_time_ms"], [0.0, 10.0, np.nan, 30.0])
    assert aligned.n == 4 and aligned.truth.tolist() == [False, True, False, True]


def test_unknown_labels_and_subjects_that_the_autoencoder_was_fitted_on_are_left_out() -> None:
    role = ["train", "validation", "classifier", "test", "test"]
    table = subjects(5, role=role, label=["healthy", "healthy", "healthy", "abnormal", "unknown"])
    assert make_table(table, pd.DataFrame(index=table.index)).table.index.tolist() == ["002", "003"]


def test_a_score_that_is_not_a_number_is_missing() -> None:
    table = subjects(3, score=["0.5", "none", np.inf])
    aligned = make_table(table, pd.DataFrame(index=table.index))
    assert aligned.scores[0] == 0.5 and aligned.scored.tolist() == [True, False, False]
    headers_only = make_table(table.drop(columns="score"), pd.DataFrame(index=table.index))
    assert not headers_only.scored.any()


def test_protocols_of_one_or_two_subjects_are_pooled() -> None:
    table = subjects(9, protocol=["a"] * 3 + ["b"] * 3 + ["c"] * 2 + [None])
    aligned = make_table(table, pd.DataFrame(index=table.index))
    assert aligned.names == ["unknown", "a", "b", "c"]
    assert np.bincount(aligned.protocols).tolist() == [1, 3, 3, 2]
    assert aligned.pooled.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_small_protocols_of_most_subjects_do_not_pass_for_one() -> None:
    pairs = make_table(table := subjects(6, protocol=["a", "a", "b", "b", "c", "c"]), pd.DataFrame(index=table.index))
    assert pairs.pooled.tolist() == [0, 0, 1, 1, 2, 2] and pairs.metadata.shape[1] == 3
    most = make_table(table := subjects(7, protocol=[*"aaabbcc"]), pd.DataFrame(index=table.index))
    assert most.pooled.tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_several_sources_are_part_of_the_protocol_and_of_the_acquisition() -> None:
    table = subjects(4, source=["ixi", "brats", "ixi", "brats"])
    several = make_table(table, pd.DataFrame(index=table.index))
    assert several.names == ["brats / a", "ixi / a"] and several.protocols.tolist() == [1, 0, 1, 0]
    assert several.acquisition["source"].tolist() == ["ixi", "brats", "ixi", "brats"]
    one = make_table(table.assign(source="ixi"), pd.DataFrame(index=table.index))
    assert one.names == ["a"] and "source" not in one.acquisition


@pytest.mark.parametrize(("unknown", "known"), [(2, True), (3, False)])
def test_protocols_are_known_where_half_of_them_are(unknown: int, known: bool) -> None:
    table = subjects(4, protocol=["unknown"] * unknown + ["a"] * (4 - unknown))
    acquisition = pd.DataFrame(index=table.index)
    assert make_table(table, acquisition).known is known
    # Sources are informative if headers are not.
    assert make_table(table.assign(source=["x", "y"] * 2), acquisition).known


def test_strata_may_be_a_column_of_either_table() -> None:
    table, acquisition = subjects(4), pd.DataFrame({"model": ["Aera", "Aera", "Skyra", "Skyra"]})
    assert make_table(table, acquisition.set_axis(table.index), strata="model").names == ["Aera", "Skyra"]
    with pytest.raises(ConfigurationError, match="strata"):
        make_table(table, acquisition.set_axis(table.index), strata="scanner")


def test_metadata_is_standardised_and_missing_values_get_an_indicator_column() -> None:
    table = subjects(5)
    acquisition = pd.DataFrame(
        {"constant": 3.0, "never_known": np.nan, "rows": [256, 512, 256, 512, np.nan]}, index=table.index
    )
    # Known values lie 1 standard deviation from their mean, the missing one at 0; its indicator is centred.
    expected = [[-1, -0.2], [1, -0.2], [-1, -0.2], [1, -0.2], [0, 0.8]]
    np.testing.assert_allclose(make_table(table, acquisition).metadata, expected)


def test_an_extreme_value_is_clipped_and_text_becomes_indicators() -> None:
    table = subjects(20)
    outlier = pd.DataFrame({"echo_time_ms": [10.0] * 19 + [1e6]}, index=table.index)
    assert make_table(table, outlier).metadata.max() == 3.0
    words = pd.DataFrame({"manufacturer": ["GE", "Siemens"] * 10}, index=table.index)
    np.testing.assert_allclose(make_table(table, words).metadata[:2], [[0.5, -0.5], [-0.5, 0.5]])


def test_no_metadata_where_nothing_varies() -> None:
    table = subjects(6)
    assert make_table(table, pd.DataFrame({"rows": 256}, index=table.index)).metadata.shape == (6, 0)
    unlabelled = make_table(table.assign(label="unknown"), pd.DataFrame({"rows": 256}, index=table.index))
    assert unlabelled.n == 0 and not unlabelled.known


def test_a_column_is_numeric_unless_it_contains_text() -> None:
    np.testing.assert_array_equal(as_numbers(pd.Series(["1.5", "", None, "3"])), [1.5, np.nan, np.nan, 3.0])
    assert as_numbers(pd.Series(["1.5", "three"])) is None
    assert np.isnan(as_numbers(pd.Series([np.nan, np.nan]))).all()
    names, codes = as_codes(pd.Series(["SE", None, "GRE", "SE"]))
    assert names == ["", "GRE", "SE"] and codes.tolist() == [2, 0, 1, 2]


def test_indicators_skip_unused_codes() -> None:
    np.testing.assert_array_equal(one_hot(np.array([7, 0, 7])), [[0, 1], [1, 0], [0, 1]])


def test_tables_that_cannot_be_aligned_are_named() -> None:
    table = subjects(3)
    empty = pd.DataFrame(index=table.index)
    with pytest.raises(DatasetError, match="column label"):
        make_table(table.drop(columns="label"), empty)
    with pytest.raises(DatasetError, match="several rows for 001"):
        make_table(table, empty.iloc[[0, 1, 1, 2]])
    with pytest.raises(DatasetError, match="no subject in common"):
        make_table(table, empty.set_axis([0, 1, 2]))
    with pytest.raises(DatasetError, match=r"none for 1, such as 00"):
        make_table(table, empty.iloc[:2])
    with pytest.raises(DatasetError, match=r"control \(2\), tumour \(1\)"):
        make_table(table.assign(label=["control", "control", "tumour"]), empty)
    with pytest.raises(DatasetError, match="column score"):
        require_columns(table.drop(columns="score"), "label", "score")
