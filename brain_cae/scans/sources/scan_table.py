"""Reads a table with one scan per line: its path and what is known about the subject."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brain_cae.errors import DatasetError
from brain_cae.scans.formats import is_kind, is_nifti, nifti_files
from brain_cae.scans.sources.base import SPELLINGS, counted, visible_files
from brain_cae.scans.sources.matching import alike_subjects, match
from brain_cae.scans.sources.roots import as_path
from brain_cae.scans.sources.session_dates import year_first
from brain_cae.scans.sources.table import (
    NO_VALUE,
    Table,
    age_of,
    not_understood,
    read_table,
    require_columns,
    sex_of,
    sexes,
    site_of,
)
from brain_cae.vocabulary import LABELS, MODALITIES, SKULL_STATES

REQUIRED = ("subject", "modality", "path")
# Properties of the subject: one line may give them for all its lines.
SUBJECT = ("label", "sex")
# Properties of the session; of those in both, one line may give them for all sessions.
CHANGING = ("age", "site")
SESSION = (*CHANGING, "lesion_mask", "brain_mask", "skull")
OPTIONAL = ("label", "age", "sex", "site", "lesion_mask", "brain_mask", "skull")
COLUMNS = (*REQUIRED, "session", *OPTIONAL)
EXPECTED = f"one line per scan, the columns {', '.join(REQUIRED)} and, where known, session, {', '.join(OPTIONAL)}"
WORDS = {"label": LABELS, "skull": SKULL_STATES}
MAY_BE_EMPTY = ("session", *(name for name in OPTIONAL if name != "site"))
EMPTY = tuple(word for word in NO_VALUE if word != "unknown")
"""What programs write where there is no value; NA may be a site."""
PATHS = ("path", "lesion_mask", "brain_mask")


def read_scans(path: Path, modalities: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the scans of the table as arguments of :class:`SeriesLocation`, and notes for readers of the results.

    Paths may be written as on the command line (``~``, quotes); relative ones start at the table's folder. A path is a
    NIfTI file or a folder of DICOM. Every session gets all ``modalities``; those that no line names have no files.
    Lines of modalities that are not in use are ignored; those of unknown modalities are listed in the notes.

    Raises:
        DatasetError: a missing column, an unknown value, a scan in two lines, contradictory lines of one subject, no
            line with a known modality, or only paths that do not exist.
    """
    table = read_table(path, expected=EXPECTED, lower=True)
    require_columns(table, REQUIRED, expected=EXPECTED)
    scans: dict[tuple[str, str, str], dict[str, str]] = {}
    facts: dict[tuple[str, ...], dict[str, str]] = {}
    given: dict[tuple[str, str], set[str]] = {}
    unknown: dict[str, str] = {}
    visits: dict[str, dict[str, None]] = {}
    rewritten: dict[str, None] = {}
    rows = _read_rows(table)
    dates, unclear = year_first(row["session"] for row in rows)
    for row in rows:
        row["session"] = dates.get(row["session"], row["session"])
    filled, alone = _fill_sessions(rows)
    for (where, _), row in zip(table.lines(), rows, strict=True):
        _check(row, where)
        subject, modality = row["subject"], row["modality"]
        session = _session(row, visits.get(subject, ()), scans)
        visits.setdefault(subject, {})[session] = None
        if session != row["session"]:
            rewritten[f"{subject} {row['session']} as {session}"] = None
        _collect(facts.setdefault((subject,), {}), row, SUBJECT, where)
        _collect(facts.setdefault((subject, session), {}), row, SESSION, where)
        for name in CHANGING:
            given.setdefault((subject, name), set()).update({row[name]} - {""})
        name = " ".join(filter(None, (subject, session, modality)))
        if modality not in MODALITIES:
            unknown[where] = name
            continue
        if (subject, session, modality) in scans:
            _refuse("A scan is in two lines.", name, where)
        scans[subject, session, modality] = row
    if unknown and not scans:
        where, name = next(iter(unknown.items()))
        _refuse_word("modality", MODALITIES, name, where)
    root = path.parent
    _check_paths(table, [root / row["path"] for row in scans.values()])
    arguments = []
    for subject, session in (key for key in facts if len(key) == 2):
        common = {name: next(iter(values)) for name in CHANGING if len(values := given[subject, name]) == 1}
        known = facts[subject,] | common | facts[subject, session]
        for modality in modalities:
            row = scans.get((subject, session, modality), {})
            files = _files(root / row["path"]) if row else ()
            arguments.append(
                {"subject": subject, "session": session, "modality": modality, "files": files} | _facts(known, root)
            )
    paths = ((key, row["path"]) for key, row in scans.items())
    lesions = ((key[:1], one["lesion_mask"]) for key, one in facts.items() if one.get("lesion_mask"))
    odd = {
        "{session is a date|sessions are dates} where the table does not tell whether the day or the month is first; "
        "write the year, the month and the day": unclear,
        "{session is|sessions are} written in several ways and {is|are} read as one": list(rewritten),
        "{scan without a session is|scans without a session are} read as of the only session of the subject": filled,
        "{scan without a session belongs|scans without a session belong} to no other scan of the subject, which has "
        "sessions; give {it|them} the session": alone,
        "{file is|files are} the path of several scans; training stops if subjects share one": _shared(root, paths),
        "{file is|files are} the lesion mask of several subjects": _shared(root, lesions),
    }
    return arguments, _notes(table, root, facts, list(unknown.values()), odd)


