"""Fixed-length features of a subject, whatever the shape of its volume."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.errors import ConfigurationError, DatasetError

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999)
CARRIED = "acquisition_"
"""Columns with this prefix describe how a subject was scanned. They are added to every arm, and the first step of the
pipeline removes them."""
ARMS = {
    "encoder": ("encoder_",),
    "distance": ("distance_",),
    "residual": ("residual_",),
    "both": ("encoder_", "distance_", "residual_"),
}
"""Column prefixes of each feature arm."""
EARLIER = "encoder_level"
"""Column prefix of pooled channels of levels before the bottleneck."""


def encoder_features(maps: NDArray, mask: NDArray, *, level: str = "") -> dict[str, float]:
    """Return mean and standard deviation of each channel of one encoder level inside the mask.

    Args:
        maps: Shape (C, x, y, z), the level's output.
        mask: Shape (x, y, z), truthy inside the head, on the level's grid; an empty mask means the whole grid.
        level: Name of the level; empty for the bottleneck.

    Returns:
        ``encoder_mean_00``, ``encoder_std_00``, ...; for a named level ``encoder_<level>_mean_00``, ...

    Raises:
        DatasetError: The mask is not on the level's grid.
    """
    values = np.asarray(maps, dtype=float)[:, _inside(maps, mask, "encoder maps")]
    prefix = f"encoder_{level}" if level else "encoder"
    return _numbered(f"{prefix}_mean", values.mean(axis=1)) | _numbered(f"{prefix}_std", values.std(axis=1))


def distance_features(z: NDArray, mask: NDArray, *, level: str = "") -> dict[str, float]:
    """Return how far a brain is from healthy brains at the same place, for one encoder level.

    A tumour is local, so the 95th percentile over all places is returned besides the mean.

    Args:
        z: Shape (C, X, Y, Z), z-scores against healthy brains in the shared frame.
        mask: Shape (X, Y, Z), truthy inside the head; an empty mask means the whole frame.
        level: As for :func:`encoder_features`.

    Returns:
        ``distance_<level>_mean`` and ``distance_<level>_q95``: over all places, of the root mean square over channels.
    """
    values = np.asarray(z, dtype=float)[:, _inside(z, mask, "encoder maps")]
    distance, prefix = np.sqrt((values**2).mean(axis=0)), f"distance_{level or 'bottleneck'}"
    return {f"{prefix}_mean": float(distance.mean()), f"{prefix}_q95": float(np.quantile(distance, 0.95))}


def residual_features(
    maps: NDArray,
    modalities: Sequence[str],
    *,
    quantiles: Sequence[float] = QUANTILES,
) -> dict[str, float]:
    """Return upper quantiles of the signed z maps inside the mask, per modality and for their mean (the joint map).

    Args:
        maps: Shape (C, n), one signed z map per modality at the voxels of the mask; higher means more suspicious.
        modalities: Names of the C maps.
        quantiles: Between 0 and 1.

    Returns:
        ``residual_<modality>_q990`` for the quantile 0.990, and ``residual_joint_q990``.

    Raises:
        DatasetError: Maps and names do not match.
    """
    if len(maps) != len(modalities):
        raise DatasetError(
            "Residual maps and modalities differ in number.", expected=f"{len(modalities)} maps", found=str(len(maps))
        )
    values = np.asarray(maps)
    rows = {**dict(zip(modalities, values, strict=True)), "joint": values.mean(axis=0)}
    return {
        f"residual_{name}_q{round(level * 1000):03d}": float(figure)
        for name, row in rows.items()
        for level, figure in zip(quantiles, np.quantile(row, quantiles), strict=True)
    }


def usable(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return features that a classifier can use, and notes on unusable values.

    Infinite values become missing values, which the pipeline replaces by the median of the training part. No feature
    is dropped: one that is constant here may vary in the next patients.

    Returns:
        The features, and a note for each fault, with the names of the features.
    """
    finite = frame.where(np.isfinite(frame.to_numpy(dtype=float)))
    missing = finite.isna().any()
    # With a single patient every feature is constant.
    empty, varying = finite.isna().all(), (finite.nunique() > 1) | (len(frame) < 2)
    faults = {
        "are missing in all subjects": empty,
        "are not finite in some subjects and are replaced by the median": missing & ~empty,
        "are the same in every subject": ~varying & ~empty,
    }
    notes = []
    for fault, affected in faults.items():
        names = [str(name) for name in frame.columns[affected] if not str(name).startswith(CARRIED)]
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            notes.append(f"Features that {fault}: {', '.join(names[:5])}{more}.")
    return finite, notes


def select_arm(frame: pd.DataFrame, arm: str, levels: str = "bottleneck") -> pd.DataFrame:
    """Return the columns of one feature arm, one of ``ARMS``; carried columns come last.

    Args:
        frame: One row per subject.
        arm: ``encoder``, ``distance``, ``residual`` or ``both``.
        levels: ``bottleneck`` or ``all``: which levels' pooled channels the encoder arm contains.

    Raises:
        ConfigurationError: The arm is unknown.
        DatasetError: The table has no column of that arm.
    """
    if arm not in ARMS:
        raise ConfigurationError("Unknown features.", expected=", ".join(ARMS), found=arm, where="features")
    names = frame.columns.astype(str)
    chosen = names.str.startswith(ARMS[arm]) & ((levels == "all") | ~names.str.startswith(EARLIER))
    if not chosen.any():
        raise DatasetError(f"The table has no {arm} features.", expected=" or ".join(ARMS[arm]), found=", ".join(names))
    return pd.concat([frame.loc[:, chosen], frame.loc[:, names.str.startswith(CARRIED)]], axis=1)


def _inside(maps: NDArray, mask: NDArray, name: str) -> NDArray:
    inside = np.asarray(mask) > 0
    if inside.shape != maps.shape[1:]:
        raise DatasetError(
            f"Mask and {name} lie on different grids.", expected=str(maps.shape[1:]), found=str(inside.shape)
        )
    return inside if inside.any() else np.ones_like(inside)


def _numbered(prefix: str, values: NDArray) -> dict[str, float]:
    return {f"{prefix}_{channel:02d}": float(value) for channel, value in enumerate(values)}
