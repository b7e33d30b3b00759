"""The index: what it accepts, and CSV there and back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_cae.errors import DatasetError
from brain_cae.scans.index import INDEX_COLUMNS, NUMBER_COLUMNS, make_index, read_index, validate_index, write_index

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


def test_an_empty_index_is_an_index(tmp_path):
    write_index(make_index([]), tmp_path / "index.csv")
    assert read_index(tmp_path / "index.csv").empty


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    subject=st.sampled_from(["00012", "7", "1e5", "NA", "nan", "sub 1", 'a"b', "a,b"]),
    site=texts,
    model=texts,
    age=st.none() | st.floats(0, 120),
    spacing=st.floats(1e-3, 1e3),
)
def test_csv_there_and_back_is_exact(tmp_path, subject, site, model, age, spacing):
    row = ROW | {"subject": subject, "site": site, "model": model, "age": age, "spacing_row_mm": spacing}
    index = make_index([row, ROW | {"subject": "zz"}])
    write_index(index, tmp_path / "index.csv")
    pd.testing.assert_frame_equal(read_index(tmp_path / "index.csv"), index, check_exact=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "ill"}, "'ill'"),
        ({"modality": "pd"}, "'pd'"),
        ({"skull": "off"}, "'off'"),
        ({"sex": "female"}, "'female'"),
        ({"subject": ""}, "subject"),
        ({"rows": 0}, "rows"),
        ({"spacing_slice_mm": float("nan")}, "spacing_slice_mm"),
        ({"age": float("inf")}, "age"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(DatasetError, match=message):
        make_index([ROW | change])


def test_a_scan_may_stand_there_once():
    with pytest.raises(DatasetError, match="twice"):
        make_index([ROW, ROW])
    assert len(make_index([ROW, ROW | {"session": "2"}])) == 2


def test_a_subject_has_one_label():
    with pytest.raises(DatasetError, match="several labels"):
        make_index([ROW, ROW | {"modality": "t2", "label": "abnormal"}])


def test_missing_columns_and_numbers_for_subjects_are_refused():
    index = make_index([ROW])
    with pytest.raises(DatasetError, match="missing: skull"):
        validate_index(index.drop(columns="skull"))
    with pytest.raises(DatasetError, match="subject must hold text"):
        validate_index(index.assign(subject=12))


def test_a_missing_or_damaged_file_is_named(tmp_path):
    path = tmp_path / "index.csv"
    with pytest.raises(DatasetError, match="missing"):
        read_index(path)
    write_index(make_index([ROW]), path)
    path.write_text(path.read_text().replace("3.0", "three"))
    with pytest.raises(DatasetError, match=r"index\.csv"):
        read_index(path)
