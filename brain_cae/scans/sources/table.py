"""Reads tables made by users or other programs: CSV, TSV or a spreadsheet."""

import codecs
import csv
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

import pandas as pd

from brain_cae.errors import DatasetError
from brain_cae.files.tables import bare
from brain_cae.scans.sources.base import is_visible, some

SPREADSHEETS = (".xls", ".xlsx", ".ods")
SUFFIXES = (".csv", ".tsv", *SPREADSHEETS)
SPREADSHEET_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"<")
"""First bytes of spreadsheets: of a zip, of the older format, and of web pages that are called so."""
AS_TEXT = re.compile(r'="([^"]*)"')
# Entries for an unknown age, sex or site; NA may be the name of a site.
NO_VALUE = ("", "n/a", "na", "nan", "unknown", "-")
NO_SITE = tuple(word for word in NO_VALUE if word != "na")
SEX_COLUMNS = ("sex", "gender")
SEXES = {
    "m": "M",
    "male": "M",
    "man": "M",
    "männlich": "M",
    "f": "F",
    "female": "F",
    "w": "F",
    "woman": "F",
    "weiblich": "F",
}
# Beside H (hombre, homem, homme), M is mujer or mulher; beside H and F, nobody knows.
SEXES_WITH_H = {"h": "M", "m": "F"}
M_BESIDE_H_AND_F = "M beside H and F"
# An age as DICOM or a form writes it: 045Y, 18M, 45 years.
AGE = re.compile(
    r"(?:[>\u2265]=?\s*)?(\d+(?:[.,]\d+)?)\s*(?:\+|(y|m|w|d)(?:rs?|ears?|os?|onths?|eeks?|ays?)?\.?)?", re.IGNORECASE
)
PER_YEAR = {"y": 1.0, "m": 12.0, "w": 365.25 / 7, "d": 365.25}
# Empty lines, and the line with which spreadsheet programs name the separator.
EMPTY = r"(?:[ \t,;]*\n)*"
START = re.compile(rf'{EMPTY}(?:"?sep=[,;\t]"?[ \t]*\n)?{EMPTY}', re.IGNORECASE)
# What is added to a name by whoever copies, downloads or saves a file again.
COPY = re.compile(r"[ _-]*(\(?\d+\)?|copy|kopie|copie|copia|final|new|v\d+)")

# What is added to the name of a file that another one has replaced.
REPLACED = re.compile(r"[ _-]+(old|backup|bak)$")


@dataclass(frozen=True)
class Table:
    """Rows as column -> text without surrounding spaces; ``numbers`` are their lines in the file, from 1."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    numbers: tuple[int, ...]

    def lines(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield each row with its line in the file, for messages."""
        for number, row in zip(self.numbers, self.rows, strict=True):
            yield f"{self.path}, line {number}", row


