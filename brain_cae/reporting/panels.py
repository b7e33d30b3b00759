"""TensorBoard panel: input, reconstruction and residual of a few fixed brains in three planes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_cae.arrays.boxes import box_of
from brain_cae.reporting.pictures import sides
from brain_cae.reporting.planes import cut
from brain_cae.vocabulary import PLANES

KINDS = ("input", "reconstruction", "residual")


def training_panel(
    inputs: np.ndarray,
    reconstructions: np.ndarray,
    residuals: np.ndarray,
    *,
    modalities: Sequence[str],
    spacing: Sequence[float] | None = None,
) -> Figure:
    """Draw input, reconstruction and residual through the middle of the brain, one row per brain and modality.

    The first input names the sides of the patient; the right is on the left, as in the report.

    The grey scale of a row runs from 0 to the 99.5th percentile of the *inputs* of that modality, the scale of the
    residual from minus half to plus half of that. Both depend only on the fixed inputs, so that panels of different
    epochs can be compared.

    Args:
        inputs: (N, C, X, Y, Z), RAS+; background is 0.
        reconstructions: The same shape.
        residuals: The same shape, signed.
        modalities: Names of the C channels.
        spacing: Voxel size along X, Y, Z in mm; 1 mm isotropic if not given.

    Returns:
        A figure that is not registered with pyplot.

    Raises:
        ValueError: If the shapes differ or the number of modalities is not C.
    """
    stacks = [np.asarray(stack, dtype=np.float32) for stack in (inputs, reconstructions, residuals)]
    shape = stacks[0].shape
    if len(shape) != 5 or any(stack.shape != shape for stack in stacks) or shape[1] != len(modalities):
        shapes = ", ".join(str(stack.shape) for stack in stacks)
        raise ValueError(f"expected three arrays (N, {len(modalities)}, X, Y, Z), found {shapes}")
    x, y, z = spacing if spacing is not None else (1.0, 1.0, 1.0)
    millimetres = (float(x), float(y), float(z))
    brains, channels = shape[:2]
    rows = brains * channels
    figure = Figure(figsize=(13, max(1.6 * rows + 0.5, 2.0)), dpi=80, layout="constrained", facecolor="black")
    axes = figure.subplots(rows, 9, squeeze=False)
    limits = [_upper(stacks[0][:, channel]) for channel in range(channels)]
    for brain in range(brains):
        middle = _middle(stacks[0][brain])
        for channel, modality in enumerate(modalities):
            row = axes[brain * channels + channel]
            for kind, stack in enumerate(stacks):
                top = limits[channel]
                window = (-top / 2, top / 2, "RdBu_r") if kind == 2 else (0.0, top, "gray")
                for axis, plane in zip(
                    row[3 * kind : 3 * kind + 3], cut(stack[brain, channel], middle, millimetres), strict=True
                ):
                    _draw(axis, plane.pixels, plane.extent, window)
                    if brain == channel == kind == 0:
                        sides(axis, plane)
            row[0].set_ylabel(f"{brain + 1}  {modality}", color="white", fontsize=9)
    for column, axis in enumerate(axes[0]):
        title = PLANES[column % 3]
        axis.set_title(f"{KINDS[column // 3]}\n{title}" if column % 3 == 1 else title, color="white", fontsize=8)
    return figure


def _upper(images: np.ndarray) -> float:
    """Return the upper end of the grey scale of a modality: the 99.5th percentile of values above 0."""
    inside = images[np.isfinite(images) & (images > 0)]
    return float(np.percentile(inside, 99.5)) if inside.size else 1.0


def _middle(brain: np.ndarray) -> tuple[int, int, int]:
    """Return the middle voxel of the foreground of (C, X, Y, Z), so that padding does not move the planes."""
    inside = np.any(brain > 0, axis=0)
    # The last voxel counts, except in an empty brain, whose middle is that of the whole volume.
    last = 1 if inside.any() else 0
    x, y, z = ((side.start + side.stop - last) // 2 for side in box_of(inside))
    return x, y, z


def _draw(axis: Axes, pixels: np.ndarray, extent: tuple[float, ...], window: tuple[float, float, str]) -> None:
    low, high, colours = window
    axis.imshow(pixels, extent=extent, vmin=low, vmax=high, cmap=colours, interpolation="nearest")  # type: ignore[arg-type]
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
