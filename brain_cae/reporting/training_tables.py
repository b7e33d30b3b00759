"""Tables of the training: distortion and cost of the reshape strategy, and its groups."""

from __future__ import annotations

from collections.abc import Mapping

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at
from brain_cae.reporting.tables import Cell, Table, anything, label, of_records

MEASURES = {
    "strategy": ("strategy", ""),
    "scale_ratio": (
        "scale ratio",
        "ratio of the largest to the smallest per-axis scale factor, in voxels; 1: no distortion",
    ),
    "anisotropy_mm": (
        "anisotropy",
        "ratio of the longest to the shortest side, in mm, of a voxel of the network input",
    ),
    "size_spread_mm": ("size spread", "variation between subjects of the size, in mm, of a voxel of the network input"),
    "round_trip_l1": (
        "round trip",
        "mean absolute error after reshaping and reversing it, in the native space of the scan",
    ),
    "reconstruction": (
        "reconstruction",
        "mean absolute error of reconstructed healthy brains, in the native space of the scan",
    ),
    "voxels": ("voxels", "number of voxels of one brain at the network input, including padding"),
    "seconds_per_epoch": ("seconds per epoch", "median over the epochs"),
    "data_wait": ("share of an epoch spent waiting for data", "median over the epochs"),
    "memory_mb": ("memory", "MiB that the largest batch keeps for the backward pass"),
}


def reshape_tables(content: ReportContent) -> list[Table | None]:
    """Return the measures of the reshape strategy that are defined, and its groups."""
    part = at(content.metrics, "reshape")
    if not isinstance(part, Mapping):
        return []
    rows = [[label(name), anything(part[key]), Cell(meaning)] for key, (name, meaning) in MEASURES.items()
            if key in part]  # fmt: skip
    rows = [row for row in rows if row[1].tone != "missing"]
    groups = part.get("groups")
    groups = [{"group": name, **group} if isinstance(group, Mapping) else {"group": name, "members": group}
              for name, group in groups.items()] if isinstance(groups, Mapping) else groups or []  # fmt: skip
    return [
        Table(["measure", "value", "meaning"], rows, caption="Distortion and cost") if rows else None,
        of_records(groups, first=("group", "number", "dimensions", "target", "members"), caption="Groups"),
    ]