def read_table(path: Path, *, expected: str, lower: bool = False) -> Table:
    """Return a table; empty rows are skipped.

    Args:
        path: ``.xls``, ``.xlsx`` or ``.ods`` (first sheet with columns), or text, separated by commas, or by semicolons
            or tabs as some spreadsheet programs write it: UTF-8, or UTF-16 with a byte order mark; lines may end in any
            way. The content decides, whatever the name says. A title above the names of columns is skipped.
        expected: What the table should contain, for error messages.
        lower: Convert column names to lower case, for tables typed by hand.

    Raises:
        DatasetError: the file does not exist, is not a table, has a column twice, or a quotation mark that is not
            closed.
    """
    if not path.is_file():
        raise DatasetError("A table is missing.", expected=expected, found="no such file", where=str(path))
    try:
        content = path.read_bytes()
        lines = _columns(_cells(content) if content.startswith(SPREADSHEET_STARTS) else _text(path, content))
    except UnicodeDecodeError as error:
        raise DatasetError(
            "A table cannot be read.",
            expected=f"{expected}, as text in UTF-8",
            found="text in another encoding",
            where=f"{path}, line {error.object[: error.start].count(10) + 1}",
            advice="Save it as CSV in UTF-8, which spreadsheet programs offer in addition to plain CSV.",
        ) from error
    except DatasetError:
        raise
    except Exception as error:  # every spreadsheet reader raises different exceptions
        raise DatasetError(
            "A table cannot be read.",
            expected=expected,
            found=f"a file that is damaged, or not a spreadsheet ({type(error).__name__})",
            where=str(path),
            advice="Open it in a spreadsheet program and save it again, best as CSV in UTF-8.",
        ) from error
    header = tuple(name.lower() if lower else name for name in map(_name, lines[0][1] if lines else []))
    named = [name for name in header if name]
    if not named:
        raise DatasetError(
            "A table cannot be read.", expected=expected, found="no column names in the first line", where=str(path)
        )
    if twice := [name for name, count in Counter(named).items() if count > 1]:
        raise DatasetError(
            "A table has several columns of one name.",
            expected=expected,
            found=f"{some(twice)} more than once in {', '.join(named)}",
            where=str(path),
            advice="Rename or remove all but one of them.",
        )
    rows, numbers = [], []
    for number, cells in lines[1:]:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise DatasetError(
                "A line of a table has more values than the table has columns.",
                expected=f"at most {len(header)} values",
                found=f"{len(cells)} values",
                where=f"{path}, line {number}",
                advice='Put quotes around text, or numbers, that contain the separator: "45,5".',
            )
        if any(cell.strip() for cell in cells):
            values = [*map(_value, cells)] + [""] * len(header)
            rows.append({name: value for name, value in zip(header, values, strict=False) if name})
            numbers.append(number)
    return Table(path, tuple(named), tuple(rows), tuple(numbers))


def sexes(rows: Iterable[Mapping[str, str]], column: str | None) -> list[str]:
    """Return a table's column of sexes with H and M as M and F where it has both; M without H is male."""
    texts = [row.get(column or "", "") for row in rows]
    known = {text.lower() for text in texts}
    if "h" not in known:
        return texts
    words = SEXES_WITH_H | ({"m": M_BESIDE_H_AND_F} if "f" in known else {})
    return [words.get(text.lower(), text) for text in texts]


@dataclass(frozen=True)
class FoundTable:
    """A table in a folder, if there is one; files with similar names that are not read; and notes on both."""

    path: Path | None = None
    similar: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read as the table or named in the notes."""
        return (*([self.path] if self.path else []), *self.similar)


def find_table(
    root: Path, names: tuple[str, ...], *, stems: tuple[str, ...], shown: Callable[[str], str] = str
) -> FoundTable:
    """Return the table of one of these names in a folder, or under a name near to it.

    Args:
        root: The folder.
        names: Names that the table should have: ``labels.csv``, ``labels.tsv``.
        stems: Stems near to these, in lower case: ``labels``, ``label``. Case, endings (``.csv.txt``, ``.xlsx``) and
            what copying adds (``labels (1).csv``) are ignored.
        shown: Returns the name of another file as notes may show it. One that was set aside (``labels_old.csv``) is
            named as it is.

    Raises:
        DatasetError: Several files could be the table; all are named.
    """
    there = sorted(root.iterdir()) if root.is_dir() else []
    word = min(stems, key=len)
    files = [path for path in there if word in path.name.lower() and is_visible(path.name) and path.is_file()]
    exact = [path for path in files if path.name in names]
    near = [path for path in files if path.name not in names and _stem_near(path.name) in stems]
    found = exact or near
    if len(found) > 1:
        raise DatasetError(
            f"Several files could be {names[0]}.",
            expected=" or ".join(names),
            found=", ".join(path.name for path in found),
            where=str(root),
            advice="Keep one of them.",
        )
    similar = tuple(path for path in files if path not in found and _is_table(path))
    notes = [f"{found[0].name} is read as {names[0]}."] if near and not exact else []
    if similar:
        beside = f"beside {found[0].name}" if found else f"because the table must be called {' or '.join(names)}"
        told = [path.name if _was_replaced(path.name, stems) else shown(path.name) for path in similar]
        notes.append(f"Not read, {beside}: {some(told)}.")
    return FoundTable(found[0] if found else None, similar, tuple(notes))


def _was_replaced(name: str, stems: tuple[str, ...]) -> bool:
    stem = _stem_near(name) or ""
    return bool(REPLACED.search(stem)) and REPLACED.sub("", stem) in stems


def _is_table(path: Path) -> bool:
    return bool({suffix.lower() for suffix in path.suffixes} & {*SUFFIXES, ".txt"}) and not path.name.startswith("~$")


def _stem_near(name: str) -> str | None:
    """Return the stem of a table's name without what copying adds; None if the file is not a table."""
    text, suffixes = unicodedata.normalize("NFKC", name).casefold(), 0
    while ending := next((suffix for suffix in (*SUFFIXES, ".txt") if text.endswith(suffix)), None):
        text, suffixes = text.removesuffix(ending), suffixes + 1
    text = re.sub(r"^(copy of|kopie von|copie de) ", "", text)
    while (added := re.search(COPY.pattern + "$", text)) and added.start():
        text = text[: added.start()]
    return text.strip() if suffixes else None


