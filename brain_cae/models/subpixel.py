"""A fast autoencoder: cubes of voxels become channels, so that no convolution runs at full resolution."""

import math
from collections.abc import Sequence

import torch
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import nn

from brain_cae.models.autoencoder import Autoencoder, check_levels, convolution


class SpaceToDepth(nn.Module):
    """Turns each cube of ``factor`` voxels a side into channels of one voxel.

    (N, C, X, Y, Z) becomes (N, C·factor³, X/factor, Y/factor, Z/factor). Nothing is lost.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Rearrange the voxels."""
        device = volumes.device.type
        if torch.is_autocast_enabled(device):
            # The convolution would cast its input anyway; before the rearrangement, that halves what is copied.
            volumes = volumes.to(torch.get_autocast_dtype(device))
        return pixelunshuffle(volumes, spatial_dims=3, scale_factor=self.factor)


class DepthToSpace(nn.Module):
    """The inverse of :class:`SpaceToDepth`: each voxel's channels become a cube of ``factor`` voxels a side."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Rearrange the channels."""
        return pixelshuffle(features, spatial_dims=3, scale_factor=self.factor)


class SubpixelAutoencoder(Autoencoder):
    """Convolutions between a space-to-depth rearrangement and its inverse (sub-pixel convolution, Shi et al. 2016).

    The first level of an ordinary autoencoder holds most of the memory and costs most of the copies, norms and
    activations, on two modalities that feed convolutions badly. Here the first features lie on a grid that is
    coarser by ``factor * strides[0]``. The bottleneck is the same.

    Args:
        in_channels: Number of modalities C.
        channels: Feature channels after each level.
        strides: Stride of each level, after the rearrangement.
        latent_channels: Channels of the bottleneck.
        factor: Side of the cubes in voxels; ``factor`` times the product of the strides divides the input's dimensions.

    Raises:
        ValueError: The arguments do not describe levels, or ``factor`` is below 1.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int] = (32, 64, 128),
        strides: Sequence[int] = (2, 2, 1),
        latent_channels: int = 8,
        factor: int = 2,
    ) -> None:
        check_levels(channels, strides, latent_channels)
        if factor < 1:
            raise ValueError(f"factor must be at least 1, got {factor}")
        cube = in_channels * factor**3
        widths = [cube, *channels]
        down = [_convolution(a, b, stride) for a, b, stride in zip(widths, widths[1:], strides, strict=False)]
        down[0] = nn.Sequential(SpaceToDepth(factor), down[0])
        up = [
            _convolution(widths[level + 1], widths[level], strides[level], transposed=True, last=level == 0)
            for level in range(len(channels) - 1, -1, -1)
        ]
        super().__init__(
            nn.Sequential(*down, nn.Conv3d(widths[-1], latent_channels, kernel_size=1)),
            nn.Sequential(nn.Conv3d(latent_channels, widths[-1], kernel_size=1), *up, DepthToSpace(factor)),
            factor * math.prod(strides),
        )


def _convolution(
    width_in: int, width_out: int, stride: int, *, transposed: bool = False, last: bool = False
) -> nn.Module:
    # Not in place: the output of the norm is a view, whose change autograd can only follow with a copy.
    act = ("LEAKYRELU", {"negative_slope": 0.1})
    # The norm would remove a bias.
    return convolution(width_in, width_out, stride, transposed=transposed, act=act, bias=last, conv_only=last)
