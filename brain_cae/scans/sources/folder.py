"""A folder of subjects (``<subject>/<modality>.nii[.gz]``, DICOM in ``<subject>/<modality>/``), or a table of paths."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.nifti import is_nifti
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
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.scan_table import read_scans
from brain_cae.scans.sources.table import read_table, require_columns
from brain_cae.vocabulary import LABELS, MODALITIES, LabelMeaning

LAYOUT = "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>"
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
            problem = "The folder contains no scan."
            raise wrong_root("folder", root, problem=problem, expected=LAYOUT, found=describe(root), advice=advice)
        labels = _labels(root)
        masks = {kind: _masks(root / folder) for kind, folder in MASKS.items()}
        unused_masks = {MASKS[kind]: sorted(set(files) - set(contents)) for kind, files in masks.items()}
        unlabelled = sorted(set(subjects) - set(labels)) if labels else []
        lists = {
            "folders contain no known modality and are left out": sorted(set(contents) - set(subjects)),
            "files or folders are not named after a modality and are left out": [
                str(path.relative_to(root)) for content in subjects.values() for path in content.others
            ],
            "labelled subjects have no scans and are left out": sorted(set(labels) - set(subjects)),
            f"subjects have no label and are treated as {self.label or 'unknown'}": unlabelled,
            **{f"files in {folder} are not named after a subject": names for folder, names in unused_masks.items()},
        }
        self._notes = counted(lists)
        return [
            {"subject": subject, "modality": modality}
            | _choose(content.candidates.get(modality, {}), modality)
            | {kind: paths.get(subject) for kind, paths in masks.items()}
            | ({"label": labels[subject]} if subject in labels else {})
            for subject, content in subjects.items()
            for modality in self.modalities
        ]


@dataclass
class _Subject:
    """The contents of a subject's folder: the candidates for each modality, and files with other names."""

    candidates: dict[str, dict[Path, tuple[Path, ...]]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)


def _look(folder: Path) -> _Subject:
    content = _Subject()
    for path in sorted(path for path in folder.iterdir() if is_visible(path.name)):
        if not path.is_dir() and not is_nifti(path):
            continue
        modality = SPELLINGS.get(_name(path))
        if modality is None:
            content.others.append(path)
            continue
        candidates = content.candidates.setdefault(modality, {})
        if files := visible_files(path) if path.is_dir() else (path,):
            candidates[path] = files
    return content


def _choose(candidates: dict[Path, tuple[Path, ...]], modality: str) -> dict[str, Any]:
    """Return the fields of a modality's location; the standard name goes before other spellings."""
    plain = [files for path, files in candidates.items() if _name(path) == modality]
    if len(plain) != 1:
        return the_only([*candidates.values()])
    others = (files[0] for files in candidates.values() if files is not plain[0])
    return {
        "files": plain[0],
        "left_out": tuple((path, "several candidates: the one named plainly was taken") for path in others),
    }


def _name(path: Path) -> str:
    return (path.name if path.is_dir() else _stem(path)).lower()


def _labels(root: Path) -> dict[str, str]:
    """Return the labels from ``labels.csv`` or ``labels.tsv``; empty if there is no such file."""
    paths = [path for suffix in ("csv", "tsv") if (path := root / f"labels.{suffix}").is_file()]
    if not paths:
        return {}
    if len(paths) > 1:
        raise DatasetError(
            "There are two files of labels.",
            expected="labels.csv or labels.tsv",
            found="both",
            where=str(root),
            advice="Keep one of them.",
        )
    table = read_table(paths[0], expected=EXPECTED_LABELS)
    require_columns(table, ("subject", "label"), expected=EXPECTED_LABELS)
    labels: dict[str, str] = {}
    for where, row in table.lines():
        subject, label = row["subject"], row["label"].lower()
        if not subject or label not in LABELS or subject in labels:
            actual = f"subject {subject!r}, label {label!r}" + (" again" if subject in labels else "")
            raise DatasetError("The labels cannot be read.", expected=EXPECTED_LABELS, found=actual, where=where)
        labels[subject] = label
    return labels


def _masks(folder: Path) -> dict[str, Path]:
    files = [path for path in visible_files(folder) if path.parent == folder and is_nifti(path)]
    return {_stem(path): path for path in files}


def _stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)
