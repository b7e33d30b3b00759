"""Reads ``participants.tsv`` of a BIDS data set: label, age, sex and site of each subject."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.base import agreeing, counted, some
from brain_cae.scans.sources.matching import Matches, match, match_all
from brain_cae.scans.sources.table import Table, age_of, find_table, not_understood, read_table, require_columns, sex_of
from brain_cae.vocabulary import CLASSES

EXPECTED = "participants.tsv with the column participant_id, each subject once"
UNKNOWN = ("", "n/a")
IDENTIFIERS = ("participant_id", "participantid", "participant", "subject_id", "subjectid", "subject", "sub", "id")
"""Names of the column of subjects, the one of BIDS first; case, spaces and hyphens are ignored."""


@dataclass(frozen=True)
class Participant:
    """The values of one subject in the table."""

    label: str = "unknown"
    age: float | None = None
    sex: str = ""
    site: str = ""


@dataclass
class Participants:
    """Reader of the table: the label column, and its values for ``healthy`` and ``abnormal``.

    Of values, case is ignored, and ``1.0`` is ``1``. Other values are treated as ``label``, by default ``unknown``, and
    are listed in the notes. ``files`` are the table and the files that the notes name.
    """

    label_column: str | None = None
    healthy: Sequence[str] = ()
    abnormal: Sequence[str] = ()
    label: str | None = None
    notes: list[str] = field(default_factory=list, init=False)
    files: tuple[Path, ...] = field(default=(), init=False)

    def read(self, path: Path, subjects: Sequence[str], *, without_scan: Sequence[str] = ()) -> dict[str, Participant]:
        """Return the values of each subject (``sub-…``) that is in the table, or in one with a name near to it.

        Args:
            path: ``participants.tsv``.
            subjects: Subjects with scans.
            without_scan: Folders of subjects without a scan; the table may list them.

        Raises:
            ConfigurationError: values of labels without a label column, or one value in both classes.
            DatasetError: the table or the label column is missing, a subject is in two lines, no value of the column is
                in either class, or some lines with labels and some subjects have not found each other.
        """
        self._check()
        found = find_table(path.parent, (path.name,), stems=("participants", "participant"))
        self.files, self.notes = found.files, list(found.notes)
        path = found.path or path
        if not path.is_file() and self.label_column is None:
            self.notes.append("There is no participants.tsv: age and sex are unknown" + self._without_labels())
            return {}
        table = read_table(path, expected=EXPECTED)
        identifier = _column(table, IDENTIFIERS)
        if identifier is None:
            require_columns(table, IDENTIFIERS[:1], expected=EXPECTED)
        elif identifier != IDENTIFIERS[0]:
            self.notes.append(f"The subjects of {path.name} are read from its column {identifier}.")
        if self.label_column is None:
            if self.label is None:
                columns = ", ".join(name for name in table.columns if name != identifier) or "none"
                self.notes.append(
                    f"All labels are unknown: set dataset.label_column to one of the columns ({columns})."
                )
        elif self.label_column not in table.columns:
            raise DatasetError(
                "The label column is not in participants.tsv.",
                expected=self.label_column,
                found=f"the columns {', '.join(table.columns)}",
                where="dataset.label_column",
            )
        rows, lines = _rows(table, str(identifier))
        matches = self._match(lines, subjects, without_scan, path)
        rows = {matches.subjects.get(name, name): row for name, row in rows.items()}
        self._compare(rows, matches, subjects, path)
        return {name: self._participant(rows[name]) for name in matches.subjects.values()}

    def _match(
        self, lines: dict[str, int], subjects: Sequence[str], without_scan: Sequence[str], path: Path
    ) -> Matches:
        if self.label_column is None:
            return match(lines, subjects)
        return match_all(
            lines,
            subjects,
            lines=lines,
            without_scan=without_scan,
            place=path,
            what="labels",
            advice=f"Write each name alike in both: sub-… as in the folders. In {path.name}, add lines for subjects "
            "without one, or remove those of subjects that have no scans.",
        )

    def _participant(self, row: dict[str, str]) -> Participant:
        site = row["site"]
        return Participant(
            label=self._label(row) or self.label or "unknown",
            age=age_of(row["age"]),
            sex=sex_of(row["sex"]),
            site="" if site.lower() in UNKNOWN else site,
        )

    def _label(self, row: dict[str, str]) -> str | None:
        value = _form(row.get(self.label_column or "", ""))
        return next((name for name in CLASSES if value and value in self._values(name)), None)

    def _values(self, name: str) -> set[str]:
        return {_form(str(value)) for value in getattr(self, name)}

    def _check(self) -> None:
        both = self._values("healthy") & self._values("abnormal")
        if both or (self.label_column is None and (self.healthy or self.abnormal)):
            raise ConfigurationError(
                "The values of the label column are invalid.",
                expected="dataset.label_column, and each value either in dataset.healthy or in dataset.abnormal",
                found=f"{some(sorted(both))} in both" if both else "values without a column",
                where="dataset.healthy" if both else "dataset.label_column",
            )

    def _compare(self, rows: dict[str, dict[str, str]], matches: Matches, subjects: Sequence[str], path: Path) -> None:
        known = set(matches.subjects.values())
        here = [rows[name] for name in subjects if name in known]
        lists = {
            f"{{line of {path.name} is|lines of {path.name} are}} matched with a subject whose name is written in "
            "another way": matches.changed,
            f"{{subject of {path.name} has|subjects of {path.name} have}} no scans and {{is|are}} left out": list(
                matches.names
            ),
            f"{{subject with scans is|subjects with scans are}} not in {path.name}": list(matches.rest),
            **not_understood((name, rows[name]) for name in subjects if name in known),
        }
        self.notes += counted(lists)
        if self.label_column is None:
            return
        values = Counter(row[self.label_column] or "n/a" for row in here)
        unassigned = {value: count for value, count in values.items() if _form(value) not in self._known()}
        if here and not any(self._label(row) for row in here):
            raise DatasetError(
                "No value of the label column is assigned to a class.",
                expected="its values in dataset.healthy and dataset.abnormal, such as dataset.healthy=[control]",
                found=f"{self.label_column}: {some([f'{value} ({count})' for value, count in values.items()], 10)}",
                where=str(path),
            )
        if unassigned:
            shown = some([f"{value} ({count})" for value, count in unassigned.items()], 10)
            text = (
                f"{{subject has|subjects have}} a {self.label_column} that is in neither dataset.healthy nor "
                f"dataset.abnormal and {{is|are}} treated as {self.label or 'unknown'}"
            )
            self.notes.append(f"{agreeing(sum(unassigned.values()), text)}: {shown}.")

    def _known(self) -> set[str]:
        return self._values("healthy") | self._values("abnormal")

    def _without_labels(self) -> str:
        return "." if self.label else ", and so are all labels."


def _form(value: str) -> str:
    """Return a value as it is compared: case is ignored, and a number may have the ``.0`` that programs add to it."""
    return re.sub(r"^([+-]?\d+)[.,]0+$", r"\1", value.strip().lower())


def _column(table: Table, names: Sequence[str]) -> str | None:
    """Return the column with the first of these names that the table has."""
    columns = {name.lower().replace(" ", "_").replace("-", "_"): name for name in reversed(table.columns)}
    return next((columns[name] for name in names if name in columns), None)


def _rows(table: Table, identifier: str) -> tuple[dict[str, dict[str, str]], dict[str, int]]:
    """Return row and line by subject; ``01`` becomes ``sub-01``."""
    rows: dict[str, dict[str, str]] = {}
    lines: dict[str, int] = {}
    standard = {name: _column(table, (name,)) for name in ("age", "sex", "site")}
    for number, (where, row) in zip(table.numbers, table.lines(), strict=True):
        name = row[identifier]
        subject = name if re.match(r"sub(?:[-_ ]|\d)", name, re.IGNORECASE) else f"sub-{name}"
        if subject in rows:
            raise DatasetError("A subject is in two lines.", expected=EXPECTED, found=subject, where=where)
        rows[subject] = row | {name: row.get(column or "", "") for name, column in standard.items()}
        lines[subject] = number
    return rows, lines
