"""How far two acquisitions differ, and which hang together by small differences."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

# What makes another contrast or another sampling; the matrix follows from the field of view and says less. Times
# first, spacings last: the spacings are known for every scan that there is.
DEFINING = (
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "spacing_row_mm", "spacing_column_mm",
    "spacing_slice_mm",
)  # fmt: skip
TIMES = 3
# Differences up to a fifth are one protocol, set a little differently.
NEAR = float(np.log(1.2)) + 1e-3


def log_parameters(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Give the logarithms (subjects, columns) of positive parameters; anything else is NaN."""
    values = table[list(columns)].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Four digits of a logarithm are a hundredth of a per cent: equal protocols become equal rows.
        return np.round(np.where(values > 0, np.log(values), np.nan), 4)


def lacks_modality(rows: np.ndarray) -> np.ndarray:
    """Say for each row (n, modalities * 6) whether a modality is missing altogether."""
    return np.asarray(_absent(rows).any(axis=1))


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Largest log-ratio (n, m) of any parameter.

    Known against unknown is infinite (an inversion or none); a modality that one of the two lacks does not count.
    """
    shape = (len(left), len(right), -1, len(DEFINING))
    difference = np.nan_to_num(np.abs(left[:, None] - right[None]), nan=0.0)
    difference[np.isnan(left)[:, None] != np.isnan(right)[None]] = np.inf
    absent = _absent(left)[:, None] | _absent(right)[None]
    return np.where(absent[..., None], 0.0, difference.reshape(shape)).max(axis=(2, 3), initial=0.0)


def link(rows: np.ndarray) -> list[np.ndarray]:
    """Split rows (n, parameters) by single linkage into groups of distinct rows.

    A subject without one modality fits several protocols that differ in that one alone; it never joins them up. It
    makes a group only with its like, and only where no group of complete rows is near.
    """
    filled = np.unique(np.nan_to_num(rows, nan=np.inf), axis=0)
    distinct = np.where(np.isinf(filled), np.nan, filled)
    partial = lacks_modality(distinct)
    complete, rest = distinct[~partial], distinct[partial]
    if len(complete) and len(rest):
        rest = rest[distances(rest, complete).min(axis=1) > NEAR]
    return _components(complete) + _components(rest)


def _components(rows: np.ndarray) -> list[np.ndarray]:
    if not len(rows):
        return []
    labels = connected_components(distances(rows, rows) <= NEAR, directed=False)[1]
    return [rows[labels == label] for label in np.unique(labels)]


def _absent(rows: np.ndarray) -> np.ndarray:
    return np.isnan(rows.reshape(len(rows), -1, len(DEFINING))[:, :, TIMES:]).all(axis=2)