def _fill_sessions(rows: Sequence[dict[str, str]]) -> tuple[list[str], list[str]]:
    """Give lines without a session that of the other lines of their subject, if these have one, and other modalities.

    Returns:
        What was filled in, and the scans that are left without a session although their subject has sessions.
    """
    sessions: dict[str, set[str]] = {}
    scans: dict[tuple[str, str], int] = {}
    for row in rows:
        sessions.setdefault(row["subject"], set()).update({row["session"]} - {""})
        scans[row["subject"], row["modality"]] = scans.get((row["subject"], row["modality"]), 0) + 1
    filled, alone = [], []
    for row in rows:
        known, name = sessions[row["subject"]], f"{row['subject']} {row['modality']}"
        if row["session"] or not known:
            continue
        if len(known) == 1 and scans[row["subject"], row["modality"]] == 1:
            (row["session"],) = known
            filled.append(f"{name} as {row['session']}")
        else:
            alone.append(name)
    return filled, alone


def _session(
    row: Mapping[str, str], visits: Collection[str], scans: Mapping[tuple[str, str, str], Mapping[str, str]]
) -> str:
    """Return the session of a line, as a line above writes it: spreadsheet programs make ``1.0`` of ``01``.

    Two spellings with a scan of one modality each are two sessions. ``visits`` are those above of the same subject.
    """
    session = row["session"]
    if not session:
        return ""
    plain = {visit.removeprefix("ses-"): visit for visit in visits}
    name = session.removeprefix("ses-")
    known = session if session in visits else plain.get(match([name], plain).subjects.get(name, ""), session)
    return session if (row["subject"], known, row["modality"]) in scans else known


def _shared(root: Path, paths: Iterable[tuple[tuple[str, ...], str]]) -> list[str]:
    """Return the files with more than one owner; a folder of DICOM may hold more than one scan."""
    owners: dict[str, dict[str, None]] = {}
    for key, path in paths:
        file = os.path.normpath(root / path)
        if is_nifti(Path(file)):
            owners.setdefault(file, {})[" ".join(filter(None, key))] = None
    return [" and ".join(names) for names in owners.values() if len(names) > 1]


def _read_rows(table: Table) -> list[dict[str, str]]:
    """Return the lines with each value in one form; text that is not an age or a sex is left as it is."""
    column = "sex" if "sex" in table.columns else "gender"
    return [_row(line | {"sex": sex}) for line, sex in zip(table.rows, sexes(table.rows, column), strict=True)]


