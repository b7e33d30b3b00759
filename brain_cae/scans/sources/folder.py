"""A folder of subjects (``<subject>/<modality>.nii[.gz]``, DICOM in ``<subject>/<modality>/``), or a table of paths.

The levels may be exchanged, as in ``T1/<subject>.nii.gz`` and ``FLAIR/<subject>.nii.gz``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.formats import is_nifti, nifti_stem, unread_format
from brain_cae.scans.sources.base import (
    Label,
    SeriesLocation,
    Skull,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_litter,
    is_visible,
    some,
    unused,
)
from brain_cae.scans.sources.choice import CHOICES, apply_choices, plainly_named
from brain_cae.scans.sources.contrast_folders import PROCESSED, Contrasts, look_by_contrast
from brain_cae.scans.sources.contrast_names import named_otherwise
from brain_cae.scans.sources.label_table import LABEL_TABLES, read_people
from brain_cae.scans.sources.mask_folder import read_masks
from brain_cae.scans.sources.matching import alike_subjects
from brain_cae.scans.sources.roots import layout_of, wrong_root
from brain_cae.scans.sources.scan_table import read_scans
from brain_cae.scans.sources.sidecar import Sidecars
from brain_cae.scans.sources.subject_folder import Subject, choose, look
from brain_cae.scans.sources.table import FoundTable, find_table
from brain_cae.vocabulary import MODALITIES, LabelMeaning

LAYOUT = "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>"
MASK = re.compile(r"(.*[_\-. ])?(.*mask|seg(m(entation)?)?|lesions?|tumou?r|roi|labels?)", re.IGNORECASE)
"""What programs call a mask that lies among the scans of a subject."""
MASKS = {"lesion_mask": "masks", "brain_mask": "brain_masks"}


@dataclass
class Folder:
    """A folder of subjects, or a table with one scan per line (``table``, see ``scan_table.py``).

    Optional files beside the subjects: ``labels.csv`` or ``.tsv`` (subject,label and, where known, age,sex,site),
    ``masks/<subject>.nii.gz`` (lesions), ``brain_masks/<subject>.nii.gz``, and ``series.csv`` (see ``choice.py``) for
    folders with several series.
    The JSON file of a NIfTI file, ``t1.json`` beside ``t1.nii.gz``, gives its acquisition as in BIDS.
    The name of the file or folder is the modality: t1, t2, flair or t1ce in upper or lower case, or else one of the
    other ``SPELLINGS``. Instead, each folder of the root may be a modality and hold a file, or a folder of DICOM files,
    for each subject (see :func:`look_by_contrast`). ``label`` and ``skull`` apply to every subject without other
    information. ``locate`` raises DatasetError if there is no scan, or if a label is not healthy, abnormal or unknown.
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
            own = root / self.table
            scans, self._notes = read_scans(own, self.modalities)
            root = root if self.root is not None else own.parent
            scans = self._with_labels(scans, root, own)
        else:
            scans = self._scans(root)
        defaults = {"label": self.label or "unknown", "skull": self.skull, "source": self.name}
        chosen = map(plainly_named, apply_choices([SeriesLocation(**(defaults | scan)) for scan in scans], root))
        sidecars = Sidecars(root)
        found = [replace(one, acquisition=sidecars.beside(one.files)) for one in chosen]
        self._notes += counted(sidecars.findings() | named_otherwise(found))
        return found

    def notes(self) -> list[str]:
        """Return which folders, labels, masks and columns were left out."""
        return list(self._notes)

    def _with_labels(self, scans: list[dict[str, Any]], root: Path, own: Path) -> list[dict[str, Any]]:
        """Return the scans of a table of paths (``own``), with the labels of ``labels.csv`` where it has none."""
        path = next((root / name for name in LABEL_TABLES if (root / name).is_file()), None)
        if path is None or path.resolve() == own.resolve():
            return scans
        if any("label" in scan for scan in scans):
            self._notes.append(f"{path.name} is not read: the table of paths has labels.")
            return scans
        subjects = dict.fromkeys(scan["subject"] for scan in scans)
        otherwise = self.label or "unknown"
        people, notes = read_people(FoundTable(path), [*subjects], otherwise=otherwise, of_others=True)
        self._notes += notes
        known = ({name: value for name, value in scan.items() if value not in (None, "")} for scan in scans)
        return [people.get(scan["subject"], {}) | scan for scan in known]

    def _scans(self, root: Path) -> list[dict[str, Any]]:
        advice = (
            "Set dataset.root to the folder that holds one folder per subject, or dataset.table to a table of paths."
        )
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=advice)
        entries = sorted(path for path in root.iterdir() if not is_litter(path.name))
        folders = [path for path in entries if path.is_dir() and is_visible(path.name)]
        mask_folders = {kind: _called(name, folders) or root / name for kind, name in MASKS.items()}
        contents = {path.name: look(path) for path in folders if path not in mask_folders.values()}
        contrasts = Contrasts()
        if not any(content.names_a_modality for content in contents.values()):
            contrasts = look_by_contrast(folders)
            contents = {name: one for name, one in contents.items() if name not in contrasts.names} | contrasts.subjects
        subjects = {name: content for name, content in contents.items() if content.names_a_modality}
        copies = {name for name in subjects if (plain := PROCESSED.sub("", name)) != name and plain in subjects}
        subjects = {name: content for name, content in subjects.items() if name not in copies}
        if not any(any(content.candidates.values()) or content.left_out for content in subjects.values()):
            raise _no_scan(root, contents, advice)
        table = find_table(root, LABEL_TABLES, stems=("labels", "label"))
        named_by_subject = not any(one.named_plainly for one in subjects.values())
        if named_by_subject and not (table.path or self.label) and layout_of(root) == "brats":
            raise _no_scan(root, contents, advice)  # the source brats knows their labels and masks
        without = sorted(set(contents) - set(subjects))
        people, label_notes = read_people(table, list(subjects), without, otherwise=self.label or "unknown")
        masks = {kind: read_masks(folder, contents) for kind, folder in mask_folders.items()}
        beside = [path for path in entries if path not in (*folders, *table.files, root / CHOICES)]
        nameless = contrasts.others + [
            path
            for name, content in contents.items()
            for path in content.others
            if name in subjects or unread_format(path) or not is_visible(path.name)
        ]
        folders_left_out = {
            "{folder contains|folders contain} no known modality and {is|are} left out": [
                f"{name} ({some(content.names, 3)})"
                for name, content in contents.items()
                if not content.names_a_modality
            ]
        }
        processed = (
            "{file or folder is|files or folders are} named like a processed copy of a scan and {is|are} left out"
        )
        masks_inside = [path for path in nameless if is_nifti(path) and MASK.fullmatch(nifti_stem(path))]
        others = "{file or folder is|files or folders are} not named after a modality and {is|are} left out"
        inside = (
            "{file is named like a mask|files are named like masks} and not read; to use {it|them}, name {it|them} "
            "masks/<subject>.nii.gz (lesions) or brain_masks/<subject>.nii.gz"
        )
        loose = "{file beside the subjects' folders is|files beside the subjects' folders are} not read"
        self._notes = [
            *counted({"folders are read as contrasts, each with an entry for each subject": contrasts.names}),
            *label_notes,
            *counted(alike_subjects(subjects)),
            *counted(folders_left_out | unused(set(nameless) - set(masks_inside), root, others)),
            *counted(unused(masks_inside, root, inside)),
            *counted(unused([*contrasts.processed, *(root / name for name in copies)], root, processed)),
            *counted(unused(beside, root, loose)),
            *(note for _, notes in masks.values() for note in notes),
        ]
        return [
            {"subject": subject, "modality": modality}
            | choose(content.candidates.get(modality, {}), modality, content.left_out.get(modality, []))
            | {kind: paths.get(subject) for kind, (paths, _) in masks.items()}
            | people.get(subject, {})
            for subject, content in subjects.items()
            for modality in self.modalities
        ]


def _called(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the folder of this name, or the first one that has it in other capitals."""
    near = [folder for folder in folders if folder.name.lower() == name]
    return min(near, key=lambda folder: folder.name != name, default=None)


def _no_scan(root: Path, contents: dict[str, Subject], advice: str) -> DatasetError:
    """Return the error for a root without any scan, which names the level that is missing."""
    inside = [f"{name} with {some(content.names, 3)}" for name, content in contents.items() if content.names]
    return wrong_root(
        "folder",
        root,
        problem="The folder contains no scan.",
        expected=LAYOUT,
        found=describe(root) + (f"; {'; '.join(inside[:2])}" if inside else ""),
        advice=advice,
    )
