import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_cae.reshape import from_network, most_common, to_network

sizes = st.tuples(*[st.integers(8, 40)] * 3)


@settings(max_examples=30, deadline=None)
@given(native=sizes, target=sizes, stride=st.sampled_from([1, 2, 8]))
def test_there_is_divisible_and_back_is_native(native, target, stride):
    volume = torch.rand(2, *native)
    there = to_network(volume, target, stride)
    assert all(size % stride == 0 for size in there.shape[1:])
    assert all(0 <= size - wanted < stride for size, wanted in zip(there.shape[1:], target, strict=True))
    assert from_network(there, target, native).shape == volume.shape


@settings(max_examples=20, deadline=None)
@given(native=sizes)
def test_its_own_dimensions_lose_nothing(native):
    volume = torch.rand(1, *native)
    assert torch.equal(from_network(to_network(volume, native, 8), native, native), volume)


@settings(max_examples=20, deadline=None)
@given(target=st.tuples(*[st.integers(16, 32)] * 3))
def test_a_smooth_volume_survives_the_way_there_and_back(target):
    axes = torch.meshgrid(*[torch.linspace(0, 3, size) for size in (24, 20, 28)], indexing="ij")
    volume = (axes[0].sin() + axes[1].cos() + axes[2])[None]
    back = from_network(to_network(volume, target, 4), target, (24, 20, 28))
    assert (back - volume).abs().mean() < 0.03


def test_padding_is_zero_and_at_the_end():
    there = to_network(torch.ones(1, 9, 8, 8), (9, 8, 8), 8)
    assert there.shape == (1, 16, 8, 8)
    assert there[:, 9:].abs().sum() == 0
    assert there[:, :9].min() == 1


def test_most_common_prefers_the_larger_of_equals():
    assert most_common([(2, 2, 2), (3, 3, 3), (2, 2, 2)]) == (2, 2, 2)
    assert most_common([(2, 2, 2), (3, 3, 3)]) == (3, 3, 3)
