import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine
from scipy import ndimage
from torch.nn import functional

from brain_cae.reshape import Group
from brain_cae.reshape.network import from_network, network_shape, to_native, to_network

sizes = st.tuples(*[st.integers(8, 40)] * 3)


@settings(max_examples=30)
@given(native=sizes, target=sizes, stride=st.sampled_from([1, 2, 8]))
def test_network_dimensions_are_divisible_and_the_inverse_is_native(native, target, stride):
    volume = torch.rand(2, *native)
    group = Group("a", target)
    there = to_network(volume, group, stride)
    assert there.shape[1:] == network_shape(group, stride)
    assert all(size % stride == 0 for size in there.shape[1:])
    assert all(0 <= size - wanted < stride for size, wanted in zip(there.shape[1:], target, strict=True))
    assert from_network(there, group, native).shape == volume.shape


@settings(max_examples=20)
@given(native=sizes)
def test_the_native_dimensions_lose_nothing(native):
    volume = torch.rand(1, *native)
    group = Group("a", native)
    assert torch.equal(from_network(to_network(volume, group, 8), group, native), volume)


@settings(max_examples=20)
@given(target=st.tuples(*[st.integers(16, 32)] * 3))
def test_a_smooth_volume_survives_the_round_trip(target):
    axes = torch.meshgrid(*[torch.linspace(0, 3, size) for size in (24, 20, 28)], indexing="ij")
    volume = (axes[0].sin() + axes[1].cos() + axes[2])[None]
    group = Group("a", target)
    back = from_network(to_network(volume, group, 4), group, (24, 20, 28))
    assert (back - volume).abs().mean() < 0.03


def test_padding_is_zero_and_at_the_end():
    there = to_network(torch.ones(1, 9, 8, 8), Group("a", (9, 8, 8)), 8)
    assert there.shape == (1, 16, 8, 8)
    assert there[:, 9:].abs().sum() == 0
    assert there[:, :9].min() == 1


@settings(max_examples=30)
@given(native=sizes, start=st.tuples(*[st.integers(-5, 5)] * 3), window=sizes, stride=st.sampled_from([1, 8]))
def test_only_the_window_comes_back_at_its_position(native, start, window, stride):
    volume = 1 + torch.rand(1, *native)
    group = Group("a", window, resized=native, start=start)
    there = to_network(volume, group, stride)
    assert there.shape[1:] == network_shape(group, stride)
    seen = [slice(max(0, a), max(0, min(n, a + w))) for a, w, n in zip(start, window, native, strict=True)]
    expected = torch.zeros_like(volume)
    expected[(slice(None), *seen)] = volume[(slice(None), *seen)]
    assert torch.equal(from_network(there, group, native), expected)
    assert float(there.sum()) == pytest.approx(float(expected.sum()), rel=1e-5)


@settings(max_examples=20)
@given(
    native=st.tuples(*[st.integers(20, 40)] * 3),
    target=st.tuples(*[st.integers(20, 40)] * 3),
    start=st.tuples(*[st.integers(-5, 5)] * 3),
)
def test_a_feature_map_knows_where_its_voxels_lie_in_the_volume(native, target, start):
    """Coordinates that pass through the network's resizing, window and pooling are those of ``to_native``."""
    group, stride = Group("a", target, resized=tuple(size + 4 for size in target), start=start), 4
    axes = torch.stack(torch.meshgrid(*[torch.arange(size).float() for size in native], indexing="ij"))
    features = functional.avg_pool3d(to_network(axes, group, stride), stride)
    shape = tuple(features.shape[1:])
    inside = functional.avg_pool3d(to_network(torch.ones(1, *native), group, stride), stride)[0] > 0.999
    places = apply_affine(to_native(group, native, stride, shape), np.moveaxis(np.indices(shape), 0, -1))
    # Resizing repeats the edge of a volume within half a voxel of it, so the outermost features are left out.
    deep = ndimage.binary_erosion(inside.numpy())
    assert not deep.any() or np.abs(places - np.moveaxis(features.numpy(), 0, -1))[deep].max() < 0.3


@pytest.mark.parametrize(
    "group",
    [
        Group("same", (20, 24, 18)),
        Group("smaller", (11, 30, 16)),
        Group("window", (12, 9, 20), resized=(25, 20, 24), start=(6, 5, 3)),
        Group("window of the same size", (10, 13, 11), resized=(20, 24, 18), start=(5, 6, 2)),
        Group("beyond", (30, 30, 30), resized=(20, 24, 18), start=(-4, -3, -6)),
    ],
    ids=lambda group: group.name,
)
def test_a_box_of_the_volume_is_as_good_as_the_whole(group):
    native, box = (20, 24, 18), (slice(4, 15), slice(5, 19), slice(3, 12))
    volume = torch.zeros(2, *native)
    volume[(slice(None), *box)] = torch.rand(2, 11, 14, 9, generator=torch.Generator().manual_seed(0))
    before = volume.clone()
    there = to_network(volume, group, 8)
    of_box = to_network(volume[(slice(None), *box)], group, 8, native=native, start=(4, 5, 3))
    np.testing.assert_allclose(of_box, there, atol=1e-6)
    back = from_network(there, group, native)
    box_back = from_network(there, group, native, start=(4, 5, 3), shape=(11, 14, 9))
    np.testing.assert_allclose(box_back, back[(slice(None), *box)], atol=1e-6)
    torch.testing.assert_close(volume, before, rtol=0, atol=0)
