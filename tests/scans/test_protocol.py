"""Acquisition parameters per subject, and protocol groups."""

import json
import math

import numpy as np
import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.index import make_index
from brain_cae.scans.protocol import (
    POOLED,
    UNKNOWN,
    UNSEEN,
    ProtocolGroups,
    as_typed,
    split_mixtures,
    subject_acquisition,
)

SKYRA = {
    "manufacturer": "SIEMENS",
    "model": "Skyra",
    "field_strength_t": 3.0,
    "repetition_time_ms": 5000.0,
    "echo_time_ms": 90.0,
}
SIGNA = {
    "manufacturer": "GE",
    "model": "SIGNA",
    "field_strength_t": 1.494,
    "repetition_time_ms": 4000.0,
    "echo_time_ms": 90.0,
}
NONE = {"manufacturer": "", "model": ""}


def scan(subject, modality="flair", **changes):
    return {
        "subject": subject, "label": "healthy", "modality": modality, "path": "/a", "skull": "on", "rows": 256,
        "columns": 256, "slices": 30, "spacing_row_mm": 1.0, "spacing_column_mm": 1.0, "spacing_slice_mm": 5.0,
        "orientation": "axial", "sequence": "SE", "dimensionality": "2D", "series_hash": "ab",
    } | changes  # fmt: skip


def table_of(rows, modalities=("flair",)):
    return subject_acquisition(make_index(rows), modalities=modalities, reference="flair")


def cohort(prefix, count, **changes):
    return [scan(f"{prefix}{number:02d}", **changes) for number in range(count)]


def test_one_row_per_subject_with_every_modality():
    rows = [
        scan("b", "t1", orientation="sagittal", echo_time_ms=2.5, **{"model": "Prisma"}),
        scan("a", "flair", **SKYRA),
        scan("a", "t1", orientation="sagittal", echo_time_ms=3.5, rows=192),
        scan("a", "t2"),
    ]
    table = table_of(rows, ("t1", "flair"))
    assert list(table.index) == ["a", "b"] and table.index.name == "subject"
    assert table.loc["a", ["manufacturer", "field_strength_t", "orientation"]].tolist() == ["SIEMENS", 3.0, "axial"]
    assert table.loc["a", ["t1_echo_time_ms", "flair_echo_time_ms", "t1_rows"]].tolist() == [3.5, 90.0, 192.0]
    # Without the reference, the first modality of the subject is used.
    assert table.loc["b", ["model", "orientation"]].tolist() == ["Prisma", "sagittal"]
    assert math.isnan(table.loc["b", "flair_echo_time_ms"]) and table.loc["b", "flair_sequence"] == ""
    assert not any(name.startswith("t2_") for name in table.columns)
    assert len(table.columns) == 5 + 2 * 13


def test_the_stripper_is_that_of_any_scan_of_the_subject_and_defines_no_protocol():
    rows = [
        scan("a", "flair", **SKYRA), scan("a", "t1", stripped_by="deepbet"),
        scan("b", "flair", stripped_by="mask", **SKYRA), scan("b", "t1", stripped_by="deepbet"),
        scan("c", "flair", **SKYRA), scan("c", "t1"),
    ]  # fmt: skip
    table = table_of(rows, ("t1", "flair"))
    assert table["stripped_by"].to_dict() == {"a": "deepbet", "b": "mask", "c": ""}
    groups = ProtocolGroups.fit(table, minimum=1)
    assert not any("stripped" in column for column in groups.columns) and groups.assign(table).nunique() == 1


def test_the_reference_must_be_in_use():
    index = make_index([scan("a")])
    with pytest.raises(ConfigurationError, match="t2"):
        subject_acquisition(index, modalities=["flair"], reference="t2")
    with pytest.raises(DatasetError):
        subject_acquisition(index, modalities=["t2"], reference="t2")


