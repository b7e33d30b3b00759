"""A known voxel appears where a radiologist expects it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from brain_cae.reporting.planes import cut, peak

SHAPE = (10, 12, 8)


def marked(voxel: tuple[int, int, int]) -> np.ndarray:
    volume = np.zeros(SHAPE)
    volume[voxel] = 1
    return volume


def place(pixels: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmax(pixels)), pixels.shape)
    return int(row), int(column)


def test_a_right_anterior_superior_voxel_in_radiological_convention():
    voxel = (9, 11, 7)
    sagittal, coronal, axial = cut(marked(voxel), voxel, (1, 1, 1))
    assert place(sagittal.pixels) == (0, 0)  # top, nose to the left
    assert place(coronal.pixels) == (0, 0)  # top, the patient's right on the left
    assert place(axial.pixels) == (0, 0)
    assert (axial.left, axial.right, axial.top, axial.bottom) == ("R", "L", "A", "P")
    assert (sagittal.left, sagittal.right, sagittal.top) == ("A", "P", "S")


def test_neurological_convention_mirrors_only_left_and_right():
    voxel = (9, 11, 7)
    sagittal, coronal, axial = cut(marked(voxel), voxel, (1, 1, 1), convention="neurological")
    assert place(sagittal.pixels) == (0, 0)
    assert place(coronal.pixels) == (0, 9)
    assert place(axial.pixels) == (0, 9)
    assert (axial.left, axial.right) == ("L", "R")


def test_extent_follows_the_spacing():
    sagittal, coronal, axial = cut(np.zeros(SHAPE), (0, 0, 0), (0.5, 1.0, 5.0))
    assert (sagittal.width_mm, sagittal.height_mm) == (12.0, 40.0)
    assert (coronal.width_mm, coronal.height_mm) == (5.0, 40.0)
    assert (axial.width_mm, axial.height_mm) == (5.0, 12.0)
    assert axial.extent == (0.0, 5.0, 12.0, 0.0)
    assert axial.pixels.shape == (12, 10)


@given(some.tuples(*(some.integers(0, size - 1) for size in SHAPE)))
def test_every_plane_through_the_peak_shows_it(voxel):
    volume = marked(voxel)
    assert peak(volume) == voxel
    assert all(plane.pixels.max() == 1 for plane in cut(volume, voxel, (1, 1, 1)))


@pytest.mark.parametrize("fill", [0.0, np.nan, -np.inf])
def test_the_peak_of_a_constant_volume_is_the_middle(fill):
    assert peak(np.full(SHAPE, fill)) == (5, 6, 4)


def test_the_peak_ignores_nan():
    volume = marked((1, 2, 3))
    volume[0, 0, 0] = np.nan
    assert peak(volume) == (1, 2, 3)
