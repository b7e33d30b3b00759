"""The audit's view of a cohort: labels, scores, protocols and acquisition, aligned by subject."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES, LABELS

NOT_KNOWN = ("", "unknown")
RARE = 3


@dataclass(frozen=True)
class AuditTable:
    """Subjects with a known label that the autoencoder was not fitted on.

    Args:
        table: The subjects' rows.
        truth: Shape (n,), True = abnormal.
        scores: Shape (n,), NaN where unknown.
        protocols: Shape (n,), number of the protocol (source and protocol if there are several sources).
        pooled: Shape (n,), the same with protocols of fewer than three subjects pooled, unless most subjects belong to
            such: together they would pass for one protocol.
        names: Name of each protocol number.
        metadata: Shape (n, columns), standardised acquisition; no columns if nothing varies.
        acquisition: The subjects' rows of acquisition, with the source if there are several.
        known: Whether the protocol of at least half of the subjects is known, or there are several sources.
    """

    table: pd.DataFrame
    truth: NDArray
    scores: NDArray
    protocols: NDArray
    pooled: NDArray
    names: list[str]
    metadata: NDArray
    acquisition: pd.DataFrame
    known: bool

    @property
    def n(self) -> int:
        """Return the number of subjects."""
        return len(self.truth)

    @property
    def scored(self) -> NDArray:
        """Return which subjects have a score, shape (n,)."""
        return np.isfinite(self.scores)


def make_table(subjects: pd.DataFrame, acquisition: pd.DataFrame, *, strata: str = "protocol") -> AuditTable:
    """Align subjects and their acquisition; without a column ``score`` no subject is scored.

    Raises:
        DatasetError: A column is missing, a label is none of ours, a subject has several rows, or has no row of
            acquisition.
        ConfigurationError: ``strata`` is not a column of either table.
    """
    require_columns(subjects, "label")
    for name, frame in {"subjects": subjects, "acquisition": acquisition}.items():
        if not frame.index.is_unique:
            duplicates = ", ".join(map(str, frame.index[frame.index.duplicated()].unique()[:5]))
            raise DatasetError(
                f"The audit needs one row per subject in {name}.",
                found=f"several rows for {duplicates}",
                advice="Average each subject's sessions.",
            )
    labels = _text(subjects["label"])
    _require_labels(labels)
    keep = labels.isin(CLASSES)
    if "role" in subjects:
        keep &= ~subjects["role"].astype(str).isin(HEALTHY_ROLES)
    table = subjects.loc[keep]
    if len(table) and len(acquisition) and not table.index.isin(acquisition.index).any():
        raise DatasetError(
            "Subjects and acquisition have no subject in common.",
            expected=f"an index like {table.index[0]!r}",
            found=repr(acquisition.index[0]),
            advice="Both tables are indexed by subject; subject names are text, for example '00012'.",
        )
    if len(lacking := table.index.difference(acquisition.index)):
        raise DatasetError(
            "The acquisition of some subjects is missing.",
            expected=f"one row for each of {len(table)} subjects; its values may be missing",
            found=f"none for {len(lacking)}, such as {', '.join(map(str, lacking[:5]))}",
            advice="Add the rows, or leave these subjects out of both tables.",
        )
    rows = acquisition.reindex(table.index)
    if strata in table:
        column = table[strata]
    elif strata in rows:
        column = rows[strata]
    else:
        raise ConfigurationError(
            "The audit's strata are not a column of the tables.",
            expected="a column of the subjects",
            found=strata,
            where="audit.strata",
        )
    protocol = _text(column)
    known = bool(len(protocol)) and float(protocol.isin(NOT_KNOWN).mean()) <= 0.5
    if "source" in table and len(set(_text(table["source"]))) > 1:
        protocol = _text(table["source"]) + " / " + protocol
        rows = rows.assign(source=_text(table["source"]))
        known = True
    names, codes = _codes(protocol)
    sizes = np.bincount(codes, minlength=len(names))
    rare = sizes[codes] < RARE
    few = len(codes) and rare.mean() <= 0.5
    pooled = np.unique(np.where(rare, len(names), codes), return_inverse=True)[1] if few else codes
    scores = table["score"] if "score" in table else pd.Series(np.nan, index=table.index)
    return AuditTable(
        table=table,
        truth=(_text(table["label"]) == "abnormal").to_numpy(),
        scores=pd.to_numeric(scores, errors="coerce").to_numpy(dtype=float),
        protocols=codes,
        pooled=pooled,
        names=[name or "unknown" for name in names],
        metadata=_encode(rows, pooled),
        acquisition=rows,
        known=known,
    )


def _require_labels(labels: pd.Series) -> None:
    unknown = labels[~labels.isin((*LABELS, ""))]
    if len(unknown):
        counts = unknown.value_counts()
        raise DatasetError(
            "Some labels are not known.",
            expected=", ".join(LABELS),
            found=", ".join(f"{label} ({count})" for label, count in counts.head(5).items()),
            where="label",
            advice="Rename them: healthy for controls, abnormal for patients.",
        )


def require_columns(table: pd.DataFrame, *names: str) -> None:
    """Raise DatasetError for the first missing column."""
    for needed in names:
        if needed not in table:
            raise DatasetError(
                f"The audit needs a column {needed}.",
                expected="label, score, protocol",
                found=", ".join(map(str, table.columns)),
            )


def one_hot(codes: NDArray) -> NDArray:
    """Return indicator columns, shape (n, groups)."""
    return (codes[:, None] == np.unique(codes)[None, :]).astype(float)


def _encode(rows: pd.DataFrame, pooled: NDArray) -> NDArray:
    """Return standardised numbers (missing: 0 and an indicator); categories and protocols as indicators."""
    blocks = [one_hot(pooled) - one_hot(pooled).mean(axis=0)] if len(pooled) else [np.zeros((0, 0))]
    for name in rows:
        values = as_numbers(rows[name])
        if values is None:
            indicators = one_hot(as_codes(rows[name])[1])
            blocks.append(indicators - indicators.mean(axis=0))
            continue
        missing = ~np.isfinite(values)
        if missing.all():
            continue
        spread = values[~missing].std()
        z = np.where(missing, 0.0, (values - values[~missing].mean()) / (spread if spread > 1e-9 else 1.0))
        blocks += [np.clip(z, -3, 3)[:, None], missing[:, None] - missing.mean()]
    matrix = np.hstack(blocks)
    return matrix[:, np.ptp(matrix, axis=0) > 1e-9] if len(matrix) else matrix


def as_numbers(column: pd.Series) -> NDArray | None:
    """Return a column of acquisition as floats, NaN where missing; ``None`` if it contains text."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    values = np.where(np.isfinite(values), values, np.nan)
    return None if np.isfinite(values).sum() < (_text(column) != "").sum() else values


def as_codes(column: pd.Series) -> tuple[list[str], NDArray]:
    """Return a column's distinct values as text (``""``: missing) and the code of each subject."""
    return _codes(_text(column))


def _text(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "").astype(str)


def _codes(column: pd.Series) -> tuple[list[str], NDArray]:
    names, codes = np.unique(column.to_numpy(dtype=str), return_inverse=True)
    return [str(name) for name in names], codes