def _row(line: Mapping[str, str]) -> dict[str, str]:
    row = {name: "" if name in MAY_BE_EMPTY and text.lower() in EMPTY else text for name, text in line.items()}
    row |= {name: row.get(name, "").lower() for name in ("modality", *WORDS)}
    row["modality"] = SPELLINGS.get(row["modality"], row["modality"])
    people = {name: row.get(name, "") for name in ("age", "sex")}
    row |= {name: "" if text.lower() in NO_VALUE else text for name, text in people.items()}
    age = age_of(row["age"])
    row |= {"age": row["age"] if age is None else f"{age:g}", "sex": sex_of(row["sex"]) or row["sex"]}
    row |= {"site": site_of(row.get("site", "")), "session": row.get("session", "")}
    return row | {name: as_path(row.get(name, "")).replace("\\", "/") for name in PATHS}


def _check(row: Mapping[str, str], where: str) -> None:
    for name in REQUIRED:
        if not row[name]:
            _refuse("A line of the table lacks a value.", f"nothing in the column {name}", where)
    for name, value in row.items():
        # Neither file systems nor tables can hold it.
        if "\0" in value:
            _refuse("A line of the table is damaged.", f"a zero byte in the column {name}", where)
    for name, words in WORDS.items():
        if row[name] and row[name] not in words:
            _refuse_word(name, words, row[name], where)


def _collect(known: dict[str, str], row: Mapping[str, str], names: Sequence[str], where: str) -> None:
    for name in names:
        value = row.get(name, "")
        if value and known.setdefault(name, value) != value:
            actual = f"{name} {value} here and {known[name]} in a line above"
            _refuse(f"The lines of subject {row['subject']} contradict each other.", actual, where)


def _facts(known: Mapping[str, str], root: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {name: known[name] for name in ("label", "skull", "site") if known.get(name)}
    facts |= {name: root / known[name] for name in ("lesion_mask", "brain_mask") if known.get(name)}
    return facts | {"age": age_of(known.get("age", "")), "sex": sex_of(known.get("sex", ""))}


def _files(path: Path) -> tuple[Path, ...]:
    # A missing file stays in the list: the import reports it with its path and continues with the others.
    return visible_files(path) if is_kind(path, Path.is_dir) else nifti_files(path)


def _check_paths(table: Table, paths: Sequence[Path]) -> None:
    if not any(is_kind(path, Path.exists) for path in paths):
        raise DatasetError(
            "None of the paths in the table exists.",
            expected="files or folders; relative paths start at the table's folder",
            found=f"no {paths[0]}" if paths else "no lines",
            where=str(table.path),
        )


def _notes(
    table: Table,
    root: Path,
    facts: Mapping[tuple[str, ...], Mapping[str, str]],
    unknown: Sequence[str],
    odd: Mapping[str, Sequence[str]],
) -> list[str]:
    masks = [one[name] for one in facts.values() for name in ("lesion_mask", "brain_mask") if one.get(name)]
    lists = {
        "{line of the table has|lines of the table have} an unknown modality and {is|are} left out": unknown,
        **odd,
        **not_understood((row["subject"], row) for row in _read_rows(table)),
        "{column of the table is unknown and is|columns of the table are unknown and are} ignored": [
            name
            for name in table.columns
            if name not in COLUMNS and not (name == "gender" and "sex" not in table.columns)
        ],
        **alike_subjects(key[0] for key in facts),
        "{mask of the table does|masks of the table do} not exist": sorted(
            name for name in masks if not is_kind(root / name, Path.is_file)
        ),
    }
    return counted(lists)


def _refuse(problem: str, actual: str, where: str) -> None:
    raise DatasetError(problem, expected=EXPECTED, found=actual, where=where)


def _refuse_word(name: str, words: Sequence[str], actual: str, where: str) -> None:
    raise DatasetError(
        "A line of the table has an unknown value.", expected=f"{name}: {', '.join(words)}", found=actual, where=where
    )
