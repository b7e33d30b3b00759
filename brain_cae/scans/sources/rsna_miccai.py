"""RSNA-MICCAI: ``train/<id>/<FLAIR|T1w|T1wCE|T2w>/<DICOM>``, ``train_labels.csv``, optional ``masks/<id>.nii.gz``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.base import (
    SeriesLocation,
    can_be_read,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_litter,
    is_visible,
    unused,
    visible_files,
)
from brain_cae.scans.sources.choice import CHOICES, apply_choices
from brain_cae.scans.sources.mask_folder import read_masks
from brain_cae.scans.sources.matching import match_all
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.table import FoundTable, find_table, read_table, require_columns
from brain_cae.vocabulary import MODALITIES, NOBODY, LabelMeaning

LAYOUT = "train/<id>/<FLAIR|T1w|T1wCE|T2w>/<DICOM files>"
FOLDERS = {"flair": "FLAIR", "t1": "T1w", "t1ce": "T1wCE", "t2": "T2w"}
"""Names of the folders as published; copies of the data set may have other capitals."""
LABEL_TABLE = "train_labels.csv"
PUBLISHED = ("train", "test", "masks", LABEL_TABLE, "sample_submission.csv", CHOICES)
LABEL_COLUMNS = ("BraTS21ID", "MGMT_value")

MGMT_WARNING = (
    "WARNING: MGMT_value is read as a diagnosis because dataset.healthy_value={value} asks for it. MGMT_value is the "
    "methylation status of a promoter: every patient of RSNA-MICCAI has a glioblastoma, and value {value} is NOT "
    "healthy. No result of this run applies to healthy brains."
)


@dataclass
class RsnaMiccai:
    """RSNA-MICCAI as published (DICOM).

    Every patient has a glioblastoma, so every label is ``abnormal``. Only with an explicit ``healthy_value`` (0 or 1),
    ``MGMT_value`` is read as a diagnosis, and ``notes`` warns. ``locate`` raises DatasetError for a wrong folder.
    """

    layout: ClassVar[str] = LAYOUT

    root: str
    healthy_value: int | None = None
    modalities: Sequence[str] = MODALITIES
    name: str = field(default="rsna_miccai", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.modalities = check_modalities(self.modalities)
        if self.healthy_value is not None and (
            isinstance(self.healthy_value, bool) or self.healthy_value not in (0, 1)
        ):
            raise ConfigurationError(
                "This is not a value of MGMT_value in RSNA-MICCAI.",
                expected="0, 1, or nothing (every patient is abnormal)",
                found=str(self.healthy_value),
                where="dataset.healthy_value",
                advice="Remove the key: every patient has a glioblastoma, whatever MGMT_value says.",
            )

    def locate(self) -> list[SeriesLocation]:
        """Return every series; labels are ``abnormal`` unless ``healthy_value`` is set."""
        root = Path(self.root)
        subjects = find_subjects(root)
        labels, table = dict.fromkeys(subjects, "abnormal"), FoundTable()
        notes: list[str] = []
        if self.healthy_value is not None:
            table = find_labels(root)
            values, notes = match_values(subjects, read_values(table.path or root / LABEL_TABLE))
            labels = {
                subject: "healthy" if value == self.healthy_value else "abnormal" for subject, value in values.items()
            }
        masks, mask_notes = read_masks(root / "masks", subjects)
        self._notes = [*table.notes, *_strays(root, subjects, table.files), *mask_notes, *notes]
        locations = locate_series(root, subjects, labels, masks, self.modalities, source=self.name, skull="stripped")
        return apply_choices(locations, root)

    @property
    def meaning(self) -> LabelMeaning:
        """Patients with a glioblastoma, whatever MGMT_value says."""
        if self.healthy_value is None:
            return LabelMeaning(NOBODY, "patients with a glioblastoma", None)
        status = "methylation status of a promoter, in patients who all have a glioblastoma"
        other = 1 - self.healthy_value
        return LabelMeaning(f"MGMT_value {self.healthy_value} ({status})", f"MGMT_value {other} (the same)", False)

    def notes(self) -> list[str]:
        """Return a warning if MGMT_value is read as a diagnosis, labels without scans and scans without labels."""
        warning = [] if self.healthy_value is None else [MGMT_WARNING.format(value=self.healthy_value)]
        return warning + self._notes


def find_subjects(root: Path) -> list[str]:
    """Return the subjects (folder names in ``train``); raises DatasetError if the layout is different."""
    advice = "Set dataset.root to the folder that holds train/ and train_labels.csv."
    check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=advice)
    train = root / "train"
    if not train.is_dir():
        problem = "The data set has no train folder."
        raise wrong_root("rsna_miccai", root, problem=problem, expected=LAYOUT, found=describe(root), advice=advice)
    check_folder(train, problem="The data set has no train folder.", expected=LAYOUT, advice=advice)
    subjects = sorted(path.name for path in train.iterdir() if path.is_dir() and is_visible(path.name))
    if not any(_series_folders(train / subject) for subject in subjects):
        actual = describe(train / subjects[0]) if subjects else describe(train)
        problem = "The train folder contains no scan."
        raise wrong_root("rsna_miccai", root, problem=problem, expected=LAYOUT, found=actual, advice=advice)
    return subjects


def _series_folders(folder: Path) -> dict[str, list[Path]]:
    """Return the folders of a subject by modality, of which the first one is read."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if can_be_read(folder) else ():
        modality = next((name for name, written in FOLDERS.items() if written.lower() == path.name.lower()), None)
        if modality is not None and path.is_dir():
            found.setdefault(modality, []).append(path)
    return found


