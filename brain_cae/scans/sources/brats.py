"""BraTS as published, 2020 to 2025: one NIfTI folder per scan, named like its files, with lesion masks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from brain_cae.errors import DatasetError
from brain_cae.scans.formats import is_nifti, nifti_files, unread_format
from brain_cae.scans.sources.base import (
    SPELLINGS,
    SeriesLocation,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_broken,
    listing,
    some,
    the_only,
    unused,
)
from brain_cae.scans.sources.choice import CHOICES, apply_choices
from brain_cae.scans.sources.matching import alike_subjects
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.vocabulary import MODALITIES, NOBODY, LabelMeaning

MASK = "mask"
FILE = re.compile(rf"[_-]({'|'.join(SPELLINGS)}|seg|gtv)\.(?:nii|hdr)(?:\.gz)?", re.IGNORECASE)
# In BraTS 2020, the segmentation of one patient has another name: W39_1998.09.19_Segm.nii.
ODD_MASK = re.compile(r".*_segm\.nii(\.gz)?", re.IGNORECASE)
# UPENN-GBM has its masks in a folder of their own: images_segm/UPENN-GBM-00002_11_segm.nii.gz.
MASK_ELSEWHERE = re.compile(r"(.+)[_-]segm?\.nii(?:\.gz)?", re.IGNORECASE)
TIME_POINT = re.compile(r"(BraTS-(?:MEN-RT|[A-Za-z]+)-\d+)-(\d{3}|\d)")
# Radiotherapy planning scans: only T1 after contrast agent, in native space, with the face removed but not the skull.
WITH_SKULL = "BraTS-MEN-RT-"
LAYOUT = (
    "folders such as BraTS20_Training_001, BraTS2021_00000, BraTS-GLI-00000-000 or BraTS-MEN-RT-0000-1, at any "
    "depth, with files <folder>_flair.nii[.gz], <folder>-t2f.nii.gz or <folder>_t1c.nii.gz"
)
ADVICE = "Set dataset.root to the unpacked download, or to any parent folder of its scans."


@dataclass
class Brats:
    """The brain tumour segmentation challenge: all subjects are ``abnormal``, ``seg`` or ``gtv`` is the lesion mask.

    ``BraTS-GLI-00012-001`` is session ``001`` of subject ``BraTS-GLI-00012``. Every value above 0 in the
    mask counts as lesion (since 2024 this includes the resection cavity). Scans are skull-stripped except MEN-RT.
    ``locate`` raises DatasetError for a folder without such scans, and for two folders with the same name.
    """

    layout: ClassVar[str] = LAYOUT
    meaning: ClassVar[LabelMeaning] = LabelMeaning(NOBODY, "patients with a glioma", None)

    root: str
    modalities: Sequence[str] = MODALITIES
    name: str = field(default="brats", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """Return the scans of every folder below the root that is named like its files."""
        root = Path(self.root)
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=ADVICE)
        folders: dict[str, Path] = {}
        scans: dict[str, dict[str, list[Path]]] = {}
        other: list[Path] = []
        inside = listing(root)
        for folder, paths in _by_folder(inside.files).items():
            files = _sort(folder.name, paths)
            taken = [path for candidates in files.values() for path in candidates]
            other += [path for path in paths if path not in taken]
            if files and folder.name in folders:
                raise _twice(folder.name, folders[folder.name], folder)
            if files:
                folders[folder.name], scans[folder.name] = folder, files
        other = [path for path in other if not _add_mask(path, scans)]
        # Outside the folders of scans, tables and documents are expected.
        other = [path for path in other if _matters(path, [*folders.values()]) and path != root / CHOICES]
        if not folders:
            raise wrong_root(
                "brats",
                root,
                problem="The folder contains no scan of BraTS.",
                expected=LAYOUT,
                found=f"files with other names: {some([str(path.relative_to(root)) for path in other])}"
                if other
                else describe(root),
                advice=ADVICE,
            )
        several = [name for name, files in sorted(scans.items()) if len(files.get(MASK, ())) > 1]
        text = (
            "{file is not named by its|files are not named by their} folder and a suffix of BraTS and {is|are} left out"
        )
        lists = unused([*other, *inside.others], root, text)
        lists |= {"{scan has|scans have} several lesion masks, none of which is used": several}
        locations = [one for name, files in sorted(scans.items()) for one in self._scan(name, files)]
        self._notes = counted(lists | alike_subjects(dict.fromkeys(one.subject for one in locations)))
        return apply_choices(locations, root)

    def notes(self) -> list[str]:
        """Return which files were left out."""
        return list(self._notes)

    def _scan(self, name: str, files: Mapping[str, Sequence[Path]]) -> list[SeriesLocation]:
        parts, masks = TIME_POINT.fullmatch(name), files.get(MASK, ())
        return [
            SeriesLocation(
                subject=parts[1] if parts else name,
                session=parts[2] if parts else "",
                modality=modality,
                label="abnormal",
                source=self.name,
                lesion_mask=masks[0] if len(masks) == 1 else None,
                skull="on" if name.startswith(WITH_SKULL) else "stripped",
                **the_only([nifti_files(path) for path in files.get(modality, ())]),
            )
            for modality in self.modalities
        ]


def _by_folder(files: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return the files of each folder; a file in a folder named like a NIfTI file belongs to the folder above."""
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(_place(path).parent, []).append(path)
    return folders


def _place(path: Path) -> Path:
    """Return the path that names a file: some programs export the file ``x.nii`` as ``x.nii/anything.nii``."""
    return path.parent if is_nifti(path.parent) and is_nifti(path) else path


def _matters(path: Path, scans: Sequence[Path]) -> bool:
    name = path.name.lower()
    return path.parent in scans or ".nii" in name or bool(unread_format(path)) or path.is_dir()


def _sort(folder: str, paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files of a folder by modality, and the masks; empty if no file is named like the folder."""
    files: dict[str, list[Path]] = {}
    for path in paths:
        name = _place(path).name
        if name.startswith(folder) and (match := FILE.fullmatch(name[len(folder) :])):
            kind = SPELLINGS.get(match[1].lower(), MASK)
            # The import reports a scan that is not there; a mask must be named.
            if kind != MASK or not is_broken(path):
                files.setdefault(kind, []).append(path)
    odd = [path for path in paths if ODD_MASK.fullmatch(path.name)]
    return files | {MASK: odd} if files and MASK not in files and odd else files


def _add_mask(path: Path, scans: Mapping[str, dict[str, list[Path]]]) -> bool:
    """Add a mask that lies in another folder to the scan that its name starts with, if that has none beside it."""
    match = MASK_ELSEWHERE.fullmatch(path.name)
    name = match[1] if match else ""
    files = scans.get(name)
    if files is None or is_broken(path) or any(mask.parent.name == name for mask in files.get(MASK, ())):
        return False
    files.setdefault(MASK, []).append(path)
    return True


def _twice(name: str, first: Path, second: Path) -> DatasetError:
    return DatasetError(
        "A scan exists twice.",
        expected="one folder per name",
        found=f"{name} in {first} and {second}",
        advice="Keep one of them.",
    )