def test_groups_follow_scanner_and_plane_and_are_named_for_readers():
    rows = cohort("a", 9, **SKYRA) + cohort("b", 8, **SIGNA) + cohort("c", 8, **SKYRA | {"orientation": "coronal"})
    table = table_of(rows)
    names = ProtocolGroups.fit(table).assign(table)
    assert names.name == "protocol" and names.index.equals(table.index)
    assert names["a00"] == "SIEMENS Skyra 3.0 T axial #1"
    assert names["b00"] == "GE SIGNA 1.5 T axial #1"
    assert names["c00"] == "SIEMENS Skyra 3.0 T coronal #1"
    assert names.value_counts().tolist() == [9, 8, 8]


def test_a_name_can_be_typed_on_a_command_line():
    assert as_typed("SIEMENS Skyra 3.0 T axial #1") == "siemens_skyra_3.0_t_axial_1"
    assert as_typed("siemens_skyra_3.0_t_axial_1") == as_typed("SIEMENS  Skyra 3.0 T axial 1")
    assert as_typed("SIEMENS Skyra 3.0 T axial #2") != as_typed("SIEMENS Skyra 3.0 T axial #1")
    assert as_typed(POOLED) == "pooled_small_groups"


def test_only_differences_over_20_percent_split():
    near = [scan(f"n{n:02d}", **SKYRA | {"repetition_time_ms": 5000.0 + 20 * n}) for n in range(10)]
    far = cohort("f", 10, **SKYRA | {"repetition_time_ms": 9000.0})
    thin = cohort("t", 10, **SKYRA | {"spacing_slice_mm": 1.0})
    inverted = cohort("i", 10, **SKYRA | {"inversion_time_ms": 2500.0})
    table = table_of(near + far + thin + inverted)
    names = ProtocolGroups.fit(table).assign(table)
    assert [names[names.index.str.startswith(key)].nunique() for key in "nfti"] == [1, 1, 1, 1]
    assert names.nunique() == 4


def test_linkage_chains_small_steps():
    # Steps of 15 %: the ends differ by far more than 20 %, but all belong to one group.
    rows = [scan(f"{n:02d}", **SKYRA | {"repetition_time_ms": 1000.0 * 1.15**n}) for n in range(12)]
    table = table_of(rows)
    assert ProtocolGroups.fit(table).assign(table).nunique() == 1


def test_another_modality_splits_and_its_absence_does_not():
    rows = []
    for number in range(20):
        subject = f"{number:02d}"
        rows.append(scan(subject, **SKYRA))
        if number != 19:
            rows.append(scan(subject, "t1", echo_time_ms=2.5 if number < 10 else 9.0))
    table = table_of(rows, ("t1", "flair"))
    names = ProtocolGroups.fit(table).assign(table)
    assert names[:10].nunique() == 1 and names[10:19].nunique() == 1 and names.iloc[0] != names.iloc[10]
    assert names["19"] in set(names[:19])


def test_small_groups_are_pooled_and_marked():
    rows = cohort("a", 9, **SKYRA) + cohort("b", 3, **SIGNA) + cohort("c", 4, **SIGNA | {"echo_time_ms": 20.0})
    table = table_of(rows)
    groups = ProtocolGroups.fit(table)
    names = groups.assign(table)
    assert set(names[names.index.str.startswith(("b", "c"))]) == {POOLED}
    assert groups.is_small(POOLED) and not groups.is_small(names["a00"])
    assert groups.names == ["SIEMENS Skyra 3.0 T axial #1", POOLED]
    assert ProtocolGroups.fit(table, minimum=3).assign(table).nunique() == 3


