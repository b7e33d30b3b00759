"""Acquisition parameters of each subject, and subjects grouped by protocol."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.linkage import DEFINING, NEAR, TIMES, distances, lacks_modality, link, log_parameters

NUMBERS = (
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg", "rows", "columns", "slices",
    "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm",
)  # fmt: skip
TEXTS = ("orientation", "sequence", "dimensionality")
SCANNER = ("manufacturer", "model", "field_strength_t", "orientation")
MINIMUM = 8
POOLED = "pooled (small groups)"
UNKNOWN = "unknown"
UNSEEN = "unseen"


def pooled_names(families: dict[str, str], counts: dict[str, int], minimum: int = MINIMUM) -> dict[str, str]:
    """Return the name of each group, or that of a pool for a group with too few subjects.

    Small groups of one family (one scanner and plane) are pooled together. Families are pooled with each other only
    if their small groups have fewer than ``minimum`` subjects: in a pool over all planes and scanners, classes would
    seem to share a protocol although they share neither.

    Args:
        families: Family of each group.
        counts: Number of subjects of each group.
        minimum: Groups of fewer subjects are pooled.
    """
    small = {name for name in families if counts[name] < minimum}
    sizes = Counter[str]()
    for name in small:
        sizes[families[name]] += counts[name]
    pools = {family: f"{family}, small groups" if size >= minimum else POOLED for family, size in sizes.items()}
    return {name: pools[family] if name in small else name for name, family in families.items()}


def subject_acquisition(index: pd.DataFrame, *, modalities: Sequence[str], reference: str) -> pd.DataFrame:
    """Return one row of acquisition parameters per subject.

    Args:
        index: The index of the import; the first session of each subject is used.
        modalities: Modalities in use.
        reference: The modality whose scanner and plane describe the subject; for a subject without it, those of its
            first modality in use.

    Returns:
        Table with the index ``subject`` and the columns manufacturer, model, field_strength_t (T), orientation,
        stripped_by (of the reference, or of the first modality in use that was stripped) and
        ``<modality>_<parameter>`` for every modality (ms, degrees, mm); NaN and ``""`` where a modality is missing.

    Raises:
        ConfigurationError: the reference is not one of the modalities.
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
    # The scanner is taken from the reference, otherwise from the first modality in use.
    rank = first["modality"].map({name: number for number, name in enumerate([reference, *modalities][::-1])})
    ranked = first.assign(rank=-rank).sort_values(["subject", "rank"], kind="stable")
    table = ranked.drop_duplicates("subject").set_index("subject")[list(SCANNER)].sort_index()
    stripped = ranked[ranked["stripped_by"] != ""].drop_duplicates("subject").set_index("subject")["stripped_by"]
    table["stripped_by"] = stripped.reindex(table.index).fillna("").astype(object)
    for modality in modalities:
        rows = first[first["modality"] == modality].set_index("subject").reindex(table.index)
        for name in (*NUMBERS, *TEXTS):
            values = rows[name].astype("float64") if name in NUMBERS else rows[name].fillna("").astype(object)
            table[f"{modality}_{name}"] = values
    return table


def as_typed(name: str) -> str:
    """Return a protocol's name in a form that needs no quotes on a command line.

    ``SIEMENS Skyra 3.0 T axial #1`` becomes ``siemens_skyra_3.0_t_axial_1``.
    """
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_")