def _strays(root: Path, subjects: Sequence[str], tables: Sequence[Path]) -> list[str]:
    """Return notes about everything beside and in ``train`` that is no series; ``tables`` are read or named already."""
    train = root / "train"
    beside = [path for path in root.iterdir() if path.name not in PUBLISHED and path not in tables]
    strays = [path for path in train.iterdir() if path.name not in subjects]
    for subject in subjects:
        if can_be_read(train / subject):
            series = [path for paths in _series_folders(train / subject).values() for path in paths[:1]]
            strays += [path for path in (train / subject).iterdir() if path not in series]
    texts = {
        "{file or folder beside train is|files or folders beside train are} not read": beside,
        "{entry in train is|entries in train are} not series and {is|are} left out": strays,
    }
    return [
        note
        for text, paths in texts.items()
        for note in counted(unused([path for path in paths if not is_litter(path.name)], root, text))
    ]


def find_labels(root: Path) -> FoundTable:
    """Return ``train_labels.csv``, or the table with a name near to it."""
    return find_table(root, (LABEL_TABLE,), stems=("train_labels", "label"))


def read_values(path: Path) -> dict[str, int]:
    """Return MGMT_value by subject (five digits) from a table of labels; raises DatasetError naming the line."""
    expected = f"a table with the columns {','.join(LABEL_COLUMNS)} and the values 0 or 1"
    table = read_table(path, expected=expected)
    require_columns(table, LABEL_COLUMNS, expected=expected)
    values: dict[str, int] = {}
    for where, row in table.lines():
        subject, value = _parse(row)
        if subject is None or subject in values:
            actual = "a repeated BraTS21ID" if subject else "a line without a number and a value of 0 or 1"
            raise DatasetError("The labels cannot be read.", expected=expected, found=actual, where=where)
        values[subject] = value
    return values


def _parse(row: Mapping[str, str]) -> tuple[str | None, int]:
    # The public table has integers and the folders five digits: 12 and 00012 are the same patient.
    number, value = (re.fullmatch(r"(\d+)(?:[.,]0*)?", row[name]) for name in LABEL_COLUMNS)
    return (f"{int(number[1]):05d}", int(value[1])) if number and value and int(value[1]) in (0, 1) else (None, -1)


def match_values(subjects: Sequence[str], values: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """Return the value of each subject, and notes on labels without scans and scans without labels.

    Raises:
        DatasetError: Labels and folders are left that have not found each other.
    """
    matches = match_all(
        values,
        subjects,
        place=Path(LABEL_TABLE),
        what="labels",
        advice="Check that train/ and train_labels.csv belong together.",
    )
    lists = {
        "{label is|labels are} matched with a folder whose name is written in another way": matches.changed,
        "{labelled subject has|labelled subjects have} no scans and {is|are} left out": matches.names,
        "{subject has|subjects have} no label and {is|are} treated as unknown": matches.rest,
    }
    return matches.of(values), counted(lists)


def locate_series(
    root: Path,
    subjects: Sequence[str],
    labels: Mapping[str, str],
    masks: Mapping[str, Path],
    modalities: Sequence[str],
    *,
    source: str,
    skull: str = "unknown",
) -> list[SeriesLocation]:
    """Return the series of this layout; a modality without files has an empty tuple, so that it is reported."""
    locations = []
    for subject in subjects:
        folder = root / "train" / subject
        # Whatever is in a folder that cannot be read may be this scan: the import refuses it with the reason.
        hidden = folder.is_dir() and not can_be_read(folder)
        series = _series_folders(folder)
        for modality in modalities:
            files = (folder,) if hidden else visible_files(series[modality][0]) if modality in series else ()
            locations.append(
                SeriesLocation(
                    subject=subject,
                    modality=modality,
                    files=files,
                    label=labels.get(subject, "unknown"),
                    source=source,
                    lesion_mask=masks.get(subject),
                    skull=skull,
                )
            )
    return locations
