"""What a user's tables and files say about patients, found by PatientID or pseudonym, and kept by pseudonym only."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import nibabel
import numpy as np

from brain_cae.errors import DatasetError
from brain_cae.files.atomic import whole
from brain_cae.scans.formats import is_nifti
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.base import is_visible
from brain_cae.scans.sources.table import read_table, require_columns
from brain_cae.vocabulary import LABELS

EXPECTED = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"

Value = TypeVar("Value")


@dataclass(frozen=True)
class People:
    """The patients of a tree: ``identifiers`` holds the PatientID of each pseudonym, in memory only."""

    identifiers: Mapping[str, str]
    names: Pseudonyms

    def find(self, name: str) -> str | None:
        """Return the subject that a table or a file names by pseudonym, by PatientID, or by another spelling of it.

        Spreadsheet programs remove zeros in front, and people write letters in another case.
        """
        name = name.strip()
        if name in self.identifiers:
            return name
        exact, loose = self._spellings
        return exact.get(name) or loose.get(_loosely(name))

    @cached_property
    def _spellings(self) -> tuple[dict[str, str], dict[str, str]]:
        exact = {identifier: name for name, identifier in self.identifiers.items() if identifier}
        counts = Counter(map(_loosely, exact))
        loose = {key: name for identifier, name in exact.items() if counts[key := _loosely(identifier)] == 1}
        return exact, loose

    def match(self, values: Iterable[tuple[str, Value]]) -> tuple[dict[str, Value], list[str]]:
        """Return values by subject, and the pseudonyms of the names that are nobody's here."""
        matched: dict[str, Value] = {}
        others = []
        for name, value in values:
            subject = self.find(name)
            if subject is None:
                others.append(name if re.fullmatch(r"p-[0-9a-f]{12}", name) else self.names.patient(name))
            elif subject in matched and matched[subject] != value:
                raise DatasetError(
                    "Two names of a table belong to one patient.", expected=EXPECTED, found=f"{subject} twice"
                )
            else:
                matched[subject] = value
        return matched, sorted(others)


def read_labels(path: Path) -> list[tuple[str, str]]:
    """Return name and label of each line of a table; raises DatasetError for a damaged one."""
    table = read_table(path, expected=EXPECTED, lower=True)
    require_columns(table, ("subject", "label"), expected=EXPECTED)
    labels: dict[str, str] = {}
    for where, row in table.lines():
        subject, label = row["subject"], row["label"].lower()
        if not subject or label not in LABELS or subject in labels:
            actual = f"the label {label!r}" if label not in LABELS else "a subject again" if subject else "no subject"
            raise DatasetError("The labels cannot be read.", expected=EXPECTED, found=actual, where=where)
        labels[subject] = label
    return list(labels.items())


def find_masks(folder: Path) -> list[tuple[str, Path]]:
    """Return the masks in a folder by the names of their files."""
    if not folder.is_dir():
        return []
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and is_visible(path.name) and is_nifti(path)]
    return [(re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE), path) for path in files]


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


def _loosely(identifier: str) -> str:
    return "".join(identifier.split()).lower().lstrip("0")
