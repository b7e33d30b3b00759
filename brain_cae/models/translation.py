"""Translation between modalities: what one shows of a healthy brain, predicted from the others.

A tumour changes the contrasts in another way than healthy tissue varies (Bowles et al. 2017, NeuroImage Clin 16:643:
FLAIR synthesised from T1). No modality sees itself, so nothing has to be kept out by a bottleneck.
"""

from collections.abc import Sequence

import torch
from torch import nn

from brain_cae.models.autoencoder import convolution, exact_if_thin
from brain_cae.models.subpixel import DepthToSpace, SpaceToDepth

HALVINGS = 2
"""After the rearrangement."""


class Translation(nn.Module):
    """One U-Net for each modality, whose input is all others (Ronneberger et al. 2015).

    Args:
        in_channels: Number of modalities C, at least 2.
        channels: Feature channels of the three levels.
        factor: Side of the cubes that become channels; four times this divides the input's dimensions.

    Raises:
        ValueError: There is one modality only, or not three levels of at least one channel.
    """

    def __init__(self, in_channels: int, channels: Sequence[int] = (16, 32, 64), factor: int = 2) -> None:
        super().__init__()
        if in_channels < 2:
            raise ValueError("a translation needs two modalities or more: with one there is nothing to predict it from")
        if len(channels) != HALVINGS + 1 or min([*channels, factor]) < 1:
            raise ValueError(f"channels must be three numbers of at least 1, got {channels}")
        self.networks = nn.ModuleList(_UNet(in_channels - 1, channels, factor) for _ in range(in_channels))
        self.stride = factor * 2**HALVINGS

    def encode(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return the coarsest features (N, C · channels, x, y, z) of (N, C, X, Y, Z)."""
        return torch.cat([network.levels(others)[-1] for network, others in self._parts(volumes)], dim=1)

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Predict each modality of (N, C, X, Y, Z) from the others."""
        with exact_if_thin(volumes, self.stride) as volumes:
            return torch.cat([network(others) for network, others in self._parts(volumes)], dim=1)

    def _parts(self, volumes: torch.Tensor) -> list[tuple["_UNet", torch.Tensor]]:
        count = volumes.shape[1]
        others = [[other for other in range(count) if other != channel] for channel in range(count)]
        return [(network, volumes[:, these]) for network, these in zip(self.networks, others, strict=True)]  # type: ignore[misc]


class _UNet(nn.Module):
    """From (N, inputs, X, Y, Z) to one channel."""

    def __init__(self, inputs: int, channels: Sequence[int], factor: int) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.down = nn.ModuleList(
            [
                nn.Sequential(SpaceToDepth(factor), _convolution(inputs * factor**3, fine)),
                _convolution(fine, middle, 2),
                nn.Sequential(_convolution(middle, coarse, 2), _convolution(coarse, coarse)),
            ]
        )
        self.up = nn.ModuleList([_convolution(coarse, middle, 2, up=True), _convolution(middle, fine, 2, up=True)])
        self.merge = nn.ModuleList([_convolution(2 * middle, middle), _convolution(2 * fine, fine)])
        self.last = nn.Sequential(_convolution(fine, factor**3, plain=True), DepthToSpace(factor))

    def levels(self, volumes: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of each level, from the finest to the coarsest."""
        outputs = []
        for layer in self.down:
            volumes = layer(volumes)
            outputs.append(volumes)
        return outputs

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Predict one modality."""
        *finer, features = self.levels(volumes)
        for up, merge, skipped in zip(self.up, self.merge, reversed(finer), strict=True):
            features = merge(torch.cat([up(features), skipped], dim=1))
        return self.last(features)


def _convolution(width_in: int, width_out: int, stride: int = 1, *, up: bool = False, plain: bool = False) -> nn.Module:
    act = ("LEAKYRELU", {"negative_slope": 0.1})
    return convolution(width_in, width_out, stride, transposed=up, act=act, bias=plain, conv_only=plain)
