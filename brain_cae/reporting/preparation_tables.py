"""Tables of the preparation: how far scans were moved onto the reference scan, and what stripped the skulls."""

from __future__ import annotations

import pandas as pd

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import column, numbers
from brain_cae.reporting.formatting import number
from brain_cae.reporting.tables import Cell, Table, label, of_counts

FURTHEST = 5
"""Number of scans that are listed by name."""

MEASURES = ("shift_mm", "rotation_deg", "overlap_before", "overlap")

STRIPPERS = {
    "delivered": "came stripped", "mask": "brain mask of the data set", "deepbet": "deepbet", "hd_bet": "HD-BET",
    "synthstrip": "SynthStrip",
}  # fmt: skip


def movement_tables(content: ReportContent) -> list[Table | None]:
    """Return the movements by modality, and the scans that were moved furthest; no tables if nothing was registered."""
    registered = _registered(content)
    moved = registered[registered["shift_mm"] > 0]
    return [_by_modality(registered), _furthest(moved)]


def _registered(content: ReportContent) -> pd.DataFrame:
    """Return the scans that were registered to the reference: subject, modality and ``MEASURES``, without gaps."""
    report = content.import_report
    measured = pd.DataFrame({name: numbers(report, name) for name in MEASURES})
    scans = measured.assign(subject=column(report, "subject"), modality=column(report, "modality").astype(str))
    return scans[scans["shift_mm"].notna()]


def _by_modality(registered: pd.DataFrame) -> Table | None:
    rows = []
    for modality, scans in registered.groupby("modality", sort=True):
        moved = scans[scans["shift_mm"] > 0]
        movements = [_median_and_largest(moved[name]) for name in ("shift_mm", "rotation_deg")]
        overlaps = [Cell(number(scans[name].min(), digits=2), True) for name in ("overlap_before", "overlap")]
        rows.append([label(str(modality)), Cell(f"{len(moved)} of {len(scans)}", True), *movements, *overlaps])
    columns = ["modality", "moved", "distance, mm", "rotation, \N{DEGREE SIGN}", "overlap before", "overlap after"]
    note = "Distance (mean over the head) and rotation: median and largest of the moved scans. Overlap: smallest Dice "
    note += "of the heads in both scans, over all scans, within the field of view that the two share."
    return Table(columns, rows, note, "Alignment with the reference scan") if rows else None


def _median_and_largest(values: pd.Series) -> Cell:
    if values.empty:
        return label(None)
    return Cell(f"{number(values.median(), digits=1)} ({number(values.max(), digits=1)})", True)


def _furthest(moved: pd.DataFrame) -> Table | None:
    rows = []
    for scan in moved.sort_values("shift_mm", ascending=False, kind="stable").head(FURTHEST).to_dict("records"):
        digits = dict(zip(MEASURES, (1, 1, 2, 2), strict=True))
        figures = [Cell(number(scan[name], digits=places), True) for name, places in digits.items()]
        rows.append([label(scan["subject"]), label(scan["modality"]), *figures])
    columns = ["subject", "modality", "distance, mm", "rotation, \N{DEGREE SIGN}", "overlap before", "overlap after"]
    note = "import_report.csv lists every movement." if len(moved) > FURTHEST else ""
    return Table(columns, rows, note, "Moved furthest") if rows else None


def stripper_table(content: ReportContent) -> Table | None:
    """Return the subjects by what stripped their skull and by label; None if the index does not say it."""
    index = content.index
    if "stripped_by" not in index.columns or index.empty:
        return None
    # With a mask on one scan, the whole subject counts as stripped.
    subjects = index.fillna({"stripped_by": ""}).sort_values("stripped_by", ascending=False).drop_duplicates("subject")
    by = subjects["stripped_by"].map(lambda name: STRIPPERS.get(name, name))
    by = by.mask((by == "") & (column(subjects, "skull") == "on"), "nothing: whole head")
    return of_counts(by, column(subjects, "label"), corner="stripped by", caption="Subjects by skull stripping")
