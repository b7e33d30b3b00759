"""Reads ``labels.csv`` beside the scans: label, age, sex and site of each subject."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import counted
from brain_cae.scans.sources.matching import alike_subjects, match, match_all
from brain_cae.scans.sources.table import (
    NO_VALUE,
    SEX_COLUMNS,
    FoundTable,
    age_of,
    column_of,
    not_understood,
    read_table,
    require_columns,
    sex_of,
    sexes,
    site_of,
)
from brain_cae.vocabulary import LABELS

LABEL_TABLES = ("labels.csv", "labels.tsv")
EXPECTED = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"
PERSON = {"age": ("age",), "sex": SEX_COLUMNS, "site": ("site",)}
"""What the table of labels may say besides, and the names of its columns."""


def read_people(
    table: FoundTable,
    subjects: Sequence[str],
    without_scan: Sequence[str] = (),
    *,
    otherwise: str,
    of_others: bool = False,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what the table says about each subject (label, age, sex, site), and notes on it.

    Args:
        table: Found beside the scans, or not.
        subjects: Subjects with scans.
        without_scan: Folders of subjects without a scan.
        otherwise: The label of subjects without a line, for the notes.
        of_others: Whether the table may be of other subjects alone, or of another kind; then a note says so.

    Raises:
        DatasetError: A label is not healthy, abnormal or unknown, or lines and subjects do not match.
    """
    if table.path is None:
        return {}, [*table.notes]
    try:
        people, columns, lines = _read_labels(table.path)
    except DatasetError as error:
        if not of_others:
            raise
        return {}, [*table.notes, f"{table.path.name} is not used: {error.problem} Found: {error.found}."]
    if of_others and not match(people, subjects).subjects:
        return {}, [
            *table.notes,
            f"{table.path.name} names none of the subjects of the table of paths and is not used.",
        ]
    matches = match_all(
        people,
        subjects,
        lines=lines,
        without_scan=without_scan,
        place=table.path,
        what="labels",
        advice="Write each name alike in both. Give subjects without a label a line with `unknown`, or remove the "
        "lines of subjects that have no scans.",
    )
    empty = [name for name, row in people.items() if row["label"].lower() not in LABELS]
    lists = {
        "{label is|labels are} matched with a subject whose name is written in another way": matches.changed,
        "{labelled subject has|labelled subjects have} no scans and {is|are} left out": matches.names,
        f"{{subject has|subjects have}} no label and {{is|are}} treated as {otherwise}": sorted(
            {*matches.rest, *(matches.subjects[name] for name in empty if name in matches.subjects)}
        ),
        **alike_subjects((), people, table.path.name),
        **not_understood((name, people[name]) for name in matches.subjects),
        "{column of the table of labels is unknown and is|columns of the table of labels are unknown and are} "
        "ignored": columns,
    }
    known = {
        name: {
            "label": otherwise if name in empty else row["label"].lower(),
            "age": age_of(row["age"]),
            "sex": sex_of(row["sex"]),
            "site": site_of(row["site"]),
        }
        for name, row in people.items()
    }
    return matches.of(known), [*table.notes, *counted(lists)]


def _read_labels(path: Path) -> tuple[dict[str, dict[str, str]], list[str], dict[str, int]]:
    """Return the values and the line of each name in the table, and the columns that are not known."""
    table = read_table(path, expected=EXPECTED, lower=True)
    require_columns(table, ("subject", "label"), expected=EXPECTED)
    columns = {"subject": "subject", "label": "label"}
    columns |= {name: column_of(table, names) or "" for name, names in PERSON.items()}
    people: dict[str, dict[str, str]] = {}
    for (where, line), sex in zip(table.lines(), sexes(table.rows, columns["sex"]), strict=True):
        row = {name: line.get(column, "") for name, column in columns.items()} | {"sex": sex}
        subject, label = row["subject"], row["label"].lower()
        if not subject or label not in (*LABELS, *NO_VALUE) or subject in people:
            actual = f"subject {subject!r}, label {label!r}" + (" again" if subject in people else "")
            raise DatasetError("The labels cannot be read.", expected=EXPECTED, found=actual, where=where)
        people[subject] = row
    unknown = [name for name in table.columns if name not in columns.values()]
    return people, unknown, dict(zip(people, table.numbers, strict=True))
