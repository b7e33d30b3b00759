"""A folder of subjects (``<subject>/<modality>.nii[.gz]``, DICOM in ``<subject>/<modality>/``), or a table of paths.

The levels may be exchanged, as in ``T1/<subject>.nii.gz`` and ``FLAIR/<subject>.nii.gz``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.formats import (
    DICOM,
    OTHER_FORMATS,
    has_header,
    is_half,
    is_nifti,
    nifti_files,
    nifti_stem,
    unread_format,
)
from brain_cae.scans.sources.base import (
    SPELLINGS,
    Label,
    SeriesLocation,
    Skull,
    can_be_read,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_litter,
    is_visible,
    listing,
    some,
    the_only,
    unused,
)
from brain_cae.scans.sources.choice import CHOICES, apply_choices, plainly_named
from brain_cae.scans.sources.contrast_names import named_otherwise
from brain_cae.scans.sources.mask_folder import read_masks
from brain_cae.scans.sources.matching import alike_subjects, match_all
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.scan_table import read_scans
from brain_cae.scans.sources.sidecar import Sidecars, is_sidecar
from brain_cae.scans.sources.table import (
    SEX_COLUMNS,
    FoundTable,
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
from brain_cae.vocabulary import LABELS, MODALITIES, LabelMeaning

LAYOUT = "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>"
LABEL_TABLES = ("labels.csv", "labels.tsv")
EXPECTED_LABELS = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"
PERSON = {"age": ("age",), "sex": SEX_COLUMNS, "site": ("site",)}
"""What the table of labels may say besides, and the names of its columns."""
PROCESSED = re.compile(
    r"([_\-. ](brain|bet|(skull_?)?strip(ped)?|ss|n4|bias(_?corr(ected)?)?|corrected|restore|norm(ali[sz]ed)?|"
    r"(co)?reg(istered)?|warped|resampled|resliced|mni|defaced?|cropped|denoised|smooth(ed)?|mask|seg(mentation)?|"
    r"labels?|lesions?|roi))+$",
    re.IGNORECASE,
)
"""What programs add to the name of a scan that they process, or of which they make a mask."""
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
    for each subject (see :func:`_look_by_contrast`). ``label`` and ``skull`` apply to every subject without other
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
            scans, self._notes = read_scans(root / self.table, self.modalities)
            root = root if self.root is not None else (root / self.table).parent
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

    def _scans(self, root: Path) -> list[dict[str, Any]]:
        advice = (
            "Set dataset.root to the folder that holds one folder per subject, or dataset.table to a table of paths."
        )
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=advice)
        entries = sorted(path for path in root.iterdir() if not is_litter(path.name))
        folders = [path for path in entries if path.is_dir() and is_visible(path.name)]
        mask_folders = {kind: _called(name, folders) or root / name for kind, name in MASKS.items()}
        contents = {path.name: _look(path) for path in folders if path not in mask_folders.values()}
        contrasts = _Contrasts()
        if not any(content.names_a_modality for content in contents.values()):
            contrasts = _look_by_contrast(folders)
            contents = {name: one for name, one in contents.items() if name not in contrasts.names} | contrasts.subjects
        subjects = {name: content for name, content in contents.items() if content.names_a_modality}
        copies = {name for name in subjects if (plain := PROCESSED.sub("", name)) != name and plain in subjects}
        subjects = {name: content for name, content in subjects.items() if name not in copies}
        if not any(any(content.candidates.values()) or content.left_out for content in subjects.values()):
            raise _no_scan(root, contents, advice)
        table = find_table(root, LABEL_TABLES, stems=("labels", "label"))
        people, label_notes = self._people(table, list(subjects), sorted(set(contents) - set(subjects)))
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
            "{file or folder is|files or folders are} called as a processed copy of a scan and {is|are} left out"
        )
        others = "{file or folder is|files or folders are} not named after a modality and {is|are} left out"
        loose = "{file beside the subjects' folders is|files beside the subjects' folders are} not read"
        self._notes = [
            *counted({"folders are read as contrasts, each with an entry for each subject": contrasts.names}),
            *label_notes,
            *counted(alike_subjects(subjects)),
            *counted(folders_left_out | unused(nameless, root, others)),
            *counted(unused([*contrasts.processed, *(root / name for name in copies)], root, processed)),
            *counted(unused(beside, root, loose)),
            *(note for _, notes in masks.values() for note in notes),
        ]
        return [
            {"subject": subject, "modality": modality}
            | _choose(content.candidates.get(modality, {}), modality, content.left_out.get(modality, []))
            | {kind: paths.get(subject) for kind, (paths, _) in masks.items()}
            | people.get(subject, {})
            for subject, content in subjects.items()
            for modality in self.modalities
        ]

    def _people(
        self, table: FoundTable, subjects: Sequence[str], without_scan: Sequence[str]
    ) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """Return what the table says about each subject (label, age, sex, site), and notes on it."""
        if table.path is None:
            return {}, [*table.notes]
        people, columns, lines = _read_labels(table.path)
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
        lists = {
            "{label is|labels are} matched with a subject whose name is written in another way": matches.changed,
            "{labelled subject has|labelled subjects have} no scans and {is|are} left out": matches.names,
            f"{{subject has|subjects have}} no label and {{is|are}} treated as {self.label or 'unknown'}": matches.rest,
            **alike_subjects((), people, table.path.name),
            **not_understood((name, people[name]) for name in matches.subjects),
            "{column of the table of labels is unknown and is|columns of the table of labels are unknown and are} "
            "ignored": columns,
        }
        known = {
            name: {
                "label": row["label"].lower(),
                "age": age_of(row["age"]),
                "sex": sex_of(row["sex"]),
                "site": site_of(row["site"]),
            }
            for name, row in people.items()
        }
        return matches.of(known), [*table.notes, *counted(lists)]


@dataclass
class _Subject:
    """The contents of a subject's folder.

    Attributes:
        candidates: Files by modality and by the file or folder with its name.
        left_out: Files named after a modality that are not read, with the reason.
        others: Everything else that is not litter.
        names: Of the visible entries.
    """

    candidates: dict[str, dict[Path, tuple[Path, ...]]] = field(default_factory=dict)
    left_out: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def names_a_modality(self) -> bool:
        """Whether anything in the folder is named after a modality."""
        return bool(self.candidates or self.left_out)

    def add(self, path: Path, modality: str | None) -> None:
        """Add a file or folder that is named after a modality, or after none."""
        reason = _refusal(path)
        if modality is None or not (path.is_dir() or is_nifti(path) or reason):
            self.others.append(path)
        elif reason:
            self.left_out.setdefault(modality, []).append((path, reason))
        else:
            inside = listing(path)
            candidates = self.candidates.setdefault(modality, {})
            if files := inside.files if path.is_dir() else nifti_files(path):
                candidates[path] = files
            self.others += inside.others


def _look(folder: Path) -> _Subject:
    content = _Subject()
    if not folder.is_dir():
        return content  # removed since its parent was listed
    if not can_be_read(folder):
        # Whatever is in it may be a scan of any modality: the import refuses it with the reason.
        content.candidates = {modality: {folder: (folder,)} for modality in MODALITIES}
        return content
    for path in _entries(folder):
        content.names += [path.name] if is_visible(path.name) else []
        content.add(path, SPELLINGS.get(_stem(path).lower()) if is_visible(path.name) else None)
    return content


def _called(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the folder of this name, or the first one that has it in other capitals."""
    near = [folder for folder in folders if folder.name.lower() == name]
    return min(near, key=lambda folder: folder.name != name, default=None)


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, but the images and JSON files that belong to another file."""
    there = (path for path in folder.iterdir() if not is_litter(path.name))
    return sorted(path for path in there if not (has_header(path) or is_sidecar(path)))


@dataclass
class _Contrasts:
    """Folders that are named after modalities: their names, the subjects in them, and what else is there.

    ``processed`` are entries that are called as a scan of a subject is, and a step of processing: ``P1_T1_brain``.
    """

    names: list[str] = field(default_factory=list)
    subjects: dict[str, _Subject] = field(default_factory=dict)
    processed: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def _look_by_contrast(folders: Sequence[Path]) -> _Contrasts:
    """Return what is in folders that are named after modalities; nothing if they do not have subjects in common.

    A subject is called as its entry in each folder is, without an ending and a modality at the end: ``P1_T1.nii.gz`` in
    ``T1`` and ``P1.nii.gz`` in ``FLAIR`` are of ``P1``. There must be two subjects that are in two folders: a folder of
    one subject may look the same, with ``t1/DICOM`` and ``flair/DICOM``.
    """
    found = _Contrasts()
    entries: list[tuple[Path, str]] = []
    for folder in folders:
        modality = SPELLINGS.get(folder.name.lower())
        if modality is None or not can_be_read(folder):
            continue
        found.names.append(folder.name)
        for path in _entries(folder):
            if is_visible(path.name) and (path.is_dir() or is_nifti(path) or _refusal(path)):
                entries.append((path, modality))
            else:
                found.others.append(path)
    names = {_without_modality(_stem(path), modality) for path, modality in entries}
    for path, modality in entries:
        subject = _without_modality(_stem(path), modality)
        plain = _without_modality(PROCESSED.sub("", subject), modality)
        if plain != subject and plain in names:
            found.processed.append(path)
        else:
            found.subjects.setdefault(subject, _Subject()).add(path, modality)
    common = [one for one in found.subjects.values() if len({*one.candidates, *one.left_out}) > 1]
    return found if len(common) > 1 else _Contrasts()


def _without_modality(name: str, modality: str) -> str:
    """Return a name without the modality at its end."""
    parts = re.fullmatch(r"(.+?)[_\-. ]((?:t2[_-])?[^_\-. ]+)", name, re.IGNORECASE)
    return parts[1] if parts and SPELLINGS.get(parts[2].lower()) == modality else name


def _refusal(path: Path) -> str:
    """Return the reason why a file in a subject's folder is not read, as far as its name shows it, or ``""``."""
    if path.is_dir() or is_nifti(path):
        return ""
    return "half of a pair" if is_half(path) else unread_format(path, endings=(*OTHER_FORMATS, *DICOM))


