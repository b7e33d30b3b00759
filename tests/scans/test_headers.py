"""Headers alone give what the import gives, without a voxel."""

import math

import nibabel
import numpy as np
import pytest

from brain_cae.scans.headers import read_headers, slice_distance
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.store import import_series
from tests.scans.synthesise import SAGITTAL, voxels, write_series

COMPARED = ["rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm", "orientation",
            "repetition_time_ms", "echo_time_ms", "field_strength_t", "manufacturer", "sequence"]  # fmt: skip


@pytest.fixture
def locations(tmp_path):
    many = write_series(tmp_path / "a", voxels((30, 5, 4)), orientation=SAGITTAL, distance=1.25)
    volume = tmp_path / "b.nii.gz"
    nibabel.Nifti1Image(np.random.default_rng(0).normal(size=(5, 6, 7)), np.diag([1, 2, 3, 1.0])).to_filename(volume)
    stray = tmp_path / "a" / "README.md"
    stray.write_text("no image")
    return [
        SeriesLocation("a", "flair", tuple(many), label="healthy", source="own"),
        SeriesLocation("b", "flair", (volume,), label="abnormal", source="own"),
        SeriesLocation("c", "flair", (stray,)),
        SeriesLocation("d", "flair", ()),
    ]


def test_headers_say_what_the_import_says(locations, tmp_path):
    index, notes = read_headers(locations, tmp_path / "store", progress=False)
    assert index["subject"].tolist() == ["a", "b"] and set(index["series_hash"]) == {""}
    assert len(notes) == 1 and "c/flair" in notes[0]
    assert not (tmp_path / "store").exists()
    imported = import_series(locations[:2], tmp_path / "store", progress=False).index
    for name in COMPARED:
        assert index[name].fillna(-1).tolist() == imported[name].fillna(-1).tolist(), name
    again, _ = read_headers(locations, tmp_path / "store", progress=False)
    assert again["series_hash"].tolist() == imported["series_hash"].tolist()


def test_distance_from_some_of_the_slices():
    rng = np.random.default_rng(0)
    for slices, distance in ((60, 1.2), (25, 5.0), (180, 1.0)):
        places = -80 + distance * rng.choice(slices, 12, replace=False) + rng.normal(0, 0.005, 12)
        assert slice_distance(places, slices) == pytest.approx(distance, rel=0.01)
    assert math.isnan(slice_distance(np.array([3.0]), 10))
