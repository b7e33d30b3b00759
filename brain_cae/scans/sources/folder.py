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
    can_be_read,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_broken,
    is_litter,
    is_visible,
    listing,
    some,
    the_only,
    unread_format,
    unused,
)
from brain_cae.scans.sources.choice import apply_choices
from brain_cae.scans.sources.scan_table import read_scans
from brain_cae.scans.sources.table import read_table, require_columns
from brain_cae.vocabulary import LABELS, MODALITIES, LabelMeaning

LAYOUT = "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>"
EXPECTED_LABELS = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"
MASKS = {"lesion_mask": "masks", "brain_mask": "brain_masks"}
TABLES = ("labels.csv", "labels.tsv", "series.csv")
"""Files beside the subjects that are read."""
PROBED = 20
"""Number of loose files that are opened to see whether they are DICOM."""


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
        entries = sorted(path for path in root.iterdir() if not is_litter(path.name))
        folders = [path for path in entries if path.is_dir() and is_visible(path.name)]
        contents = {path.name: _look(path) for path in folders if path.name not in MASKS.values()}
        subjects = {name: content for name, content in contents.items() if content.names_a_modality}
        if not any(any(content.candidates.values()) or content.left_out for content in subjects.values()):
            raise _no_scan(root, contents, advice)
        labels = _labels(root)
        masks = {kind: _masks(root / folder) for kind, folder in MASKS.items()}
        beside = [path for path in entries if path not in folders and path.name not in TABLES]
        nameless = [
            path
            for name, content in contents.items()
            for path in content.others
            if name in subjects or unread_format(path) or not is_visible(path.name)
        ]
        strangers = {MASKS[kind]: sorted(set(found.files) - set(contents)) for kind, found in masks.items()}
        lists = {
            "{folder contains|folders contain} no known modality and {is|are} left out": [
                f"{name} ({some(content.names, 3)})" for name, content in contents.items() if name not in subjects
            ],
            "{labelled subject has|labelled subjects have} no scans and {is|are} left out": sorted(
                set(labels) - set(subjects)
            ),
            f"{{subject has|subjects have}} no label and {{is|are}} treated as {self.label or 'unknown'}": (
                sorted(set(subjects) - set(labels)) if labels else []
            ),
            **{
                f"{{file in {name} is|files in {name} are}} not named after a subject": names
                for name, names in strangers.items()
            },
        }
        for kind, found in masks.items():
            text = f"{{subject has|subjects have}} several masks in {MASKS[kind]}, none of which is used"
            lists[text] = sorted(found.several)
        others = "{file or folder is|files or folders are} not named after a modality and {is|are} left out"
        self._notes = [
            *counted(lists),
            *counted(unused(nameless, root, others)),
            *counted(
                unused(
                    beside,
                    root,
                    "{file beside the subjects' folders is|files beside the subjects' folders are} not read",
                )
            ),
            *(
                note
                for kind, found in masks.items()
                for note in counted(
                    unused(
                        found.others,
                        root,
                        f"{{file in {MASKS[kind]} is not a mask|files in {MASKS[kind]} are not masks}}",
                    )
                )
            ),
        ]
        return [
            {"subject": subject, "modality": modality}
            | _choose(content.candidates.get(modality, {}), modality, content.left_out.get(modality, []))
            | {kind: found.files.get(subject) for kind, found in masks.items()}
            | ({"label": labels[subject]} if subject in labels else {})
            for subject, content in subjects.items()
            for modality in self.modalities
        ]


@dataclass
class _Subject:
    """The contents of a subject's folder.

    Attributes:
        candidates: Files by modality and by the file or folder with its name.
        left_out: Files named after a modality whose format is not read, with the reason.
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


def _look(folder: Path) -> _Subject:
    content = _Subject()
    if not can_be_read(folder):
        # Whatever is in it may be a scan of any modality: the import refuses it with the reason.
        content.candidates = {modality: {folder: (folder,)} for modality in MODALITIES}
        return content
    for path in sorted(path for path in folder.iterdir() if not is_litter(path.name)):
        modality = SPELLINGS.get(_name(path)) if is_visible(path.name) else None
        content.names += [path.name] if is_visible(path.name) else []
        reason = "" if path.is_dir() else unread_format(path)
        if modality is None or not (path.is_dir() or is_nifti(path) or reason):
            content.others.append(path)
        elif reason:
            content.left_out.setdefault(modality, []).append((path, reason))
        else:
            inside = listing(path)
            candidates = content.candidates.setdefault(modality, {})
            if files := inside.files if path.is_dir() else (path,):
                candidates[path] = files
            content.others += inside.hidden
    return content


def _choose(
    candidates: dict[Path, tuple[Path, ...]], modality: str, left_out: Sequence[tuple[Path, str]]
) -> dict[str, Any]:
    """Return the fields of a modality's location; the standard name goes before other spellings."""
    plain = [files for path, files in candidates.items() if _name(path) == modality]
    if len(plain) != 1:
        taken = the_only([*candidates.values()])
        return taken | {"left_out": (*taken.get("left_out", ()), *left_out)}
    others = (files[0] for files in candidates.values() if files is not plain[0])
    worse = tuple((path, "several candidates: the one named plainly was taken") for path in others)
    return {"files": plain[0], "left_out": (*worse, *left_out)}


def _name(path: Path) -> str:
    """Return the part of a name that may be a modality. Some programs export a folder named like a NIfTI file."""
    if path.is_dir() or is_nifti(path):
        return _stem(path).lower()
    return path.name.partition(".")[0].lower() if unread_format(path) else path.name.lower()


def _no_scan(root: Path, contents: dict[str, _Subject], advice: str) -> DatasetError:
    """Return the error for a root without any scan, which names the level that is missing."""
    loose = [path for content in contents.values() for path in content.others if path.is_file()]
    if any(_is_dicom(path) for path in loose[:PROBED]):
        return DatasetError(
            "The subjects' folders hold DICOM files, but no folder of a modality.",
            expected=LAYOUT,
            found=some([path.relative_to(root).as_posix() for path in loose]),
            where=str(root),
            advice="Put the files of each scan into a folder named after its modality, such as <subject>/t1/.",
        )
    inside = [f"{name} with {some(content.names, 3)}" for name, content in contents.items() if content.names]
    return DatasetError(
        "The folder contains no scan.",
        expected=LAYOUT,
        found=describe(root) + (f"; {'; '.join(inside[:2])}" if inside else ""),
        where=str(root),
        advice=advice,
    )


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


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


@dataclass
class _Masks:
    """The masks in a folder by subject, subjects with several, and everything else that is there."""

    files: dict[str, Path] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)
    others: list[Path] = field(default_factory=list)


def _masks(folder: Path) -> _Masks:
    inside, masks = listing(folder), _Masks()
    masks.others += inside.hidden
    for path in inside.files:
        place = path if path.parent == folder else path.parent
        if path.is_dir() or is_broken(path) or place.parent != folder or not (is_nifti(path) and is_nifti(place)):
            masks.others.append(path)
        elif masks.files.setdefault(_stem(place), path) != path:
            masks.several.add(_stem(place))
    for subject in masks.several:
        del masks.files[subject]
    return masks


def _stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)
