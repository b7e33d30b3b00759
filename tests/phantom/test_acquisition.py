from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from brain_cae.phantom.acquisition import VOXEL_MM, Grid, place_grid, sample_canvas
from brain_cae.phantom.anatomy import Anatomy
from brain_cae.phantom.protocol import PROTOCOLS
from brain_cae.phantom.subject import to_ras


@pytest.fixture
def anatomy() -> Anatomy:
    axes = tuple(np.arange(-h, h + 1, VOXEL_MM) for h in (80.0, 100.0, 86.0))
    brain = np.zeros(tuple(len(a) for a in axes), dtype=bool)
    brain[8:-8, 8:-8, 8:-8] = True
    empty = np.zeros((3, int(brain.sum())), dtype=np.float32)
    return Anatomy(axes, brain, brain, empty, empty, {}, empty[0])


@pytest.mark.parametrize("modality", ["flair", "t1", "t2"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_separable_sampling_equals_interpolation(anatomy: Anatomy, protocol, modality: str) -> None:
    canvas = np.random.default_rng(0).random(anatomy.brain.shape).astype(np.float32)
    grid = place_grid(protocol.series[modality], anatomy.brain, anatomy, 0.0, np.random.default_rng(1))
    start = np.array([a[0] for a in anatomy.axes]).reshape(3, 1, 1, 1)
    expected = ndimage.map_coordinates(canvas, (grid.points() - start) / VOXEL_MM, order=1, mode="grid-constant")
    np.testing.assert_allclose(sample_canvas(canvas, anatomy, grid), expected, atol=2e-5)


@pytest.mark.parametrize("tilt", [0.0, 6.0])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_volume_and_affine_put_every_pixel_where_it_was(anatomy: Anatomy, protocol, tilt: float) -> None:
    # Slices ten times as thick as a pixel is wide: tilted, they extend further along another axis than its pixels do.
    for step in (protocol.series["flair"].slice_step_mm, 10 * protocol.series["flair"].pixel_mm):
        series = replace(protocol.series["flair"], slice_step_mm=step)
        _volume_and_affine_agree(place_grid(series, anatomy.brain, anatomy, tilt, np.random.default_rng(2)))


def _volume_and_affine_agree(grid: Grid) -> None:
    x_of_pixel = grid.points()[0]
    volume, affine = to_ras(x_of_pixel, grid)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij"))
    where = np.tensordot(affine[:3, :3], index, 1) + affine[:3, 3].reshape(3, 1, 1, 1)
    np.testing.assert_allclose(volume, where[0], atol=1e-9)
    assert (np.diag(affine)[:3] > 0).all()
    assert (np.abs(affine[:3, :3]).argmax(0) == [0, 1, 2]).all()


def test_grid_directions_are_right_handed() -> None:
    anatomy_axes = tuple(np.arange(-10, 11, 2.0) for _ in range(3))
    brain = np.ones((11, 11, 11), dtype=bool)
    empty = np.zeros((3, brain.size), dtype=np.float32)
    whole = Anatomy(anatomy_axes, brain, brain, empty, empty, {}, empty[0])
    for protocol in PROTOCOLS:
        for series in protocol.series.values():
            grid: Grid = place_grid(series, brain, whole, 0.0, np.random.default_rng(0))
            assert grid.shape[0] == series.slices[0]  # a tiny head still gets the minimum number of slices
            assert abs(np.linalg.det(grid.affine[:3, :3])) == pytest.approx(series.pixel_mm**2 * series.slice_step_mm)
