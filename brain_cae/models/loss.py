"""Reconstruction error inside a mask, with fewer passes over the volume than autograd would take."""

from typing import Any

import torch


def masked_error(output: torch.Tensor, volume: torch.Tensor, mask: torch.Tensor, *, power: int = 1) -> torch.Tensor:
    """Return the mean of ``|output - volume| ** power`` over modalities and the voxels inside the mask.

    Args:
        output: Reconstruction (N, C, X, Y, Z), of any floating-point type; it gets the gradient.
        volume: Target (N, C, X, Y, Z), single precision.
        mask: Shape (N, 1, X, Y, Z), 0 and 1; an empty mask gives 0.
        power: 1 (L1) or 2 (L2).
    """
    return masked_errors(output, volume, mask, power=power)[0]


def masked_errors(
    output: torch.Tensor, volume: torch.Tensor, mask: torch.Tensor, *, power: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what :func:`masked_error` returns, and the same of each modality (C,), which has no gradient."""
    voxels = mask.sum().clamp(min=1)
    total, channels = _TotalError.apply(output, volume, mask, power)
    return total / (voxels * volume.shape[1]), channels / voxels


class _TotalError(torch.autograd.Function):
    """Autograd would keep and multiply the mask again; the gradient is known from the masked difference alone."""

    @staticmethod
    def forward(
        ctx: Any, output: torch.Tensor, volume: torch.Tensor, mask: torch.Tensor, power: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        difference = torch.sub(output.float(), volume).mul_(mask)
        ctx.save_for_backward(difference)
        ctx.power, ctx.dtype = power, output.dtype
        channels = (difference.abs() if power == 1 else difference.square()).sum(dim=(0, 2, 3, 4))
        ctx.mark_non_differentiable(channels)
        return channels.sum(), channels

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (difference,) = ctx.saved_tensors
        if ctx.power == 1:
            return difference.to(ctx.dtype, copy=True).sign_().mul_(gradient), None, None, None
        return difference.mul(2 * gradient).to(ctx.dtype), None, None, None