def split_mixtures(names: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Return the protocols with subjects of different scanners apart, who are one in a pool and among the unseen.

    Unseen protocols become groups of their own. Small groups are named by scanner and plane, however few they are.

    Args:
        names: Protocol of each subject, see :meth:`ProtocolGroups.assign`.
        table: Acquisition of the same subjects, see :func:`subject_acquisition`.
    """
    split = names.copy()
    for mixture, ending in ((POOLED, ""), (UNSEEN, f", {UNSEEN}")):
        members = names.index[names == mixture]
        if not len(members):
            continue
        groups = ProtocolGroups.fit(table.loc[members])
        families = [f"{family}, small groups" for family, _ in groups._describe(table.loc[members])]
        found = groups.assign(table.loc[members])
        split[members] = found.where(found != POOLED, pd.Series(families, index=members)) + ending
    return split


@dataclass(frozen=True, eq=False)
class Protocol:
    """One protocol: name, family (scanner, field and plane) and the distinct parameters (n, columns) of its members."""

    name: str
    family: str
    rows: np.ndarray

    @property
    def partial(self) -> bool:
        """Whether all members lack a modality."""
        return bool(lacks_modality(self.rows).all())


@dataclass
class ProtocolGroups:
    """Groups of subjects that were scanned with the same protocol.

    A protocol is manufacturer, model, field strength (to 0.1 T) and plane of the reference; within these, single
    linkage on TR, TE, TI and spacings of all modalities splits it where they differ by more than 20 %. Protocols of
    fewer than ``minimum`` subjects are pooled (:func:`pooled_names`). A subject without acquisition parameters in its
    headers is ``unknown``; one whose protocol was absent when the groups were fitted is ``unseen``.
    """

    minimum: int = MINIMUM
    columns: tuple[str, ...] = ()
    protocols: list[Protocol] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def fit(cls, table: pd.DataFrame, *, minimum: int = MINIMUM) -> Self:
        """Return the groups of a table from :func:`subject_acquisition`."""
        endings = tuple(f"_{name}" for name in DEFINING)
        groups = cls(minimum=minimum, columns=tuple(name for name in table.columns if name.endswith(endings)))
        subjects = groups._describe(table)
        for family in sorted({family for family, _ in subjects if family != UNKNOWN}):
            rows = np.array([values for other, values in subjects if other == family])
            linked = [Protocol(f"{family} #{number}", family, members) for number, members in enumerate(link(rows))]
            nearest = [_nearest(linked, values) for values in rows]
            sizes = {protocol.name: nearest.count(protocol) for protocol in linked}
            # Largest first; groups of equal size are ordered by their parameters, independent of the subjects' order.
            linked.sort(key=lambda protocol: -sizes[protocol.name])
            for number, protocol in enumerate(linked, start=1):
                groups.protocols.append(Protocol(f"{family} #{number}", family, protocol.rows))
                groups.counts[f"{family} #{number}"] = sizes[protocol.name]
        return groups

    @property
    def names(self) -> list[str]:
        """Names of the protocols with enough subjects, then of the pools, if any."""
        return sorted(dict.fromkeys(self._pooled.values()), key=self.is_small)

    def is_small(self, name: str) -> bool:
        """Return whether a name is not that of a single protocol: a pool, ``unknown`` or ``unseen``."""
        return name not in self.counts

    def assign(self, table: pd.DataFrame) -> pd.Series:
        """Return the protocol of each subject: a group, a pool, ``unknown`` or ``unseen``.

        Raises:
            DatasetError: the table lacks a modality that the groups were fitted with.
        """
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            raise DatasetError(
                "The table lacks parameters that the protocol groups were fitted with.",
                expected=", ".join(self.columns),
                found=f"without {', '.join(missing)}",
                advice="Use the modalities that the groups were fitted with.",
            )
        assigned = [self._name(family, values) for family, values in self._describe(table)]
        pooled = self._pooled
        names = [pooled.get(name, name) for name in assigned]
        return pd.Series(names, index=table.index, name="protocol", dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Return the groups as plain values for JSON (NaN as None)."""
        protocols = [
            {"name": one.name, "family": one.family, "log_parameters": [_plain(row) for row in one.rows]}
            for one in self.protocols
        ]
        return {
            "minimum": self.minimum,
            "columns": list(self.columns),
            "protocols": protocols,
            "counts": dict(self.counts),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the groups that :meth:`to_dict` stored."""
        columns = tuple(content["columns"])
        protocols = []
        for one in content["protocols"]:
            rows = [[math.nan if value is None else value for value in row] for row in one["log_parameters"]]
            protocols.append(
                Protocol(one["name"], one["family"], np.array(rows, dtype=float).reshape(-1, len(columns)))
            )
        return cls(minimum=content["minimum"], columns=columns, protocols=protocols, counts=dict(content["counts"]))

    @property
    def _pooled(self) -> dict[str, str]:
        families = {protocol.name: protocol.family for protocol in self.protocols}
        return pooled_names(families, self.counts, self.minimum)

    def _describe(self, table: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
        """Return the family (or ``unknown``) and the parameters of each subject."""
        rows = log_parameters(table, self.columns)
        return [(_family(scanner, row), row) for (_, scanner), row in zip(table.iterrows(), rows, strict=True)]

    def _name(self, family: str, values: np.ndarray) -> str:
        if family == UNKNOWN:
            return UNKNOWN
        nearest = _nearest([protocol for protocol in self.protocols if protocol.family == family], values)
        if nearest is None:
            return UNSEEN
        return nearest.name


def _nearest(protocols: Sequence[Protocol], values: np.ndarray) -> Protocol | None:
    """Return the nearest protocol within reach, or None; complete protocols go before those that lack a modality."""
    reached = []
    for number, protocol in enumerate(protocols):
        distance = float(distances(values[None], protocol.rows).min())
        if distance <= NEAR:
            reached.append((protocol.partial, distance, number))
    return protocols[min(reached)[2]] if reached else None


def _family(scanner: pd.Series, values: np.ndarray) -> str:
    manufacturer, model, strength = scanner["manufacturer"], scanner["model"], scanner["field_strength_t"]
    times = values.reshape(-1, len(DEFINING))[:, :TIMES]
    # Every NIfTI file has spacings; without scanner, TR and TE they do not define a protocol.
    if not manufacturer and math.isnan(strength) and np.isnan(times).all():
        return UNKNOWN
    name = " ".join(part for part in (manufacturer, model) if part) or "unknown scanner"
    return f"{name} {'unknown field' if math.isnan(strength) else f'{strength:.1f} T'} {scanner['orientation']}"


def _plain(row: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in row]
