"""What lies in the folder of a subject: files and folders that are named after modalities, and others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from brain_cae.scans.sources.base import SPELLINGS, can_be_read, is_litter, is_visible, listing, the_only
from brain_cae.scans.sources.sidecar import is_sidecar
from brain_cae.vocabulary import MODALITIES


@dataclass
class Subject:
    """The contents of a subject's folder.

    Attributes:
        candidates: Files by modality and by the file or folder with its name.
        left_out: Files named after a modality that are not read, with the reason.
        others: Everything else that is not litter.
        names: Of the visible entries.
        named_plainly: Whether an entry has the name of a modality alone.
    """

    candidates: dict[str, dict[Path, tuple[Path, ...]]] = field(default_factory=dict)
    left_out: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    named_plainly: bool = True

    @property
    def names_a_modality(self) -> bool:
        """Whether anything in the folder is named after a modality."""
        return bool(self.candidates or self.left_out)

    def add(self, path: Path, modality: str | None) -> None:
        """Add a file or folder that is named after a modality, or after none."""
        reason = refusal(path)
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


def look(folder: Path) -> Subject:
    """Return what is in the folder of a subject."""
    content = Subject()
    if not folder.is_dir():
        return content  # removed since its parent was listed
    if not can_be_read(folder):
        # Whatever is in it may be a scan of any modality: the import refuses it with the reason.
        content.candidates = {modality: {folder: (folder,)} for modality in MODALITIES}
        return content
    paths = entries(folder)
    visible = [path for path in paths if is_visible(path.name)]
    content.names = [path.name for path in visible]
    named = {path: SPELLINGS.get(stem(path).lower()) for path in visible}
    content.named_plainly = any(named.values())
    if not content.named_plainly:
        named = {path: behind_subject(stem(path), folder.name) for path in visible}
    for path in paths:
        content.add(path, named.get(path))
    return content


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, but the images and JSON files that belong to another file."""
    there = (path for path in folder.iterdir() if not is_litter(path.name))
    return sorted(path for path in there if not (has_header(path) or is_sidecar(path)))


def split(name: str) -> tuple[str, str | None]:
    """Return what stands before the modality at the end of a name, and the modality; the name and None without one."""
    parts = re.fullmatch(r"(.+?)[_\-. ]((?:t2[_-])?[^_\-. ]+)", name, re.IGNORECASE)
    modality = SPELLINGS.get(parts[2].lower()) if parts else None
    return (parts[1], modality) if parts and modality else (name, None)


def behind_subject(name: str, subject: str) -> str | None:
    """Return the modality behind the name of the subject, or of its folder: ``P1_T1`` in ``P1`` or ``P1_nifti``.

    A date may stand between them, but no word: ``P1_T2_to_T1`` is another image.
    """
    before, modality = split(name)
    folder, start = re.escape(subject.lower()), re.escape(before.lower())
    dated = re.fullmatch(rf"{folder}(?:[_\-. ][\d_\-. ]*)?", before.lower())
    is_of_subject = dated or re.match(rf"{start}[_\-. ]", subject.lower())
    return modality if is_of_subject and subject.lower() not in SPELLINGS else None


def refusal(path: Path) -> str:
    """Return the reason why a file in a subject's folder is not read, as far as its name shows it, or ``""``."""
    if path.is_dir() or is_nifti(path):
        return ""
    return "half of a pair" if is_half(path) else unread_format(path, endings=(*OTHER_FORMATS, *DICOM))


def choose(
    candidates: dict[Path, tuple[Path, ...]], modality: str, left_out: Sequence[tuple[Path, str]]
) -> dict[str, Any]:
    """Return the fields of a modality's location; the standard name goes before other spellings."""
    chosen = the_only([*candidates.values()])
    plain = [files for path, files in candidates.items() if stem(path).lower() == modality]
    if len(candidates) > 1 and len(plain) == 1:
        others = (files[0] for files in candidates.values() if files is not plain[0])
        worse = tuple((path, "several candidates: the one named plainly was taken") for path in others)
        chosen |= {"files": plain[0], "left_out": worse}
    return chosen | {"left_out": (*chosen.get("left_out", ()), *left_out)}


def stem(path: Path) -> str:
    """Return the part of a name that may be a modality. Some programs export a folder named like a NIfTI file."""
    return path.name.partition(".")[0] if refusal(path) else nifti_stem(path)