def test_small_groups_of_one_scanner_are_pooled_apart_from_the_others():
    thick = [scan(f"a{n}", **SKYRA | {"spacing_slice_mm": 2.0 ** (n % 3)}) for n in range(9)]
    table = table_of(thick + cohort("b", 8, **SIGNA) + cohort("c", 3, **SIGNA | {"echo_time_ms": 20.0}))
    groups = ProtocolGroups.fit(table)
    names = groups.assign(table)
    small = "SIEMENS Skyra 3.0 T axial, small groups"
    assert set(names[names.index.str.startswith("a")]) == {small} and set(names["c00":]) == {POOLED}
    assert groups.names == ["GE SIGNA 1.5 T axial #1", POOLED, small]
    assert groups.is_small(small) and not groups.is_small("GE SIGNA 1.5 T axial #1")
    assert ProtocolGroups.from_dict(groups.to_dict()).assign(table).equals(names)


def test_scanners_in_a_pool_and_among_the_unseen_are_told_apart():
    long = {"echo_time_ms": 200.0}
    known = table_of(cohort("a", 9, **SKYRA) + cohort("b", 3, **SIGNA) + cohort("c", 4, **NONE))
    groups = ProtocolGroups.fit(known)
    split = split_mixtures(groups.assign(known), known)
    assert set(split["a00":"a08"]) == {"SIEMENS Skyra 3.0 T axial #1"} and set(split["c00":]) == {UNKNOWN}
    assert set(split["b00":"b02"]) == {"GE SIGNA 1.5 T axial, small groups"}
    later = table_of(cohort("d", 8, **SKYRA | long) + cohort("e", 2, **SIGNA | long) + cohort("f", 2, **SKYRA))
    assert set(groups.assign(later)["d00":"e01"]) == {UNSEEN}
    split = split_mixtures(groups.assign(later), later)
    assert set(split["d00":"d07"]) == {"SIEMENS Skyra 3.0 T axial #1, unseen"}
    assert set(split["e00":"e01"]) == {"GE SIGNA 1.5 T axial, small groups, unseen"}
    assert set(split["f00":]) == {"SIEMENS Skyra 3.0 T axial #1"}


def test_empty_headers_are_unknown_and_new_protocols_unseen():
    table = table_of(cohort("a", 9, **SKYRA) + cohort("n", 9, **NONE))
    groups = ProtocolGroups.fit(table)
    assert set(groups.assign(table)["n00":"n08"]) == {UNKNOWN}
    later = table_of(
        [
            scan("same", **SKYRA | {"echo_time_ms": 100.0}),
            scan("other_te", **SKYRA | {"echo_time_ms": 30.0}),
            scan("other_scanner", **SIGNA),
            scan("silent", **NONE),
            scan("no_name", repetition_time_ms=5000.0, echo_time_ms=90.0),
        ]
    )
    assert groups.assign(later).to_dict() == {
        "same": "SIEMENS Skyra 3.0 T axial #1", "other_te": UNSEEN, "other_scanner": UNSEEN, "silent": UNKNOWN,
        "no_name": UNSEEN,
    }  # fmt: skip


def test_groups_do_not_depend_on_the_order_and_survive_json():
    rng = np.random.default_rng(0)
    rows = [
        scan(f"{n:03d}", **(SKYRA if n % 3 else SIGNA) | {"repetition_time_ms": float(rng.choice([900, 2000, 6000]))})
        for n in range(90)
    ] + cohort("u", 2, **NONE)
    table = table_of(rows)
    groups = ProtocolGroups.fit(table)
    names = groups.assign(table)
    shuffled = table.iloc[rng.permutation(len(table))]
    assert ProtocolGroups.fit(shuffled).assign(table).equals(names)
    again = ProtocolGroups.from_dict(json.loads(json.dumps(groups.to_dict(), allow_nan=False)))
    assert again.assign(table).equals(names)
    assert names.nunique() == 7


def test_missing_columns_are_named():
    groups = ProtocolGroups.fit(table_of([scan("a", **SKYRA), scan("a", "t1")], ("t1", "flair")))
    with pytest.raises(DatasetError, match="t1_repetition_time_ms"):
        groups.assign(table_of([scan("a", **SKYRA)]))
