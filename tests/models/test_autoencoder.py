from functools import partial

import pytest
import torch

from brain_cae.models.autoencoder import ConvolutionalAutoencoder
from brain_cae.models.subpixel import SubpixelAutoencoder


@pytest.mark.parametrize("shape", [(16, 16, 8), (24, 16, 32), (40, 8, 8)])
def test_one_network_serves_every_shape(shape):
    network = ConvolutionalAutoencoder(2, (4, 8, 8), (2, 2, 2), 3)
    volumes = torch.rand(2, 2, *shape)
    assert network(volumes).shape == volumes.shape
    assert network.encode(volumes).shape == (2, 3, *(size // 8 for size in shape))
    assert network.stride == 8


def test_everything_passes_the_bottleneck():
    network = ConvolutionalAutoencoder(1, (4, 8), (2, 2), 2).eval()
    latent = network.encode(torch.rand(1, 1, 8, 8, 8))
    assert torch.equal(network.decode(latent), network.decode(latent.clone()))
    assert latent.numel() < 8**3 / 10


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="same length"):
        ConvolutionalAutoencoder(1, (4, 8), (2,))


NETWORKS = [partial(ConvolutionalAutoencoder, channels=[16, 32, 64, 128], strides=[2, 2, 2, 1], latent_channels=8)] + [
    partial(SubpixelAutoencoder, strides=strides) for strides in [(2, 2, 1), (2, 1, 2), (4, 1, 1), (1, 2, 2)]
]


@pytest.mark.parametrize("slices", [8, 16])
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: f"{make.func.__name__}{make.keywords['strides']}")
def test_half_precision_holds_down_to_one_voxel(slices, make):
    torch.manual_seed(0)
    network = make(2)
    volumes = torch.rand(1, 2, 32, 40, slices)
    single = network(volumes)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(volumes).float()
    assert torch.isfinite(half).all()
    assert (half - single).abs().max() < 0.1 * single.abs().max()
    gradients = []
    for output in (single, half):
        network.zero_grad()
        output.square().sum().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.98
