"""Tables of results as CSV, in which no text is a formula for the spreadsheet that opens them.

Names of subjects, protocols and errors come from the data. A spreadsheet calculates a cell that starts with ``=``,
``+``, ``-`` or ``@``, so such text gets an apostrophe in front, as OWASP advises ("CSV Injection"). Numbers, also those
that are names (``-12``), stay as they are.
"""

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from brain_cae.files.names import encodable, printable

# Where pyarrow is installed, pandas would store text with it, which refuses what a file name may hold: bytes that are
# no UTF-8.
pd.set_option("mode.string_storage", "python")

# The full-width forms count as well in some languages; spreadsheets may drop a tab or a line end in front.
FORMULA = re.compile(r"'*[=+\-@\t\n\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV without its index; text that a spreadsheet would calculate starts with an apostrophe."""
    return _changed(table, _guarded).to_csv(index=False, lineterminator="\n")


def to_tsv(table: pd.DataFrame) -> str:
    """Return a table as BIDS wants it: separated by tabs, without quotes, ``n/a`` where there is no value."""
    text = _changed(table, lambda cell: printable(_guarded(cell)) or "n/a")
    return text.to_csv(index=False, sep="\t", na_rep="n/a", lineterminator="\n", quoting=csv.QUOTE_NONE)


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Return a table written by :func:`to_csv`, without its apostrophes; what :func:`encodable` replaced stays so.

    Args:
        path: The file.
        options: Those of :func:`pandas.read_csv`, which also says what is raised.
    """
    return _changed(pd.read_csv(path, **options), bare)


def bare(text: str) -> str:
    """Return the text of a cell of :func:`to_csv` as it was before."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _guarded(text: str) -> str:
    text = encodable(text)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _changed(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    """Return the table with its texts, also the names of columns, changed."""

    def cell(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    changed = table.copy(deep=False)
    for number, kind in enumerate(table.dtypes):
        if not (is_numeric_dtype(kind) or is_bool_dtype(kind)):
            before = table.iloc[:, number].astype(object)
            after = before.map(cell)
            if not after.equals(before):  # else the column keeps its type
                changed.isetitem(number, after)  # type: ignore[arg-type]
    return changed.set_axis([cell(name) for name in table.columns], axis=1)
