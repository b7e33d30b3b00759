"""Fixed-length features of a subject, whatever the shape of its volume."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.errors import ConfigurationError, DatasetError

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999)
CARRIED = "acquisition_"
"""Columns with this prefix tell how a subject was scanned: they go with every arm, and the first step of the pipeline
takes them off."""
ARMS = {"encoder": ("encoder_",), "residual": ("residual_",), "both": ("encoder_", "residual_")}


def encoder_features(
    bottleneck: NDArray,
    mask: NDArray,
    *,
    healthy_mean: NDArray | None = None,
    healthy_spread: NDArray | None = None,
) -> dict[str, float]:
    """Mean and standard deviation of each bottleneck channel inside the mask.

    Args:
        bottleneck: Shape (C, x, y, z), the encoder's last layer.
        mask: Shape (x, y, z), truthy inside the head, on the bottleneck's grid; an empty mask means the whole grid.
        healthy_mean: Shape (C, x, y, z) or broadcastable; what healthy brains show at the same place.
        healthy_spread: Same shape, standard deviation of healthy brains. Both given: ``encoder_deviation_<channel>``,
            the mean absolute z against healthy brains, is added.

    Returns:
        ``encoder_mean_00``, ``encoder_std_00``, ... (and ``encoder_deviation_00``, ...).

    Raises:
        DatasetError: The mask is not on the bottleneck's grid.
    """
    inside = _inside(bottleneck, mask, "bottleneck")
    values = np.asarray(bottleneck, dtype=float)[:, inside]
    named = _numbered("encoder_mean", values.mean(axis=1)) | _numbered("encoder_std", values.std(axis=1))
    if healthy_mean is not None and healthy_spread is not None:
        centre = np.broadcast_to(healthy_mean, bottleneck.shape)[:, inside]
        spread = np.broadcast_to(healthy_spread, bottleneck.shape)[:, inside]
        # A channel that is constant in healthy brains has no spread; its floor keeps z finite.
        floor = 1e-6 + 0.01 * spread.mean(axis=1, keepdims=True)
        deviation = np.abs(values - centre) / np.maximum(spread, floor)
        named |= _numbered("encoder_deviation", deviation.mean(axis=1))
    return named


def residual_features(
    maps: NDArray,
    mask: NDArray,
    modalities: Sequence[str],
    *,
    quantiles: Sequence[float] = QUANTILES,
) -> dict[str, float]:
    """Upper quantiles of the signed z maps inside the mask, for each modality and for their mean (the joint map).

    Args:
        maps: Shape (C, X, Y, Z), one signed z map per modality; higher means more suspicious.
        mask: Shape (X, Y, Z), truthy inside the brain; an empty mask means the whole grid.
        modalities: Names of the C maps.
        quantiles: Between 0 and 1.

    Returns:
        ``residual_<modality>_q990`` for the quantile 0.990, and ``residual_joint_q990``.

    Raises:
        DatasetError: Maps, mask and names do not belong together.
    """
    if len(maps) != len(modalities):
        raise DatasetError(
            "Residual maps and modalities differ in number.", expected=f"{len(modalities)} maps", found=str(len(maps))
        )
    values = np.asarray(maps, dtype=float)[:, _inside(maps, mask, "residual maps")]
    rows = {**dict(zip(modalities, values, strict=True)), "joint": values.mean(axis=0)}
    return {
        f"residual_{name}_q{round(level * 1000):03d}": float(figure)
        for name, row in rows.items()
        for level, figure in zip(quantiles, np.quantile(row, quantiles), strict=True)
    }


def select_arm(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Return the columns of one feature arm, ``encoder``, ``residual`` or ``both``; carried columns come last.

    Raises:
        ConfigurationError: The arm is unknown.
        DatasetError: The table has no column of that arm.
    """
    if arm not in ARMS:
        raise ConfigurationError("Unknown features.", expected=", ".join(ARMS), found=arm, where="features")
    own = [str(column).startswith(ARMS[arm]) for column in frame.columns]
    if not any(own):
        raise DatasetError(
            f"The table holds no {arm} features.",
            expected=" or ".join(ARMS[arm]),
            found=", ".join(map(str, frame.columns)),
        )
    carried = [str(column).startswith(CARRIED) for column in frame.columns]
    return pd.concat([frame.loc[:, own], frame.loc[:, carried]], axis=1)


def _inside(maps: NDArray, mask: NDArray, name: str) -> NDArray:
    inside = np.asarray(mask) > 0
    if inside.shape != maps.shape[1:]:
        raise DatasetError(
            f"Mask and {name} lie on different grids.", expected=str(maps.shape[1:]), found=str(inside.shape)
        )
    return inside if inside.any() else np.ones_like(inside)


def _numbered(prefix: str, values: NDArray) -> dict[str, float]:
    return {f"{prefix}_{channel:02d}": float(value) for channel, value in enumerate(values)}
