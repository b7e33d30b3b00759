"""The autoencoder with space-to-depth: shapes, what runs at which resolution, half precision, and that it learns."""

import pytest
import torch
from torch.nn import functional

from brain_cae.models.subpixel import DepthToSpace, SpaceToDepth, SubpixelAutoencoder


@pytest.mark.parametrize("shape", [(16, 16, 8), (24, 16, 32), (40, 8, 16)])
def test_one_network_serves_every_shape(shape):
    network = SubpixelAutoencoder(2, (4, 8), (2, 2), 3)
    volumes = torch.rand(2, 2, *shape)
    assert network(volumes).shape == volumes.shape
    assert [tuple(level.shape[1:]) for level in network.levels(volumes)] == [
        (4, *(size // 4 for size in shape)),
        (8, *(size // 8 for size in shape)),
        (3, *(size // 8 for size in shape)),
    ]
    assert torch.equal(network.levels(volumes)[-1], network.encode(volumes))
    assert torch.equal(network.decode(network.encode(volumes)), network(volumes))
    assert network.stride == 8


def test_space_to_depth_is_undone_and_keeps_each_cube_at_its_place():
    volumes = torch.rand(2, 3, 4, 8, 12)
    cubes = SpaceToDepth(2)(volumes)
    assert cubes.shape == (2, 24, 2, 4, 6)
    assert torch.equal(DepthToSpace(2)(cubes), volumes)
    assert set(cubes[1, 8:16, 1, 2, 3].tolist()) == set(volumes[1, 1, 2:4, 4:6, 6:8].flatten().tolist())


def test_no_convolution_runs_at_full_resolution():
    network = SubpixelAutoencoder(2)
    sizes = []
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv3d, torch.nn.ConvTranspose3d)):
            module.register_forward_hook(lambda _, given, made: sizes.append(max(given[0].shape[2], made.shape[2])))
    network(torch.rand(1, 2, 32, 16, 16))
    assert len(sizes) == 8 and max(sizes) == 16 and sorted(sizes)[-3] <= 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"channels": (4, 8), "strides": (2,)}, "same length"), ({"factor": 0}, "factor"), ({"strides": (2, 0, 1)}, "1")],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        SubpixelAutoencoder(2, **arguments)


def test_it_learns_smooth_volumes():
    torch.manual_seed(0)
    network = SubpixelAutoencoder(2)
    volumes = functional.interpolate(torch.rand(2, 2, 4, 4, 4), size=(32, 32, 32), mode="trilinear")
    optimiser = torch.optim.AdamW(network.parameters(), 0.002)
    losses = []
    for _ in range(90):
        loss = (network(volumes) - volumes).abs().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    constant = (volumes - volumes.mean(dim=(0, 2, 3, 4), keepdim=True)).abs().mean()
    assert losses[-1] < 0.3 * constant < losses[0]


def test_both_options_have_the_same_stride_and_bottleneck(make_config):
    from brain_cae.detector.build import make_network

    fast, slow = (make_network(make_config(f"model={name}")) for name in ("cae", "strided"))
    volumes = torch.rand(1, 2, 16, 24, 16)
    assert isinstance(fast, SubpixelAutoencoder) and fast.stride == slow.stride == 8
    assert fast.encode(volumes).shape == slow.encode(volumes).shape
