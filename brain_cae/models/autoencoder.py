"""Fully convolutional 3D autoencoders: one set of weights for volumes of any shape."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from monai.networks.blocks import Convolution
from torch import nn


class Autoencoder(nn.Module):
    """An encoder and a decoder without skip connections; subclasses build them.

    Without skip connections, all information passes through the bottleneck, so a lesion that is absent from the
    healthy training brains is hard to reproduce.

    Args:
        encoder: Levels from the finest to the bottleneck.
        decoder: From the bottleneck to the modalities.
        stride: Factor by which the encoder reduces each axis; it divides the input's dimensions.
    """

    def __init__(self, encoder: nn.Sequential, decoder: nn.Sequential, stride: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.stride = stride

    def encode(self, volumes: torch.Tensor) -> torch.Tensor:
        """Encode (N, C, X, Y, Z) to (N, latent_channels, X/stride, Y/stride, Z/stride)."""
        return self.encoder(volumes)

    def levels(self, volumes: torch.Tensor) -> list[torch.Tensor]:
        """Return the output of each encoder level, from the finest to the bottleneck: (N, C_i, X_i, Y_i, Z_i)."""
        outputs = []
        for layer in self.encoder:
            volumes = layer(volumes)
            outputs.append(volumes)
        return outputs

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Decode the bottleneck to (N, C, X, Y, Z)."""
        return self.decoder(latent)

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Reconstruct (N, C, X, Y, Z)."""
        with exact_if_thin(volumes, self.stride) as volumes:
            return self.decode(self.encode(volumes))


@contextmanager
def exact_if_thin(volumes: torch.Tensor, stride: int) -> Iterator[torch.Tensor]:
    """Give volumes (N, C, X, Y, Z) in single precision if a network reduces their last axis to one voxel.

    If a strided convolution does so, PyTorch's bfloat16 on CPUs with AMX returns uninitialised memory
    (github.com/pytorch/pytorch/issues/169688, in 2.13), in forward and backward pass. Training on scans of eight slices
    would fit noise or give NaN.
    """
    if volumes.device.type != "cpu" or volumes.shape[-1] > stride:
        yield volumes
        return
    with torch.autocast("cpu", enabled=False):
        yield volumes.float()


class ConvolutionalAutoencoder(Autoencoder):
    """Strided convolutions down to a narrow bottleneck, transposed convolutions back.

    Instance norm removes a scan's overall contrast, and ``latent_channels`` limits the information about each position.

    Args:
        in_channels: Number of modalities C.
        channels: Feature channels after each level.
        strides: Stride of each level; their product divides the input's dimensions.
        latent_channels: Channels of the bottleneck.

    Raises:
        ValueError: The arguments do not describe levels, see :func:`check_levels`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int] = (16, 32, 64, 128),
        strides: Sequence[int] = (2, 2, 2, 1),
        latent_channels: int = 32,
    ) -> None:
        check_levels(channels, strides, latent_channels)
        widths = [in_channels, *channels]
        down = [convolution(a, b, stride) for a, b, stride in zip(widths, widths[1:], strides, strict=False)]
        encoder = nn.Sequential(*down, nn.Conv3d(widths[-1], latent_channels, kernel_size=1))
        up: list[nn.Module] = [nn.Conv3d(latent_channels, widths[-1], kernel_size=1)]
        for level in range(len(channels) - 1, 0, -1):
            up.append(convolution(widths[level + 1], widths[level], strides[level], transposed=True))
        # The last level maps directly to the modalities: features at full resolution would take three quarters of the
        # time of a step, and their fine detail does not pass the bottleneck anyway.
        decoder = nn.Sequential(*up, _to_modalities(widths[1], in_channels, strides[0]))
        super().__init__(encoder, decoder, math.prod(strides))


def check_levels(channels: Sequence[int], strides: Sequence[int], latent_channels: int) -> None:
    """Check that each level has a number of channels and a stride.

    Raises:
        ValueError: Their numbers differ, or one of them is below 1.
    """
    if len(channels) != len(strides):
        raise ValueError(f"channels and strides must have the same length, got {len(channels)} and {len(strides)}")
    if min([*channels, *strides, latent_channels]) < 1:
        given = f"{channels}, {strides} and {latent_channels}"
        raise ValueError(f"channels, strides and latent_channels must be at least 1, got {given}")


def _to_modalities(width: int, modalities: int, stride: int) -> nn.Module:
    if stride == 1:
        return nn.Conv3d(width, modalities, kernel_size=3, padding=1)
    return nn.ConvTranspose3d(
        width, modalities, kernel_size=stride + 2 * (stride // 2), stride=stride, padding=stride // 2
    )


def convolution(width_in: int, width_out: int, stride: int, *, transposed: bool = False, **choices: Any) -> nn.Module:
    """Return a convolution of a level with instance norm; ``choices`` are further arguments of MONAI's block."""
    return Convolution(
        spatial_dims=3,
        in_channels=width_in,
        out_channels=width_out,
        strides=stride,
        kernel_size=3,
        norm="INSTANCE",
        is_transposed=transposed and stride > 1,
        **({"act": "PRELU"} | choices),
    )
