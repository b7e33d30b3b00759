"""What a user's tables and files say about patients, found by PatientID or pseudonym, and kept by pseudonym only."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import nibabel
import numpy as np

from brain_cae.errors import DatasetError
from brain_cae.files.atomic import whole
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.base import counted
from brain_cae.scans.sources.mask_folder import read_masks
from brain_cae.scans.sources.matching import alike, match, match_all, visits
from brain_cae.scans.sources.table import NO_VALUE, read_table, require_columns
from brain_cae.vocabulary import LABELS

EXPECTED = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"
PSEUDONYM = re.compile(r"p-[0-9a-f]{12}")

Value = TypeVar("Value")


@dataclass(frozen=True)
class People:
    """The patients of a tree: ``identifiers`` holds the PatientID of each pseudonym, in memory only."""

    identifiers: Mapping[str, str]
    names: Pseudonyms

    @cached_property
    def subjects(self) -> dict[str, str]:
        """The pseudonym of each PatientID; who has none is called by pseudonym."""
        return {identifier or name: name for name, identifier in self.identifiers.items()}

    def find(self, name: str) -> str | None:
        """Return the subject that a table names by pseudonym, by PatientID, or by another spelling of it."""
        name = name.strip()
        found = self.identifiers.get(name) or name
        if found not in self.subjects:
            found = match([found], self.subjects).subjects.get(found, "")
        return self.subjects.get(found)

    def shown(self, name: str) -> str:
        """Return a PatientID, or what a table or a file has in place of one, as it may be written: as a pseudonym."""
        return self.subjects.get(name) or (name if PSEUDONYM.fullmatch(name) else self.names.patient(name))

    def labels(self, path: Path, *, otherwise: str) -> tuple[dict[str, str], list[str]]:
        """Return the label of each subject, and notes on the table; subjects without one count as ``otherwise``.

        Raises:
            DatasetError: A damaged table, two labels of one patient, a name that could stand for several patients, or
                labels without scans beside scans without labels.
        """
        written, at = read_labels(path)
        labels = self._once((self.identifiers.get(name) or name, label) for name, label in written.items())
        lines = {self.identifiers.get(name) or name: line for name, line in at.items()}
        matches = match_all(
            labels,
            self.subjects,
            lines=lines,
            place=path,
            what="labels",
            advice="Write each PatientID, or pseudonym, as `inspect=true` or the scanner does. Give subjects without a "
            "label a line with `unknown`, or remove the lines of subjects that have no scans.",
            shown=self.shown,
        )
        changed = [(subject, name) for name, subject in matches.subjects.items() if name != subject]
        lists = {
            "{label is|labels are} matched with a PatientID that is written in another way": [
                f"{self.shown(subject)} (line {lines[name]})" for subject, name in changed
            ],
            "{labelled subject has|labelled subjects have} no scans and {is|are} left out": [
                f"{self.shown(name)} (line {lines[name]})" for name in matches.names
            ],
            f"{{subject has|subjects have}} no label and {{is|are}} treated as {otherwise}": (
                sorted(map(self.shown, matches.rest)) if labels else ()
            ),
        }
        return {self.subjects[one]: label for one, label in matches.of(labels).items()}, counted(lists)

    def masks(self, folder: Path) -> tuple[dict[str, Path], list[str]]:
        """Return the mask of each subject in a folder of masks, and notes on everything else in it."""

        def shown(name: str) -> str:
            file = name.removeprefix(f"{folder.name}/")
            return self.shown(name) if file == name else f"{folder.name}/{self.names.name('x', file)}"

        masks, notes = read_masks(folder, dict.fromkeys([*self.subjects, *self.identifiers]), shown=shown)
        return self._once((self.subjects.get(name, name), path) for name, path in masks.items()), notes

    def alike(self) -> list[str]:
        """Return the patients whose PatientIDs differ in case, zeros, separators or Unicode form alone."""
        return alike(self.subjects, shown=self.shown)

    def visits(self) -> list[str]:
        """Return the patients who may be one person at several times: PatientIDs differ in the last part alone."""
        return visits(self.subjects, shown=self.shown)

    def _once(self, values: Iterable[tuple[str, Value]]) -> dict[str, Value]:
        """Return values by name; raises DatasetError if a name has two that differ."""
        known: dict[str, Value] = {}
        for name, value in values:
            if known.setdefault(name, value) != value:
                raise DatasetError(
                    "Two names of a table, or of masks, belong to one patient.",
                    expected="each patient once",
                    found=f"{self.shown(name)} twice",
                )
        return known


def read_labels(path: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Return label and line of each name in a table; raises DatasetError, without names, for a damaged one.

    A line without a label counts as none, as in other sources.
    """
    table = read_table(path, expected=EXPECTED, lower=True)
    require_columns(table, ("subject", "label"), expected=EXPECTED)
    labels: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, (where, row) in zip(table.numbers, table.lines(), strict=True):
        subject, label = row["subject"], row["label"].lower()
        if subject and label not in LABELS and label in NO_VALUE:
            continue
        if not subject or label not in LABELS or subject in labels:
            actual = f"the label {label!r}" if label not in LABELS else "a subject again" if subject else "no subject"
            raise DatasetError("The labels cannot be read.", expected=EXPECTED, found=actual, where=where)
        labels[subject], lines[subject] = label, number
    return labels, lines


def copy_mask(path: Path, target: Path) -> Path | None:
    """Copy a mask under a name that may be written, without the texts of its header; None if it cannot be read."""
    try:
        image = nibabel.load(path)
        values = np.asanyarray(image.dataobj)  # type: ignore[attr-defined]
        copy = nibabel.Nifti1Image(values, image.affine, dtype=values.dtype)  # type: ignore[attr-defined]
        known = image.header
        if isinstance(known, nibabel.Nifti1Header):
            copy.set_sform(known.get_sform(), int(known["sform_code"]))
            copy.set_qform(known.get_qform(), int(known["qform_code"]), strip_shears=True)
            copy.header["xyzt_units"] = known["xyzt_units"]
    except Exception:  # every damaged file fails in another way
        return None
    with whole(target) as aside:
        nibabel.save(copy, aside)
    return target
