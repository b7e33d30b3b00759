"""The index: its columns, and the values that it refuses."""

import numpy as np
import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.index import INDEX_COLUMNS, NUMBER_COLUMNS, make_index

ROW = {
    "subject": "00012", "label": "healthy", "modality": "t1", "path": "/store/a.nii", "skull": "on", "rows": 5,
    "columns": 4, "slices": 6, "spacing_row_mm": 1.0, "spacing_column_mm": 1.0, "spacing_slice_mm": 3.0,
    "orientation": "axial", "sequence": "SE", "dimensionality": "2D", "series_hash": "ab",
}  # fmt: skip


def test_columns_and_types():
    index = make_index([ROW])
    assert list(index.columns) == list(INDEX_COLUMNS)
    assert (index[list(NUMBER_COLUMNS)].dtypes == np.float64).all()
    assert index.loc[0, "subject"] == "00012"
    assert index.loc[0, "site"] == ""
    assert np.isnan(index.loc[0, "age"])


def test_an_empty_index_is_an_index():
    assert make_index([]).empty and list(make_index([]).columns) == list(INDEX_COLUMNS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "ill"}, "'ill'"),
        ({"modality": "pd"}, "'pd'"),
        ({"skull": "off"}, "'off'"),
        ({"stripped_by": "bet2"}, "'bet2'"),
        ({"sex": "female"}, "'female'"),
        ({"subject": ""}, "subject"),
        ({"subject": 12}, "subject must contain text"),
        ({"rows": 0}, "rows"),
        ({"spacing_slice_mm": float("nan")}, "spacing_slice_mm"),
        ({"age": float("inf")}, "age"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(DatasetError, match=message):
        make_index([ROW | change])


def test_a_scan_may_be_in_the_index_once():
    with pytest.raises(DatasetError, match="twice"):
        make_index([ROW, ROW])
    assert len(make_index([ROW, ROW | {"session": "2"}])) == 2


def test_a_subject_has_one_label():
    with pytest.raises(DatasetError, match="several labels"):
        make_index([ROW, ROW | {"modality": "t2", "label": "abnormal"}])
