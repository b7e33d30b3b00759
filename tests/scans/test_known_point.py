"""A known point from DICOM in patient coordinates to the common grid of the prepared scans."""

import numpy as np

from brain_cae.data.preprocess import prepare_subject
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.store import import_series

from .synthesise import AXIAL, CORONAL, SAGITTAL, turned, write_series

SIDE = 72
# Orientations, some oblique, each with its spacing (mm).
SERIES = {
    "flair": (turned(AXIAL, 12, 0), (2.0, 2.0), 4.0),
    "t1": (turned(SAGITTAL, -9, 2), (1.5, 1.5), 3.0),
    "t2": (CORONAL, (2.0, 1.5), 5.0),
}


def write_ball(folder, orientation, spacing, distance, point):
    """Write a ball of 40 mm around the origin with a bright one of 7 mm at a point (RAS+ mm)."""
    row, column, count = np.array(orientation[:3]), np.array(orientation[3:]), int(110 / distance)
    steps = np.array([distance * np.cross(row, column), spacing[0] * column, spacing[1] * row])
    origin = -(np.array([count, SIDE, SIDE]) - 1) / 2 @ steps
    world = (origin + np.moveaxis(np.indices((count, SIDE, SIDE)), 0, -1) @ steps) * [-1, -1, 1]
    stack = np.where(world[..., 0] > 0, 104, 100) * (np.linalg.norm(world, axis=-1) < 40)
    stack[np.linalg.norm(world - point, axis=-1) < 7] = 400
    options = {"orientation": orientation, "origin": origin, "spacing": spacing, "distance": distance}
    return write_series(folder, stack.astype(np.int16), series=f"1.2.3.{len(folder.name)}", **options)


def test_a_point_in_series_of_three_planes_lands_in_one_voxel(tmp_path):
    point = np.array([12.0, -14.0, 8.0])
    locations = [
        SeriesLocation("s", modality, tuple(write_ball(tmp_path / modality, *series, point)))
        for modality, series in SERIES.items()
    ]
    index = import_series(locations, tmp_path / "store", progress=False).index
    assert sorted(index["orientation"]) == ["axial", "coronal", "sagittal"]
    subject = prepare_subject(index, modalities=list(SERIES), reference="flair", scaling="median")
    expected = np.linalg.solve(subject.affine, [*point, 1])[:3]
    for channel in subject.volume:
        weights = np.clip(channel - 2, 0, None)
        centre = np.array([(weights * axis).sum() / weights.sum() for axis in np.indices(weights.shape)])
        assert np.abs(centre - expected).max() < 0.5
