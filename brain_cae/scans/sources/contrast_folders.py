"""Folders that are named after modalities, with an entry for each subject: ``T1/P1.nii.gz``, ``FLAIR/P1.nii.gz``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.scans.formats import is_nifti
from brain_cae.scans.sources.base import SPELLINGS, can_be_read, is_visible
from brain_cae.scans.sources.subject_folder import Subject, entries, refusal, split, stem

PROCESSED = re.compile(
    r"([_\-. ](brain|bet|(skull_?)?strip(ped)?|ss|n4|bias(_?corr(ected)?)?|corrected|restore|norm(ali[sz]ed)?|"
    r"(co)?reg(istered)?|warped|resampled|resliced|mni|defaced?|cropped|denoised|smooth(ed)?|mask|seg(mentation)?|"
    r"labels?|lesions?|roi))+$",
    re.IGNORECASE,
)
"""What programs add to the name of a scan that they process, or of which they make a mask."""


@dataclass
class Contrasts:
    """Folders that are named after modalities: their names, the subjects in them, and what else is there.

    ``processed`` are entries that are called as a scan of a subject is, and a step of processing: ``P1_T1_brain``.
    """

    names: list[str] = field(default_factory=list)
    subjects: dict[str, Subject] = field(default_factory=dict)
    processed: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def look_by_contrast(folders: Sequence[Path]) -> Contrasts:
    """Return what is in folders that are named after modalities; nothing if they do not have subjects in common.

    A subject is called as its entry in each folder is, without an ending and the modality behind or before it:
    ``P1_T1.nii.gz`` in ``T1`` and ``FLAIR_P1.nii.gz`` in ``FLAIR`` are of ``P1``. There must be two subjects that are
    in two folders: a folder of one subject may look the same, with ``t1/DICOM`` and ``flair/DICOM``.
    """
    found = Contrasts()
    scans: list[tuple[Path, str]] = []
    for folder in folders:
        modality = SPELLINGS.get(folder.name.lower())
        if modality is None or not can_be_read(folder):
            continue
        found.names.append(folder.name)
        for path in entries(folder):
            if is_visible(path.name) and (path.is_dir() or is_nifti(path) or refusal(path)):
                scans.append((path, modality))
            else:
                found.others.append(path)
    names = {_without_modality(stem(path), modality) for path, modality in scans}
    for path, modality in scans:
        subject = _without_modality(stem(path), modality)
        plain = _without_modality(PROCESSED.sub("", subject), modality)
        if plain != subject and plain in names:
            found.processed.append(path)
        else:
            found.subjects.setdefault(subject, Subject()).add(path, modality)
    common = [one for one in found.subjects.values() if len({*one.candidates, *one.left_out}) > 1]
    return found if len(common) > 1 else Contrasts()


def _without_modality(name: str, modality: str) -> str:
    """Return a name without the modality at its end, or else at its start."""
    before, found = split(name)
    if found == modality:
        return before
    first = re.match(r"((?:t2[_-])?[^_\-. ]+)[_\-. ](?=.)", name, re.IGNORECASE)
    return name[first.end() :] if first and SPELLINGS.get(first[1].lower()) == modality else name
