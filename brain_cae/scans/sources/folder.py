"""A folder of subjects (``<subject>/<modality>.nii[.gz]``, DICOM in ``<subject>/<modality>/``), or a table of paths."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.nifti import is_nifti, nifti_files, nifti_stem, other_format
from brain_cae.scans.sources.base import (
    SPELLINGS,
    Label,
    SeriesLocation,
    Skull,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_visible,
    the_only,
    visible_files,
)
from brain_cae.scans.sources.choice import apply_choices
from brain_cae.scans.sources.matching import match, match_all, require_unique
from brain_cae.scans.sources.scan_table import read_scans
from brain_cae.scans.sources.table import find_table, read_table, require_columns
from brain_cae.vocabulary import LABELS, MODALITIES, LabelMeaning

LAYOUT = "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>"
LABEL_TABLES = ("labels.csv", "labels.tsv")
EXPECTED_LABELS = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"
MASKS = {"lesion_mask": "masks", "brain_mask": "brain_masks"}


@dataclass
class Folder:
    """A folder of subjects, or a table with one scan per line (``table``, see ``scan_table.py``).

    Optional files beside the subjects: ``labels.csv`` or ``.tsv`` (subject,label), ``masks/<subject>.nii.gz``
    (lesions), ``brain_masks/<subject>.nii.gz``, and ``series.csv`` (see ``choice.py``) for folders with several series.
    The name of the file or folder is the modality: t1, t2, flair or t1ce in upper or lower case, or else one of the
    other ``SPELLINGS``. ``label`` and ``skull`` apply to every subject without other information. ``locate`` raises
    DatasetError if there is no scan, or if a label is not healthy, abnormal or unknown.
    """

    layout: ClassVar[str] = LAYOUT
    meaning: ClassVar[LabelMeaning] = LabelMeaning()

    root: str | None = None
    modalities: Sequence[str] = MODALITIES
    table: str | None = None
    label: Label | None = None
    skull: Skull = "unknown"
    name: str = field(default="folder", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.modalities = check_modalities(self.modalities)

    @staticmethod
    def check(choice: Any, key: str) -> None:
        """There must be a place on disk: raises ConfigurationError where there is neither a folder nor a table."""
        if choice.root is None and choice.table is None:
            raise ConfigurationError(
                f"The key `{key}.root` has no value.",
                expected=LAYOUT,
                found="no value",
                where=f"{key}.root",
                advice=f"Set it on the command line: {key}.root=…, or {key}.table=… for a table of paths.",
            )

    def locate(self) -> list[SeriesLocation]:
        """Return the series of every subject that has at least one known modality."""
        root = Path(self.root) if self.root is not None else Path()
        if self.table is not None:
            scans, self._notes = read_scans(root / self.table, self.modalities)
            root = root if self.root is not None else (root / self.table).parent
        else:
            scans = self._scans(root)
        defaults = {"label": self.label or "unknown", "skull": self.skull, "source": self.name}
        return apply_choices([SeriesLocation(**(defaults | scan)) for scan in scans], root)

    def notes(self) -> list[str]:
        """Return which folders, labels, masks and columns were left out."""
        return list(self._notes)

    def _scans(self, root: Path) -> list[dict[str, Any]]:
        advice = (
            "Set dataset.root to the folder that holds one folder per subject, or dataset.table to a table of paths."
        )
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=advice)
        folders = sorted(path for path in root.iterdir() if path.is_dir() and is_visible(path.name))
        contents = {path.name: _look(path) for path in folders if path.name not in MASKS.values()}
        subjects = {name: content for name, content in contents.items() if content.candidates}
        if not any(any(content.candidates.values()) for content in subjects.values()):
            raise DatasetError(
                "The folder contains no scan.", expected=LAYOUT, found=describe(root), where=str(root), advice=advice
            )
        labels, label_notes, lists = self._match_labels(root, list(subjects), sorted(set(contents) - set(subjects)))
        masks, unused_masks = {}, {}
        for kind, folder in MASKS.items():
            files = _masks(root / folder)
            matches = match(files, contents)
            require_unique(matches, what="masks", place=root / folder)
            masks[kind], unused_masks[folder] = matches.of(files), list(matches.names)
            lists[f"files in {folder} have the name of their subject written in another way"] = matches.changed
        lists |= {
            "folders contain no known modality and are left out": sorted(set(contents) - set(subjects)),
            "files or folders are not named after a modality and are left out": [
                str(path.relative_to(root)) for content in subjects.values() for path in content.others
            ],
            **{f"files in {folder} are not named after a subject": names for folder, names in unused_masks.items()},
        }
        self._notes = label_notes + counted(lists)
        return [
            {"subject": subject, "modality": modality}
            | _choose(content.candidates.get(modality, {}), modality, content.unread.get(modality, []))
            | {kind: paths.get(subject) for kind, paths in masks.items()}
            | ({"label": labels[subject]} if subject in labels else {})
            for subject, content in subjects.items()
            for modality in self.modalities
        ]

    def _match_labels(
        self, root: Path, subjects: list[str], without_scan: list[str]
    ) -> tuple[dict[str, str], list[str], dict[str, list[str]]]:
        """Return the label of each subject, notes on the table, and lists for the notes."""
        table, notes = find_table(root, LABEL_TABLES, stems=("labels", "label"))
        if table is None:
            return {}, notes, {}
        labels, lines = _labels(table)
        matches = match_all(
            labels,
            subjects,
            lines=lines,
            without_scan=without_scan,
            place=table,
            what="labels",
            advice="Write each name alike in both. Give subjects without a label a line with `unknown`, or remove the "
            "lines of subjects that have no scans.",
        )
        rest = list(matches.rest) if labels else []
        lists = {
            "labels are matched with a subject whose name is written in another way": matches.changed,
            "labelled subjects have no scans and are left out": list(matches.names),
            f"subjects have no label and are treated as {self.label or 'unknown'}": rest,
        }
        return matches.of(labels), notes, lists


@dataclass
class _Subject:
    """The contents of a subject's folder: the candidates for each modality, and files of other names and formats."""

    candidates: dict[str, dict[Path, tuple[Path, ...]]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    unread: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)

    def note_format(self, path: Path) -> None:
        """Keep a file that is named after a modality but has a format that is not read, with the reason."""
        modality = SPELLINGS.get(path.name.partition(".")[0].lower())
        if modality is not None and (reason := other_format(path)):
            self.candidates.setdefault(modality, {})
            self.unread.setdefault(modality, []).append((path, reason))


