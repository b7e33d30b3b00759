"""Tables of the report, as text cells that the template escapes and aligns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from brain_cae.reporting import formatting

MEASURES = {
    "auroc": "AUROC", "average_precision": "average precision", "sensitivity": "sensitivity",
    "specificity": "specificity", "balanced_accuracy": "balanced accuracy", "f1": "F1",
    "mcc": "Matthews correlation", "brier": "Brier score", "calibration_slope": "calibration slope",
    "permutation_p": "permutation p", "false_alarms": "false alarms", "dice": "Dice, label-free",
    "dice_oracle_pooled": "oracle Dice, pooled", "dice_oracle_per_subject": "oracle Dice, per subject",
}  # fmt: skip


def heading(key: Any) -> str:
    """Return the column heading for a key of ``metrics.json``."""
    return MEASURES.get(str(key), str(key).replace("_", " "))


@dataclass(frozen=True)
class Cell:
    """Text of one cell; ``figure`` aligns it as a number, ``tip`` is its tooltip, ``href`` what it links to."""

    text: str
    figure: bool = False
    tip: str = ""
    tone: str = ""
    href: str = ""


@dataclass(frozen=True)
class Table:
    """Column names, rows of cells, and a note below the table."""

    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""
    caption: str = ""
    figures: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        # A heading is aligned as the cells of its column.
        aligned = [any(row[place].figure for row in self.rows) for place in range(len(self.columns))]
        object.__setattr__(self, "figures", aligned)


def label(text: Any) -> Cell:
    """Return a text cell; missing text becomes a dash."""
    missing = text is None or text == "" or (isinstance(text, float) and pd.isna(text))
    return Cell("\N{EN DASH}" if missing else formatting.words(text))


def figure(value: Any, *, signed: bool = False) -> Cell:
    """Return a cell with an estimate or number; ``not defined`` if it is null."""
    text = formatting.estimate(value, signed=signed)
    return Cell(text, True, formatting.details(value), "missing" if text == formatting.NOT_DEFINED else "")


def anything(value: Any) -> Cell:
    """Return a cell for a value of any type: numbers and estimates aligned as figures, the rest as text."""
    if formatting.is_estimate(value) or formatting.finite(value) is not None:
        return figure(value)
    if value is None:
        return Cell(formatting.NOT_DEFINED, False, "", "missing")
    return label(value)


def of_records(records: Iterable[Any], *, first: Sequence[str] = (), caption: str = "", note: str = "") -> Table | None:
    """Return a table of a list of mappings, one column per key; None if there are no keys.

    Args:
        records: Mappings; other items are ignored.
        first: Keys of the first columns, if they occur.
        caption: Heading of the table.
        note: Sentence below the table.
    """
    rows = [record for record in records if isinstance(record, Mapping)]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys:
        return None
    keys.sort(key=lambda key: first.index(key) if key in first else len(first))
    cells = [[anything(row[key]) if key in row else Cell("") for key in keys] for row in rows]
    return Table([heading(key) for key in keys], cells, note, caption)


def of_counts(rows: pd.Series, columns: pd.Series, *, corner: str, caption: str = "", note: str = "") -> Table | None:
    """Return a table of counts of each pair of values, with totals per row; None if there are no values.

    Args:
        rows: One value for each subject.
        columns: One value for each subject, in the same order.
        corner: Name of the first column.
        caption: Heading of the table.
        note: Sentence below the table.
    """
    if rows.empty or columns.empty:
        return None
    counts = pd.crosstab(_with_missing(rows), _with_missing(columns))
    order = {"healthy": 0, "abnormal": 1}
    counts = counts[sorted(counts.columns, key=lambda name: (order.get(str(name), 2), str(name)))]
    counts = counts.assign(**{"total": counts.sum(axis=1)})
    cells = [
        [label(str(name)), *(Cell(str(count), True) for count in row)]
        for name, row in zip(counts.index, counts.to_numpy().tolist(), strict=True)
    ]
    return Table([corner, *map(str, counts.columns)], cells, note, caption)


def _with_missing(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna() & (values.astype(str) != ""), "not known").reset_index(drop=True)
