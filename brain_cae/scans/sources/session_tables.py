"""Reads ``sub-*/sub-*_sessions.tsv`` of a BIDS data set: what is known about each session of a subject."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.age_unit import unit_of_age, with_unit
from brain_cae.scans.sources.base import counted
from brain_cae.scans.sources.matching import match
from brain_cae.scans.sources.table import column_of, read_table

EXPECTED = "sub-…_sessions.tsv with the column session_id, each session once"
IDENTIFIERS = ("session_id", "sessionid", "session", "ses")


@dataclass
class SessionTables:
    """The tables of all subjects: ``rows`` by subject and session, and their ``columns`` besides the session's.

    ``missing`` are subject and session of scans that no table names. ``broken`` are tables that cannot be read, and
    ``lost`` sessions in tables that have no scan, both for notes.
    """

    rows: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
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
        if not path.is_file():
            continue
        try:
            _add(tables, path, subject, names)
        except DatasetError:
            tables.broken.append(path.relative_to(root).as_posix())
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
    tables.columns += [name for name in table.columns if name not in (identifier, *tables.columns)]
