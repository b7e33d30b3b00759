"""The table of series of a tree of DICOM, one line each: written to be corrected, and read again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.atomic import write_text
from brain_cae.files.tables import to_csv
from brain_cae.scans.sources.base import SPELLINGS, counted, some
from brain_cae.scans.sources.table import NO_VALUE, read_table, require_columns
from brain_cae.vocabulary import MODALITIES

COLUMNS = ("subject", "session", "modality", "series", "number", "images", "path", "why")
REQUIRED = ("subject", "modality", "series")
EXPECTED = (
    f"the columns {','.join(REQUIRED)}, each series once; modality: {', '.join(MODALITIES)}, or empty to leave it out"
)
# Programs write some words where a cell is empty.
NOT_USED = (*NO_VALUE, "none")
AGAIN = "`inspect=true dataset.write_series=…` writes the table again."


@dataclass(frozen=True)
class SeriesLine:
    """One series: what it is used as (``modality``, ``""`` if it is left out), and what it was taken for and why."""

    subject: str
    session: str
    modality: str
    series: str
    number: str
    images: int
    path: str
    why: str


def write_series_table(path: Path, lines: Sequence[SeriesLine]) -> bool:
    """Write the table, and return whether it was not there already; the same content again is not an error.

    Raises:
        ConfigurationError: Another file is there, which somebody may have corrected.
        StorageError: The file cannot be written.
    """
    text = to_csv(pd.DataFrame([vars(line) for line in lines], columns=list(COLUMNS)))
    if not path.exists():
        write_text(path, text)
        return True
    if path.read_text(encoding="utf-8-sig").splitlines() != text.splitlines():
        raise ConfigurationError(
            "The table of series would replace another file.",
            expected="a path that is free",
            found="a file with other lines",
            where=f"dataset.write_series={path}",
            advice=f"Name another file. To use this one: dataset.series={path}, without dataset.write_series.",
        )
    return False


def is_series_table(path: Path) -> bool:
    """Return whether a file can be read as a table with the columns of a table of series."""
    try:
        return set(REQUIRED) <= set(read_table(path, expected=EXPECTED, lower=True).columns)
    except DatasetError:
        return False


def read_series_table(
    path: Path, known: Mapping[str, str], find: Callable[[str], str | None]
) -> tuple[dict[str, str], list[str]]:
    """Return what each series of the table is used as (a modality, or ``""`` if it is left out), and notes.

    The notes name lines about series that the tree does not have, as after another export with other identifiers.

    Args:
        path: The table: CSV, TSV or spreadsheet.
        known: Subject of each series of the tree, by the series' pseudonym.
        find: Returns the subject that the table means by a name.

    Raises:
        DatasetError: A damaged table, or a line that contradicts the tree or another line.
    """
    table = read_table(path, expected=EXPECTED, lower=True)
    require_columns(table, REQUIRED, expected=EXPECTED)
    used: dict[str, str] = {}
    unknown: dict[int, tuple[str, str]] = {}
    for number, (where, row) in zip(table.numbers, table.lines(), strict=True):
        series, word = row["series"], row["modality"].lower()
        modality = SPELLINGS.get(word.replace(" ", "_"), "")
        if word not in NOT_USED and not modality:
            raise _refuse(f"the modality {row['modality']!r}", where)
        if used.get(series, modality) != modality:
            raise _refuse(f"{series} again", where)
        if series not in known:
            unknown[number] = (series, find(row["subject"]) or "")
            continue
        if row["subject"] and find(row["subject"]) != known[series]:
            raise _refuse(f"{series} under another subject", where)
        used[series] = modality
    if not used:
        raise DatasetError(
            "No series of the table is in the tree.",
            expected="series of this tree, named with the same key",
            found=f"other series: {some([name for name, _ in unknown.values()])}" if unknown else "no lines",
            where=str(path),
            advice=f"Check dataset.root and dataset.key_file. {AGAIN}",
        )
    subjects = set(known.values())
    lost = [f"{subject} (line {number})" for number, (_, subject) in unknown.items() if subject in subjects]
    others = [f"line {number}" for number, (_, subject) in unknown.items() if subject not in subjects]
    notes = {
        "{line|lines} of the table of series {names|name} a series that {its|their} subject does not have, as after "
        "another export, and {is|are} ignored": lost,
        "{line|lines} of the table of series {names|name} a subject and a series that are not in the tree": others,
    }
    return used, counted(notes)


def _refuse(actual: str, where: str) -> DatasetError:
    return DatasetError(
        "The table of series cannot be used.",
        expected=EXPECTED,
        found=actual,
        where=where,
        advice=f"Correct the line. {AGAIN}",
    )
