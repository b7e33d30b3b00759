"""Reads ``participants.tsv`` of a BIDS data set: label, age, sex and site of each subject, or of each session."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.age_unit import UNITS, unit_of_age, with_unit
from brain_cae.scans.sources.base import agreeing, counted, some
from brain_cae.scans.sources.matching import Matches, alike_subjects, match, match_all
from brain_cae.scans.sources.session_tables import SessionTables
from brain_cae.scans.sources.table import (
    SEX_COLUMNS,
    Table,
    age_of,
    column_of,
    find_table,
    not_understood,
    read_table,
    require_columns,
    sex_of,
    sexes,
    site_of,
)
from brain_cae.vocabulary import CLASSES

EXPECTED = "participants.tsv with the column participant_id, one line of each subject, or several that agree"
IDENTIFIERS = ("participant_id", "participantid", "participant", "subject_id", "subjectid", "subject", "sub", "id")
"""Names of the column of subjects, the one of BIDS first; case, spaces and hyphens are ignored."""
AGE = ("age",)
UNKNOWN = ("", "n/a")


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

    def read(
        self,
        path: Path,
        subjects: Sequence[str],
        *,
        without_scan: Sequence[str] = (),
        tables: SessionTables | None = None,
    ) -> dict[str, Participant]:
        """Return the values of each subject (``sub-…``) that is in the table, or in one with a name near to it.

        Args:
            path: ``participants.tsv``.
            subjects: Subjects with scans.
            without_scan: Folders of subjects without a scan; the table may list them.
            tables: Tables of sessions, which may have the label column instead.

        Raises:
            ConfigurationError: values of labels without a label column, or one value in both classes.
            DatasetError: the table or the label column is missing, lines of a subject contradict each other, no value
                of the column is in either class, or some lines with labels and some subjects have not found each other.
        """
        self._check()
        of_sessions = tables.columns if tables else []
        found = find_table(path.parent, (path.name,), stems=("participants", "participant"))
        self.files, self.notes = found.files, list(found.notes)
        path = found.path or path
        if not path.is_file() and (self.label_column is None or self.label_column in of_sessions):
            text = "There is no participants.tsv: age and sex are unknown"
            self.notes.append(text + (self._without_labels(of_sessions) if self.label_column is None else "."))
            return {}
        table = read_table(path, expected=EXPECTED)
        identifier = column_of(table, IDENTIFIERS)
        if identifier is None:
            require_columns(table, IDENTIFIERS[:1], expected=EXPECTED)
        elif identifier != IDENTIFIERS[0]:
            self.notes.append(f"The subjects of {path.name} are read from its column {identifier}.")
        if self.label_column is None:
            if self.label is None:
                columns = ", ".join(name for name in table.columns if name != identifier) or "none"
                known = f"{columns}{_of(of_sessions)}"
                self.notes.append(f"All labels are unknown: set dataset.label_column to one of the columns ({known}).")
        elif self.label_column not in (*table.columns, *of_sessions):
            raise DatasetError(
                "The label column is not in participants.tsv.",
                expected=self.label_column,
                found=f"the columns {', '.join(table.columns)}{_of(of_sessions)}",
                where="dataset.label_column",
            )
        rows, lines, several = _rows(table, str(identifier), self.label_column)
        self.notes += counted({"{subject has|subjects have} several ages, none of which is used": several})
        self._convert_ages(rows, table)
        labelled = self.label_column is not None and self.label_column in table.columns
        matches = self._match(lines, subjects, without_scan, path) if labelled else match(lines, subjects)
        rows = {matches.subjects.get(name, name): row for name, row in rows.items()}
        self._compare(rows, lines, matches, subjects, path)
        if labelled:
            here = [rows[name] for name in subjects if name in set(matches.subjects.values())]
            # With tables of sessions, the labels may all be there.
            self._compare_labels(here, "subject", "" if self.label_column in of_sessions else str(path))
        return {name: self._participant(rows[name]) for name in matches.subjects.values()}

    def _convert_ages(self, rows: Mapping[str, dict[str, str]], table: Table) -> None:
        """Add the unit to ages that are not in years by the JSON file beside the table."""
        files = [table.path.with_suffix(".json"), table.path.with_name("participants.json")]
        unit = unit_of_age(files, column_of(table, AGE) or "")
        if unit in UNITS.values() and unit != "years":
            self.notes.append(f"Ages in {table.path.name} are in {unit}, as the JSON file beside it says.")
        elif unit != "years":
            self.notes.append(f"The JSON file beside {table.path.name} gives an unknown unit of ages, read as years.")
        for row in rows.values():
            row["age"] = with_unit(row["age"], unit)

    def _match(
        self, lines: dict[str, int], subjects: Sequence[str], without_scan: Sequence[str], path: Path
    ) -> Matches:
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
        return Participant(
            label=self._label(row) or self.label or "unknown",
            age=age_of(row["age"]),
            sex=sex_of(row["sex"]),
            site=site_of(row["site"]),
        )

    def _label(self, row: Mapping[str, str]) -> str | None:
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

    def _compare(
        self,
        rows: dict[str, dict[str, str]],
        lines: Iterable[str],
        matches: Matches,
        subjects: Sequence[str],
        path: Path,
    ) -> None:
        known = set(matches.subjects.values())
        lists = {
            f"{{line of {path.name} is|lines of {path.name} are}} matched with a subject whose name is written in "
            "another way": matches.changed,
            f"{{subject of {path.name} has|subjects of {path.name} have}} no scans and {{is|are}} left out": list(
                matches.names
            ),
            f"{{subject with scans is|subjects with scans are}} not in {path.name}": list(matches.rest),
            **alike_subjects((), lines, path.name),
            **not_understood((name, rows[name]) for name in subjects if name in known),
        }
        self.notes += counted(lists)

    def _compare_labels(self, rows: Collection[Mapping[str, str]], what: str, where: str) -> None:
        """Add a note on values of no class; raise DatasetError if all are such (not without a place ``where``)."""
        values = Counter(row[str(self.label_column)] or "n/a" for row in rows)
        unassigned = {value: count for value, count in values.items() if _form(value) not in self._known()}
        if where and rows and not any(self._label(row) for row in rows):
            raise DatasetError(
                "No value of the label column is assigned to a class.",
                expected="its values in dataset.healthy and dataset.abnormal, such as dataset.healthy=[control]",
                found=f"{self.label_column}: {some([f'{value} ({count})' for value, count in values.items()], 10)}",
                where=where,
            )
        if unassigned:
            shown = some([f"{value} ({count})" for value, count in unassigned.items()], 10)
            text = (
                f"{{{what} has|{what}s have}} a {self.label_column} that is in neither dataset.healthy nor "
                f"dataset.abnormal and {{is|are}} treated as {self.label or 'unknown'}"
            )
            self.notes.append(f"{agreeing(sum(unassigned.values()), text)}: {shown}.")

    def at_sessions(
        self, people: Mapping[str, Participant], tables: SessionTables
    ) -> dict[tuple[str, str], Participant]:
        """Return the values of sessions (subject and session) that the tables of sessions give: label and age.

        What a table does not say is that of the subject. A label of the session goes before another one of the subject.

        Raises:
            DatasetError: no value of the label column is in either class, here and in ``participants.tsv``.
        """
        self.notes += tables.notes()
        rows = {place: {str(self.label_column): ""} | row for place, row in tables.rows.items()}
        if self.label_column in tables.columns:
            labelled = {name for name, person in people.items() if person.label in CLASSES}
            self._compare_labels(rows.values(), "session", "" if labelled else "the tables sub-…_sessions.tsv")
            missing = [" ".join(place).rstrip() for place in tables.missing if place[0] not in labelled]
            text = f"{{session has|sessions have}} no label and {{is|are}} treated as {self.label or 'unknown'}"
            self.notes += counted({text: missing})
        found, others = {}, []
        for (subject, session), row in rows.items():
            person = people.get(subject, Participant(label=self.label or "unknown"))
            label = self._label(row) or person.label
            age = age_of(next((row[name] for name in row if name.lower() == "age"), ""))
            found[subject, session] = replace(person, label=label, age=person.age if age is None else age)
            if person.label in CLASSES and label != person.label:
                others.append(f"{subject} {session} ({label}, not {person.label})")
        text = (
            "{session|sessions} {has|have} another label than participants.tsv gives, and that of the session is used"
        )
        self.notes += counted({text: others})
        return found

    def _known(self) -> set[str]:
        return self._values("healthy") | self._values("abnormal")

    def _without_labels(self, of_sessions: Sequence[str]) -> str:
        if self.label:
            return "."
        columns = ", ".join(of_sessions)
        place = f"one of the columns of the tables of sessions ({columns})" if columns else "a column of such a table"
        return (
            f", and so are all labels. Set dataset.label_column to {place}, or dataset.label=healthy if all subjects "
            "are healthy."
        )


def _of(columns: Sequence[str]) -> str:
    return f"; in the tables of sessions {', '.join(columns)}" if columns else ""


def _form(value: str) -> str:
    """Return a value as it is compared: without case, kinds of spaces, Unicode form, and the ``.0`` of a number."""
    text = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    return re.sub(r"^([+-]?\d+)[.,]0+$", r"\1", text)


def _rows(
    table: Table, identifier: str, label: str | None
) -> tuple[dict[str, dict[str, str]], dict[str, int], list[str]]:
    """Return row and line by subject, ``01`` as ``sub-01``, and the subjects with several ages, of which none is known.

    A subject may have several lines, as for its sessions, which agree in label, sex and site.
    """
    rows: dict[str, dict[str, str]] = {}
    lines: dict[str, int] = {}
    standard = {"age": column_of(table, AGE), "sex": column_of(table, SEX_COLUMNS), "site": column_of(table, ("site",))}
    ages: dict[str, set[float]] = {}
    every = sexes(table.rows, standard["sex"])
    for number, (where, row), sex in zip(table.numbers, table.lines(), every, strict=True):
        name = row[identifier]
        subject = name if re.match(r"sub(?:[-_ ]|\d)", name, re.IGNORECASE) else f"sub-{name}"
        person = row | {name: row.get(column or "", "") for name, column in standard.items()}
        person |= {"sex": sex} if label != "sex" else {}
        before = rows.setdefault(subject, person)
        lines.setdefault(subject, number)
        for column in dict.fromkeys(filter(None, (label, "sex", "site", "age"))):
            text, known = person.get(column, ""), before.get(column, "")
            if _form(known) in UNKNOWN:
                before[column] = text
            elif column != "age" and _form(text) not in (*UNKNOWN, _form(known)):
                raise DatasetError(
                    "A subject is in two lines that contradict each other.",
                    expected=EXPECTED,
                    found=f"{subject} with {column} {text} here and {known} in a line above",
                    where=where,
                    advice="Keep one line of each subject. Labels of sessions can stand in sub-…/sub-…_sessions.tsv.",
                )
        ages.setdefault(subject, set()).update({age_of(person["age"]) or 0} - {0})
    several = [subject for subject, values in ages.items() if len(values) > 1]
    for subject in several:
        rows[subject]["age"] = ""
    return rows, lines, several
