import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_cae.reshape import Isotropic
from brain_cae.reshape.measures import anisotropy_mm, network_spacing
from brain_cae.reshape.network import from_network, to_network

AXIAL = ((60, 80, 30), (2.5, 2.5, 5.0), ((5, 55), (10, 70), (2, 28)))  # foreground 125 x 150 x 130 mm
SAGITTAL = ((52, 74, 60), (2.8, 2.8, 2.8), ((2, 50), (8, 62), (5, 53)))  # 134.4 x 151.2 x 134.4 mm


@pytest.fixture
def fitted(make_grid):
    return Isotropic(spacing_mm=2.5, margin_mm=5).fit([make_grid(*AXIAL), make_grid(*SAGITTAL)])


def test_the_box_holds_every_foreground_of_the_training_set_with_the_margin(fitted):
    assert fitted.box_mm == pytest.approx([144.4, 161.2, 144.4])
    assert fitted.target == (58, 65, 58)
    assert Isotropic(spacing_mm=2.5, box_mm=[100, 120, 80]).fit([]).target == (40, 48, 32)


def test_every_subject_is_resampled_to_one_spacing(fitted, make_grid):
    for shape, spacing, foreground in (AXIAL, SAGITTAL):
        group = fitted.group(make_grid(shape, spacing, foreground))
        assert group.known
        assert network_spacing(shape, group.size, spacing) == pytest.approx([2.5] * 3, rel=0.02)
        assert anisotropy_mm(shape, group.size, spacing) < 1.02


@settings(max_examples=40)
@given(
    sizes=st.tuples(*[st.integers(16, 60)] * 3),
    spacing=st.tuples(*[st.floats(1.0, 6.0)] * 3),
    low=st.tuples(*[st.floats(0, 0.4)] * 3),
    high=st.tuples(*[st.floats(0.6, 1)] * 3),
    stride=st.sampled_from([1, 4, 8]),
)
def test_a_brain_comes_back_to_where_it_was(make_grid, sizes, spacing, low, high, stride):
    foreground = tuple((int(a * n), max(int(a * n) + 4, int(b * n))) for a, b, n in zip(low, high, sizes, strict=True))
    grid = make_grid(sizes, spacing, foreground)
    isotropic = Isotropic(spacing_mm=2.0, margin_mm=8).fit([grid])
    group = isotropic.group(grid)
    assert group.known
    # The position in mm is a linear function, so interpolation loses nothing of it away from the border.
    axes = np.meshgrid(*[(np.arange(n) + 0.5) * mm for n, mm in zip(sizes, spacing, strict=True)], indexing="ij")
    volume = torch.from_numpy(np.stack(axes).astype(np.float32))
    there = to_network(volume, group, stride)
    assert all(size % stride == 0 for size in there.shape[1:])
    true = network_spacing(sizes, group.size, spacing)
    for axis, (first, end) in enumerate(foreground):
        middle_mm = (first + end) / 2 * spacing[axis]
        assert (group.target[axis] / 2 + group.start[axis]) * true[axis] == pytest.approx(
            middle_mm, abs=true[axis] / 2 + 1e-6
        )
    back = from_network(there, group, sizes)
    inside = tuple(slice(max(first, 2), min(end, n - 2)) for (first, end), n in zip(foreground, sizes, strict=True))
    error = (back - volume)[(slice(None), *inside)].abs()
    assert error.numel() == 0 or float(error.max()) < max(spacing)  # no axis is shifted by a voxel


def test_a_brain_larger_than_the_box_is_cut_and_not_known(fitted, make_grid):
    shape, spacing = (90, 90, 90), (2.5, 2.5, 2.5)
    grid = make_grid(shape, spacing, ((5, 85), (5, 85), (5, 85)))
    group = fitted.group(grid)
    assert not group.known
    assert to_network(torch.ones(1, *shape), group, 8).sum() == 58 * 65 * 58
    back = from_network(to_network(torch.ones(1, *shape), group, 8), group, shape)
    assert back.shape == (1, *shape)
    assert int((back > 0.5).sum()) == 58 * 65 * 58


def test_a_box_wider_than_the_scan_is_padded(make_grid):
    grid = make_grid((20, 20, 20), (2.0, 2.0, 2.0))
    group = Isotropic(spacing_mm=2.0, box_mm=[60, 60, 60]).fit([grid]).group(grid)
    volume = torch.rand(1, 20, 20, 20)
    there = to_network(volume, group, 1)
    assert there.shape == (1, 30, 30, 30)
    assert torch.equal(there[:, 5:25, 5:25, 5:25], volume)
    assert there.sum() == pytest.approx(float(volume.sum()), rel=1e-5)
    assert torch.equal(from_network(there, group, (20, 20, 20)), volume)


def test_state_survives_json(fitted, make_grid):
    again = Isotropic(spacing_mm=2.5).restore(json.loads(json.dumps(fitted.state())))
    assert again.group(make_grid(*AXIAL)) == fitted.group(make_grid(*AXIAL))
    assert again.groups() == fitted.groups()


def test_dimensions_unlike_the_training_set_are_not_known(fitted, make_grid):
    thick = make_grid((60, 80, 10), (2.5, 2.5, 15.0), ((5, 55), (10, 70), (1, 9)))
    assert not fitted.group(thick).known
