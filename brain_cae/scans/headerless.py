"""Protocol groups for scans without acquisition headers: NIfTI without scanner, TR and TE."""

from collections import Counter

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from brain_cae.scans.linkage import NEAR
from brain_cae.scans.protocol import MINIMUM, POOLED, UNKNOWN, pooled_names

# Within one protocol, noise and smoothness vary by 15 % (standard deviation, simulated brains), so only large
# differences separate groups; the audit also uses the values themselves.
APART = float(np.log(1.5))

WITHOUT_HEADERS = "no header"
"""How the names of these groups begin."""
SMALL = f"{WITHOUT_HEADERS}, small groups"
"""Groups of too few subjects, of any source and plane."""


def group_without_headers(
    acquisition: pd.DataFrame, appearance: pd.DataFrame, source: pd.Series, *, minimum: int = MINIMUM
) -> pd.Series:
    """Group subjects by source, plane, missing modalities, spacings (over 20 %), noise and smoothness (over 50 %).

    Args:
        acquisition: One row per subject, see :func:`brain_cae.scans.protocol.subject_acquisition`.
        appearance: One row per subject, columns ending in ``noise`` and ``smoothness_mm``; may be empty.
        source: Source of each subject.
        minimum: Groups of fewer subjects are pooled, see :func:`brain_cae.scans.protocol.pooled_names`.

    Returns:
        Name of each subject's group; ``unknown`` for all if only equal spacings are known, since data resampled to
        one grid look like that for any scanners.
    """
    spacings = [name for name in acquisition if "_spacing_" in str(name)]
    looks = [name for name in appearance if str(name).endswith(("noise", "smoothness_mm"))]
    looks = [name for name in looks if appearance[name].notna().any()]
    family = source.reindex(acquisition.index).fillna("").astype(str) + " " + acquisition["orientation"].astype(str)
    near = np.equal.outer(family.to_numpy(), family.to_numpy())
    limits = [(acquisition[name], NEAR) for name in spacings]
    limits += [(appearance[name].reindex(acquisition.index), APART) for name in looks]
    for column, limit in limits:
        near &= _near(column.to_numpy(dtype=float), limit)
    count, numbers = connected_components(near, directed=False)
    if count == 1 and not looks:
        return pd.Series(UNKNOWN, index=acquisition.index, name="protocol", dtype=object)
    sizes = np.bincount(numbers)
    place = {number: place for place, number in enumerate(np.argsort(-sizes, kind="stable"), start=1)}
    families = [f"{WITHOUT_HEADERS}, {name.strip()}" for name in family]
    names = [f"{name} #{place[number]}" for name, number in zip(families, numbers, strict=True)]
    pooled = pooled_names(dict(zip(names, families, strict=True)), Counter(names), minimum)
    given = [SMALL if pooled[name] == POOLED else pooled[name] for name in names]
    return pd.Series(given, index=acquisition.index, name="protocol", dtype=object)


def _near(values: np.ndarray, limit: float) -> np.ndarray:
    """Return which pairs differ by at most ``limit`` in the logarithm; known and missing values are never near."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithm = np.where(values > 0, np.log(values), np.nan)
    known = np.isfinite(logarithm)
    filled = np.where(known, logarithm, 0.0)
    return (np.abs(filled[:, None] - filled[None, :]) <= limit) & (known[:, None] == known[None, :])
