"""Reads the tables of sessions and of scans of a BIDS data set: what is known about each session of a subject."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.age_unit import unit_of_age, with_unit
from brain_cae.scans.sources.base import counted
from brain_cae.scans.sources.matching import match
from brain_cae.scans.sources.table import column_of, read_table

EXPECTED = "sub-…_sessions.tsv with the column session_id, each session once"
IDENTIFIERS = ("session_id", "sessionid", "session", "ses")
TIMES = ("acq_time",)
TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?")
"""As BIDS writes a time; anonymised ones lie before 1925, in their order."""


@dataclass
class SessionTables:
    """The tables of all subjects: ``rows`` by subject and session, and their ``columns`` besides session and time.

    ``dates`` are the times of sessions, of the tables of scans where those of sessions have none. ``missing`` are
    subject and session of scans that no table names. ``broken`` are tables that cannot be read, and ``lost`` sessions
    in tables that have no scan, both for notes.
    """

    rows: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    dates: dict[tuple[str, str], str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return what could not be used."""
        lists = {
            "{table of sessions cannot be read and is|tables of sessions cannot be read and are} ignored": self.broken,
            "{session of a table has|sessions of tables have} no scans and {is|are} left out": self.lost,
        }
        return counted(lists)


def read_session_tables(root: Path, sessions: Iterable[tuple[str, str]]) -> SessionTables:
    """Return the tables of sessions; a damaged one costs only its subject.

    Args:
        root: Folder of the data set.
        sessions: Subject and session (``ses-…``) of every scan.
    """
    tables = SessionTables()
    known = list(sessions)
    visits: dict[str, list[str]] = {}
    for subject, session in known:
        visits.setdefault(subject, []).append(session)
    for subject, names in visits.items():
        path = root / subject / f"{subject}_sessions.tsv"
        try:
            if path.is_file():
                _add(tables, path, subject, names)
            if len(names) > 1:
                _add_dates(tables, root, subject, names)
        except DatasetError as error:
            tables.broken.append(Path(str(error.where).partition(", line ")[0]).relative_to(root).as_posix())
    tables.missing = [place for place in known if place not in tables.rows]
    return tables


def _add(tables: SessionTables, path: Path, subject: str, sessions: list[str]) -> None:
    table = read_table(path, expected=EXPECTED)
    identifier = column_of(table, IDENTIFIERS)
    if identifier is None:
        raise DatasetError("A table lacks a column.", expected=EXPECTED, where=str(path))
    ages = column_of(table, ("age",)) or ""
    unit = unit_of_age([path.with_suffix(".json"), path.parents[1] / "sessions.json"], ages)
    rows = {
        f"ses-{row[identifier].removeprefix('ses-')}": row | ({ages: with_unit(row[ages], unit)} if ages else {})
        for row in table.rows
    }
    if len(rows) < len(table.rows):
        raise DatasetError("A session is in two lines.", expected=EXPECTED, where=str(path))
    matches = match(rows, sessions)
    tables.rows |= {(subject, session): rows[name] for name, session in matches.subjects.items()}
    tables.lost += [f"{subject} {name}" for name in matches.names]
    times = column_of(table, TIMES) or ""
    tables.columns += [name for name in table.columns if name not in (identifier, times, *tables.columns)]


def _add_dates(tables: SessionTables, root: Path, subject: str, sessions: list[str]) -> None:
    """Add the times of a subject's sessions; without all of them, their order is not known."""
    dates = {
        session: _earliest(root, subject, session, tables.rows.get((subject, session), {})) for session in sessions
    }
    if all(dates.values()):
        tables.dates |= {(subject, session): date for session, date in dates.items()}


def _earliest(root: Path, subject: str, session: str, row: Mapping[str, str]) -> str:
    """Return the time of a session, or of its earliest scan; empty without one."""
    times = [value for name, value in row.items() if name.lower() in TIMES]
    path = root / subject / session / f"{subject}_{session}_scans.tsv"
    if not any(map(TIME.match, times)) and session and path.is_file():
        table = read_table(path, expected="sub-…_ses-…_scans.tsv with the columns filename and acq_time")
        times = [row.get(column_of(table, TIMES) or "", "") for row in table.rows]
    return min((found[0] for value in times if (found := TIME.match(value))), default="")