def _choose(
    candidates: dict[Path, tuple[Path, ...]], modality: str, left_out: Sequence[tuple[Path, str]]
) -> dict[str, Any]:
    """Return the fields of a modality's location; the standard name goes before other spellings."""
    chosen = the_only([*candidates.values()])
    plain = [files for path, files in candidates.items() if _stem(path).lower() == modality]
    if len(candidates) > 1 and len(plain) == 1:
        others = (files[0] for files in candidates.values() if files is not plain[0])
        worse = tuple((path, "several candidates: the one named plainly was taken") for path in others)
        chosen |= {"files": plain[0], "left_out": worse}
    return chosen | {"left_out": (*chosen.get("left_out", ()), *left_out)}


def _stem(path: Path) -> str:
    """Return the part of a name that may be a modality. Some programs export a folder named like a NIfTI file."""
    return path.name.partition(".")[0] if _refusal(path) else nifti_stem(path)


def _no_scan(root: Path, contents: dict[str, _Subject], advice: str) -> DatasetError:
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


def _read_labels(path: Path) -> tuple[dict[str, dict[str, str]], list[str], dict[str, int]]:
    """Return the values and the line of each name in the table, and the columns that are not known."""
    table = read_table(path, expected=EXPECTED_LABELS, lower=True)
    require_columns(table, ("subject", "label"), expected=EXPECTED_LABELS)
    columns = {"subject": "subject", "label": "label"}
    columns |= {name: column_of(table, names) or "" for name, names in PERSON.items()}
    people: dict[str, dict[str, str]] = {}
    for (where, line), sex in zip(table.lines(), sexes(table.rows, columns["sex"]), strict=True):
        row = {name: line.get(column, "") for name, column in columns.items()} | {"sex": sex}
        subject, label = row["subject"], row["label"].lower()
        if not subject or label not in LABELS or subject in people:
            actual = f"subject {subject!r}, label {label!r}" + (" again" if subject in people else "")
            raise DatasetError("The labels cannot be read.", expected=EXPECTED_LABELS, found=actual, where=where)
        people[subject] = row
    unknown = [name for name in table.columns if name not in columns.values()]
    return people, unknown, dict(zip(people, table.numbers, strict=True))