def column_of(table: Table, names: Sequence[str]) -> str | None:
    """Return the column with the first of these names that the table has; case, spaces and hyphens are ignored."""
    columns = {name.lower().replace(" ", "_").replace("-", "_"): name for name in reversed(table.columns)}
    return next((columns[name] for name in names if name in columns), None)


def require_columns(table: Table, names: tuple[str, ...], *, expected: str) -> None:
    """Raise DatasetError with the columns of the table if one of the names is missing."""
    if not set(names) <= set(table.columns):
        actual = f"the columns {', '.join(table.columns)}"
        raise DatasetError("A table lacks a column.", expected=expected, found=actual, where=str(table.path))


def _text(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if is_utf16 else "utf-8-sig"
    text = content.decode(encoding)
    if "\0" in text[:2]:  # two or four bytes for each character, and no sign of it
        raise UnicodeDecodeError(encoding, content, 0, 1, "zero bytes in a column name")
    # Old spreadsheet programs end lines with a carriage return alone.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = START.match(text)
    skipped, text = text[: start.end()].count("\n"), text[start.end() :]  # type: ignore[union-attr]
    text, above = _below_title(text)
    skipped += above
    header = text.partition("\n")[0]
    # In a .tsv the tab goes first: names in it may contain commas.
    tab = path.suffix.lower() == ".tsv" and "\t" in header
    return _rows(text, "\t" if tab else _separator(header), path, skipped)


def _below_title(text: str) -> tuple[str, int]:
    """Return a table without the lines of text above it, which hold no separator, and their number."""
    lines = text.split("\n")
    separated = [bool(re.search("[,;\t]", line)) for line in lines]
    above = separated.index(True) if any(separated) else 0
    return "\n".join(lines[above:]), above


def _separator(header: str) -> str:
    """Return the character that gives the most columns, as column names may contain the others."""
    return max(",;\t", key=lambda character: len(_split(header, character)))


def _columns(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return rows in columns if each has all of its values in the first cell: ``"subject,label"``.

    So spreadsheet programs save a text that they opened with another separator.
    """
    separator = _separator(rows[0][1][0]) if rows and rows[0][1] else ""
    if not separator or separator not in rows[0][1][0] or any("".join(cells[1:]).strip() for _, cells in rows):
        return rows
    return [(number, _split(cells[0], separator) if cells else []) for number, cells in rows]


def _rows(text: str, delimiter: str, path: Path, skipped: int) -> list[tuple[int, list[str]]]:
    """Return the rows with the number of their last line, counted from after the ``skipped`` ones."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    lines, end = text.split("\n"), 0
    try:
        for cells in reader:
            columns = len(rows[0][1]) if rows else len(cells)
            if reader.line_num - end > 1 and not _is_one_row(lines[end : reader.line_num], cells, delimiter, columns):
                raise csv.Error
            end = reader.line_num
            rows.append((end + skipped, cells))
    except csv.Error as error:  # also raised for a value of more than 128 kB
        raise DatasetError(
            "A quotation mark at the start of a value is not closed, or not on its line.",
            expected='text in quotes, "like this", or without any',
            found="the next lines of the table inside the quotes",
            where=f"{path}, line {end + skipped + 1}",
            advice="Remove the quotation mark, or close it. A mark within quoted text is written twice.",
        ) from error
    return rows


def _is_one_row(lines: Sequence[str], cells: Sequence[str], delimiter: str, columns: int) -> bool:
    """Return whether lines that were read as one row are one: quotes are closed, and hold no whole row of the table."""
    try:
        next(csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    inside = (line for cell in cells for line in cell.split("\n")[1:])
    # In sentences, a space follows the comma.
    return not any(len(re.findall(rf"{delimiter}(?! )", line)) >= max(columns - 1, 1) for line in inside)


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _cells(content: bytes) -> list[tuple[int, list[str]]]:
    """Return the rows of the first sheet that has columns, without empty ones and a title above their names."""
    book = pd.read_excel(
        io.BytesIO(content), sheet_name=None, header=None, dtype=str, keep_default_na=False, engine="calamine"
    )
    sheets = [[[str(cell) for cell in row] for row in sheet.to_numpy().tolist()] for sheet in book.values()]
    rows = max(sheets, key=lambda rows: min(2, max(map(_filled, rows), default=0)), default=[])
    least = min(2, max(map(_filled, rows), default=0))
    return [*dropwhile(lambda row: _filled(row[1]) < least, enumerate(rows, start=1))]


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _name(cell: str) -> str:
    """Return the name of a column without what is not seen, such as the mark of a text that was saved twice."""
    return "".join(char for char in cell if unicodedata.category(char) != "Cf").strip()


def _value(cell: str) -> str:
    """Return a value without the sign that keeps it text in a spreadsheet: ``="007"``, or an apostrophe of ours."""
    text = cell.strip()
    return AS_TEXT.sub(r"\1", text) if AS_TEXT.fullmatch(text) else bare(text)


def age_of(text: str) -> float | None:
    """Return an age in years (``45``, ``45,5``, ``89+``, ``>89``, ``045Y``, ``18M``); None if it is not an age."""
    match = AGE.fullmatch(text.strip())
    age = float(match[1].replace(",", ".")) / PER_YEAR[(match[2] or "y").lower()] if match else math.nan
    return age if 0 < age < 130 else None


def sex_of(text: str) -> str:
    """Return a sex as ``M``, ``F`` or ``""``."""
    return SEXES.get(text.strip().lower(), "")


def site_of(text: str) -> str:
    """Return a site; ``""`` where the text says that there is none. A spreadsheet's ``1.0`` is ``1``."""
    site = re.sub(r"^(\d+)[.,]0+$", r"\1", text.strip())
    return "" if site.lower() in NO_SITE else site


def not_understood(rows: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, list[str]]:
    """Return the subjects (name, row) whose values are not an age or a sex, for the notes.

    The values are not shown: they may be dates of birth.
    """
    ages: dict[str, None] = {}
    sexes: dict[str, None] = {}
    for name, row in rows:
        age, sex = row.get("age", ""), row.get("sex", "")
        if age.lower() not in NO_VALUE and age_of(age) is None:
            ages[name] = None
        if sex.lower() not in NO_VALUE and not sex_of(sex):
            sexes[name] = None
    return {
        "{subject has|subjects have} an age that is not a number of years and is treated as unknown": list(ages),
        "{subject has|subjects have} a sex that is neither M nor F and is treated as unknown": list(sexes),
    }
