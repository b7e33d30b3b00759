"""Who was scanned how: one row of acquisition per subject, and subjects grouped by protocol."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from brain_cae.errors import ConfigurationError, DatasetError

NUMBERS = (
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg", "rows", "columns", "slices",
    "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm",
)  # fmt: skip
TEXTS = ("orientation", "sequence", "dimensionality")
SCANNER = ("manufacturer", "model", "field_strength_t", "orientation")
# What makes another contrast or another sampling; the matrix follows from the field of view and says less.
DEFINING = (
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "spacing_row_mm", "spacing_column_mm",
    "spacing_slice_mm",
)  # fmt: skip
RATIO = 1.2
MINIMUM = 8
POOLED = "pooled (small groups)"
UNKNOWN = "unknown"
UNSEEN = "unseen"


def subject_acquisition(index: pd.DataFrame, *, modalities: Sequence[str], reference: str) -> pd.DataFrame:
    """Make one row of acquisition per subject.

    Args:
        index: The index of the import; a subject's first session counts.
        modalities: Modalities in use.
        reference: The one whose scanner and plane stand for the subject; a subject without it gives those of its
            first modality in use.

    Returns:
        Table with the index ``subject`` and the columns manufacturer, model, field_strength_t (T), orientation and
        ``<modality>_<parameter>`` for every modality (ms, degrees, mm); NaN and ``""`` where a modality is missing.

    Raises:
        ConfigurationError: the reference is none of the modalities.
        DatasetError: no subject has any of the modalities.
    """
    if reference not in modalities:
        raise ConfigurationError(
            "The reference modality is not in use.",
            expected=f"one of {', '.join(modalities)}",
            found=reference,
            where="modality.reference",
        )
    used = index[index["modality"].isin(list(modalities))].sort_values(["subject", "session"], kind="stable")
    if used.empty:
        raise DatasetError("No subject has any of these modalities.", expected=", ".join(modalities), found="none")
    first = used.drop_duplicates(["subject", "modality"])
    # The reference comes first, then the order of the modalities: that is who speaks for the scanner.
    rank = first["modality"].map({name: number for number, name in enumerate([reference, *modalities][::-1])})
    speaking = first.assign(rank=-rank).sort_values(["subject", "rank"], kind="stable").drop_duplicates("subject")
    table = speaking.set_index("subject")[list(SCANNER)].sort_index()
    for modality in modalities:
        rows = first[first["modality"] == modality].set_index("subject").reindex(table.index)
        for name in (*NUMBERS, *TEXTS):
            values = rows[name].astype("float64") if name in NUMBERS else rows[name].fillna("").astype(object)
            table[f"{modality}_{name}"] = values
    return table


@dataclass
class ProtocolGroups:
    """Subjects whose scans were made alike.

    A protocol is manufacturer, model, field (to 0.1 T) and plane of the reference; within those, single linkage on
    TR, TE, TI and spacings of all modalities splits it only where they differ beyond 20 %. Protocols of fewer than
    ``minimum`` subjects are pooled. A subject whose headers say nothing is ``unknown``; one whose protocol was not
    there when the groups were made is ``unseen``.
    """

    minimum: int = MINIMUM
    columns: tuple[str, ...] = ()
    members: list[tuple[str, str, np.ndarray]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def fit(cls, table: pd.DataFrame, *, minimum: int = MINIMUM) -> Self:
        """Make the groups of a table of :func:`subject_acquisition`."""
        columns = tuple(name for name in table.columns if name.endswith(tuple(f"_{part}" for part in DEFINING)))
        groups = cls(minimum=minimum, columns=columns)
        families: dict[str, list[np.ndarray]] = {}
        for (_, row), values in zip(table.iterrows(), _log_parameters(table, columns), strict=True):
            if not _is_unknown(row, values):
                families.setdefault(_family(row), []).append(values)
        for family in sorted(families):
            groups._add_family(family, np.array(families[family]).reshape(len(families[family]), len(columns)))
        return groups

    @property
    def names(self) -> list[str]:
        """Names of the protocols with enough subjects, then the pool if there is one."""
        large = [name for name, count in self.counts.items() if count >= self.minimum]
        return large + ([POOLED] if len(large) < len(self.counts) else [])

    def is_small(self, name: str) -> bool:
        """Say whether a name stands for too few subjects of one protocol to say anything about it."""
        return name in (POOLED, UNKNOWN, UNSEEN)

    def assign(self, table: pd.DataFrame) -> pd.Series:
        """Name the protocol of each subject: a group, the pool, ``unknown`` or ``unseen``."""
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            raise DatasetError(
                "The table lacks parameters that made the protocol groups.",
                expected=", ".join(self.columns),
                found=f"without {', '.join(missing)}",
                advice="Use the modalities that the groups were made with.",
            )
        logs = _log_parameters(table, self.columns)
        named = [self._name(row, values) for (_, row), values in zip(table.iterrows(), logs, strict=True)]
        return pd.Series(named, index=table.index, name="protocol", dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values that JSON can hold (NaN as None)."""
        members = [
            {"name": name, "family": family, "log_parameters": [_plain(row) for row in rows]}
            for name, family, rows in self.members
        ]
        return {
            "minimum": self.minimum,
            "columns": list(self.columns),
            "members": members,
            "counts": dict(self.counts),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Make the groups again from what :meth:`to_dict` gave."""
        columns = tuple(content["columns"])
        members = []
        for entry in content["members"]:
            rows = [[math.nan if value is None else value for value in row] for row in entry["log_parameters"]]
            members.append((entry["name"], entry["family"], np.array(rows, dtype=float).reshape(-1, len(columns))))
        return cls(minimum=content["minimum"], columns=columns, members=members, counts=dict(content["counts"]))

    def _add_family(self, family: str, rows: np.ndarray) -> None:
        # Equal rows once: a large cohort has few protocols, and linkage costs the square of the rows.
        unique, counts = np.unique(np.round(rows, 4), axis=0, return_counts=True)
        labels = _link(unique)
        sizes = {label: int(counts[labels == label].sum()) for label in np.unique(labels)}
        # Largest first, then by parameters, so that the numbers do not depend on the subjects' order.
        first = {label: np.nan_to_num(unique[labels == label][0], nan=-1.0).tolist() for label in sizes}
        order = sorted(sizes, key=lambda label: (-sizes[label], first[label]))
        for number, label in enumerate(order, start=1):
            name = f"{family} #{number}"
            self.members.append((name, family, unique[labels == label]))
            self.counts[name] = sizes[label]

    def _name(self, row: pd.Series, values: np.ndarray) -> str:
        if _is_unknown(row, values):
            return UNKNOWN
        family = _family(row)
        nearest, best = UNSEEN, math.inf
        for name, of, rows in self.members:
            if of == family and len(rows):
                distance = float(_distances(values[None], rows).min())
                if distance <= math.log(RATIO) and distance < best:
                    nearest, best = name, distance
        if nearest == UNSEEN:
            return UNSEEN
        return nearest if self.counts[nearest] >= self.minimum else POOLED


def _link(rows: np.ndarray) -> np.ndarray:
    """Number the groups (n,) that single linkage makes of the rows (n, parameters) at the largest tolerated ratio."""
    complete = ~_lacks_modality(rows)
    labels = np.full(len(rows), -1)
    if complete.any():
        near = _distances(rows[complete], rows[complete]) <= math.log(RATIO)
        labels[complete] = connected_components(near, directed=False)[1]
    # A subject without one modality fits several protocols that differ in that one alone: it may join, never join up.
    for number in np.flatnonzero(~complete):
        done = labels >= 0
        distances = _distances(rows[number][None], rows[done])[0] if done.any() else np.array([math.inf])
        if distances.min() <= math.log(RATIO):
            labels[number] = labels[done][int(np.argmin(distances))]
        else:
            labels[number] = labels.max() + 1
    return labels


def _lacks_modality(rows: np.ndarray) -> np.ndarray:
    # The spacings are the last three of a modality's six and known for every scan that there is.
    per_modality = rows.reshape(len(rows), -1, len(DEFINING))
    return np.isnan(per_modality[:, :, 3:]).all(axis=2).any(axis=1)


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Largest log-ratio (n, m) of any parameter; known against unknown is infinite, a missing modality nothing."""
    difference = np.abs(left[:, None] - right[None])
    one_unknown = np.isnan(left)[:, None] != np.isnan(right)[None]
    difference = np.where(np.isnan(difference), 0.0, difference)
    shape = (len(left), len(right), -1, len(DEFINING))
    absent_left = np.isnan(left.reshape(len(left), -1, len(DEFINING))[:, :, 3:]).all(axis=2)
    absent_right = np.isnan(right.reshape(len(right), -1, len(DEFINING))[:, :, 3:]).all(axis=2)
    absent = absent_left[:, None] | absent_right[None]
    difference = np.where(one_unknown, math.inf, difference).reshape(shape)
    difference = np.where(absent[..., None], 0.0, difference).reshape(len(left), len(right), -1)
    return difference.max(axis=2, initial=0.0)


def _log_parameters(table: pd.DataFrame, columns: Iterable[str]) -> np.ndarray:
    values = table[list(columns)].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(values > 0, np.log(values), np.nan)


def _is_unknown(row: pd.Series, values: np.ndarray) -> bool:
    # Every NIfTI has spacings; without a scanner, TR or TE they alone make no protocol.
    times = values.reshape(-1, len(DEFINING))[:, :3]
    return not row["manufacturer"] and math.isnan(row["field_strength_t"]) and bool(np.isnan(times).all())


def _family(row: pd.Series) -> str:
    scanner = " ".join(part for part in (str(row["manufacturer"]), str(row["model"])) if part) or "unknown scanner"
    strength = row["field_strength_t"]
    return f"{scanner} {'unknown field' if math.isnan(strength) else f'{strength:.1f} T'} {row['orientation']}"


def _plain(row: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in row]


def count_protocols(protocols: pd.Series) -> dict[str, int]:
    """Count the subjects of each protocol, most first."""
    return dict(Counter(protocols).most_common())
