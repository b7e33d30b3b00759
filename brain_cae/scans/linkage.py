"""Distances between acquisitions, and single linkage over small distances."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

# Parameters that determine contrast and sampling; the matrix size follows from the field of view and tells less. Times
# first, spacings last: the spacings are known for every scan.
DEFINING = (
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "spacing_row_mm", "spacing_column_mm",
    "spacing_slice_mm",
)  # fmt: skip
TIMES = 3
# Up to 20 % difference counts as the same protocol with slightly different settings.
NEAR = float(np.log(1.2)) + 1e-3


def log_parameters(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the logarithms (subjects, columns) of positive parameters; NaN for anything else."""
    values = table[list(columns)].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Rounded to four digits, 0.01 %: equal protocols become equal rows.
        return np.round(np.where(values > 0, np.log(values), np.nan), 4)


def lacks_modality(rows: np.ndarray) -> np.ndarray:
    """Return for each row (n, modalities * 6) whether a modality is missing entirely."""
    return np.asarray(_absent(rows).any(axis=1))


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the largest log-ratio (n, m) of any parameter.

    Known against unknown is infinite (inversion or none); a modality that one of the two rows lacks is ignored.
    """
    shape = (len(left), len(right), -1, len(DEFINING))
    difference = np.nan_to_num(np.abs(left[:, None] - right[None]), nan=0.0)
    difference[np.isnan(left)[:, None] != np.isnan(right)[None]] = np.inf
    absent = _absent(left)[:, None] | _absent(right)[None]
    return np.where(absent[..., None], 0.0, difference.reshape(shape)).max(axis=(2, 3), initial=0.0)


def link(rows: np.ndarray) -> list[np.ndarray]:
    """Split rows (n, parameters) by single linkage into groups of distinct rows.

    A subject that lacks a modality fits several protocols that differ only in that modality; it never joins them. Such
    subjects form groups among themselves, and only if no complete row is near.
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
    # Imported here because protocols are grouped only after the scans are read.
    from scipy.sparse.csgraph import connected_components

    labels = connected_components(distances(rows, rows) <= NEAR, directed=False)[1]
    return [rows[labels == label] for label in np.unique(labels)]


def _absent(rows: np.ndarray) -> np.ndarray:
    return np.isnan(rows.reshape(len(rows), -1, len(DEFINING))[:, :, TIMES:]).all(axis=2)
