"""Reads ``participants.tsv`` of a BIDS data set: label, age, sex and site of each subject."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.base import counted, some
from brain_cae.scans.sources.table import Table, age_of, not_understood, read_table, require_columns, sex_of
from brain_cae.vocabulary import CLASSES

EXPECTED = "participants.tsv with the column participant_id, each subject once"
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
    """Reader of the table: the label column, and its values for ``healthy`` and ``abnormal`` (case is ignored).

    Other values are treated as ``label``, by default ``unknown``, and are listed in the notes.
    """

    label_column: str | None = None
    healthy: Sequence[str] = ()
    abnormal: Sequence[str] = ()
    label: str | None = None
    notes: list[str] = field(default_factory=list, init=False)

    def read(self, path: Path, subjects: Sequence[str]) -> dict[str, Participant]:
        """Return the values of each subject (``sub-…``) that is in the table.

        Raises:
            ConfigurationError: values of labels without a label column, or one value in both classes.
            DatasetError: the table or the label column is missing, a subject is in two lines, or no value of the
                column is in either class.
        """
        self._check()
        self.notes = []
        if not path.is_file() and self.label_column is None:
            self.notes.append("There is no participants.tsv: age and sex are unknown" + self._without_labels())
            return {}
        table = read_table(path, expected=EXPECTED)
        require_columns(table, ("participant_id",), expected=EXPECTED)
        if self.label_column is None:
            if self.label is None:
                columns = ", ".join(name for name in table.columns if name != "participant_id") or "none"
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
        lines = _lines(table)
        self._compare(lines, subjects, path)
        return {name: self._participant(lines[name]) for name in subjects if name in lines}

    def _participant(self, row: dict[str, str]) -> Participant:
        site = row.get("site", "")
        return Participant(
            label=self._label(row) or self.label or "unknown",
            age=age_of(row.get("age", "")),
            sex=sex_of(row.get("sex", "")),
            site="" if site.lower() in UNKNOWN else site,
        )

    def _label(self, row: dict[str, str]) -> str | None:
        value = row.get(self.label_column or "", "").lower()
        return next((name for name in CLASSES if value and value in self._values(name)), None)

    def _values(self, name: str) -> set[str]:
        return {str(value).strip().lower() for value in getattr(self, name)}

    def _check(self) -> None:
        both = self._values("healthy") & self._values("abnormal")
        if both or (self.label_column is None and (self.healthy or self.abnormal)):
            raise ConfigurationError(
                "The values of the label column are invalid.",
                expected="dataset.label_column, and each value either in dataset.healthy or in dataset.abnormal",
                found=f"{some(sorted(both))} in both" if both else "values without a column",
                where="dataset.healthy" if both else "dataset.label_column",
            )

    def _compare(self, lines: dict[str, dict[str, str]], subjects: Sequence[str], path: Path) -> None:
        here = [lines[name] for name in subjects if name in lines]
        lists = {
            "subjects of participants.tsv have no scans and are left out": sorted(set(lines) - set(subjects)),
            "{subject with scans is|subjects with scans are} not in participants.tsv": sorted(
                set(subjects) - set(lines)
            ),
            **not_understood((name, lines[name]) for name in subjects if name in lines),
        }
        self.notes += counted(lists)
        if self.label_column is None:
            return
        values = Counter(row[self.label_column] or "n/a" for row in here)
        unassigned = {value: count for value, count in values.items() if value.lower() not in self._known()}
        if here and not any(self._label(row) for row in here):
            raise DatasetError(
                "No value of the label column is assigned to a class.",
                expected="its values in dataset.healthy and dataset.abnormal, such as dataset.healthy=[control]",
                found=f"{self.label_column}: {some([f'{value} ({count})' for value, count in values.items()], 10)}",
                where=str(path),
            )
        if unassigned:
            shown = some([f"{value} ({count})" for value, count in unassigned.items()], 10)
            self.notes.append(
                f"{sum(unassigned.values())} subjects have a {self.label_column} that is in neither dataset.healthy "
                f"nor dataset.abnormal and are treated as {self.label or 'unknown'}: {shown}."
            )

    def _known(self) -> set[str]:
        return self._values("healthy") | self._values("abnormal")

    def _without_labels(self) -> str:
        return "." if self.label else ", and so are all labels."


def _lines(table: Table) -> dict[str, dict[str, str]]:
    """Return the rows by subject; ``01`` becomes ``sub-01``."""
    lines: dict[str, dict[str, str]] = {}
    for where, row in table.lines():
        name = row["participant_id"]
        subject = name if name.startswith("sub-") else f"sub-{name}"
        if subject in lines:
            raise DatasetError("A subject is in two lines.", expected=EXPECTED, found=subject, where=where)
        lines[subject] = row
    return lines