def _look(folder: Path) -> _Subject:
    content = _Subject()
    for path in _entries(folder):
        if not path.is_dir() and not is_nifti(path):
            content.note_format(path)
            continue
        modality = SPELLINGS.get(_name(path))
        if modality is None:
            content.others.append(path)
            continue
        candidates = content.candidates.setdefault(modality, {})
        if files := visible_files(path) if path.is_dir() else nifti_files(path):
            candidates[path] = files
    return content


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if is_visible(path.name))
    except FileNotFoundError:
        return []  # removed since its parent was listed


def _choose(candidates: dict[Path, tuple[Path, ...]], modality: str, unread: list[tuple[Path, str]]) -> dict[str, Any]:
    """Return the fields of a modality's location; the standard name goes before other spellings."""
    chosen = _chosen(candidates, modality)
    return chosen | {"left_out": (*chosen.get("left_out", ()), *unread)}


def _chosen(candidates: dict[Path, tuple[Path, ...]], modality: str) -> dict[str, Any]:
    plain = [files for path, files in candidates.items() if _name(path) == modality]
    if len(plain) != 1:
        return the_only([*candidates.values()])
    others = (files[0] for files in candidates.values() if files is not plain[0])
    return {
        "files": plain[0],
        "left_out": tuple((path, "several candidates: the one named plainly was taken") for path in others),
        "candidates": tuple(candidates.values()) if len(candidates) > 1 else (),
    }


def _name(path: Path) -> str:
    return (path.name if path.is_dir() else nifti_stem(path)).lower()


def _labels(path: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Return label and line of each name in the table."""
    table = read_table(path, expected=EXPECTED_LABELS, lower=True)
    require_columns(table, ("subject", "label"), expected=EXPECTED_LABELS)
    labels: dict[str, str] = {}
    for where, row in table.lines():
        subject, label = row["subject"], row["label"].lower()
        if not subject or label not in LABELS or subject in labels:
            actual = f"subject {subject!r}, label {label!r}" + (" again" if subject in labels else "")
            raise DatasetError("The labels cannot be read.", expected=EXPECTED_LABELS, found=actual, where=where)
        labels[subject] = label
    return labels, dict(zip(labels, table.numbers, strict=True))


def _masks(folder: Path) -> dict[str, Path]:
    files = [path for path in visible_files(folder) if path.parent == folder and is_nifti(path)]
    return {nifti_stem(path): path for path in files}
