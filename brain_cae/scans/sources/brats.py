"""BraTS as it is published, 2020 to 2025: one folder of NIfTI per scan, named like the files in it, with masks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import (
    SPELLINGS,
    SeriesLocation,
    check_folder,
    check_modalities,
    counted,
    describe,
    some,
    the_only,
    visible_files,
)
from brain_cae.vocabulary import MODALITIES, NOBODY, LabelMeaning

MASK = "mask"
FILE = re.compile(rf"[_-]({'|'.join(SPELLINGS)}|seg|gtv)\.nii(?:\.gz)?", re.IGNORECASE)
# In BraTS 2020 one patient's segmentation has kept the name that it had before: W39_1998.09.19_Segm.nii.
ODD_MASK = re.compile(r".*_segm\.nii(\.gz)?", re.IGNORECASE)
TIME_POINT = re.compile(r"(BraTS-(?:MEN-RT|[A-Za-z]+)-\d+)-(\d{3}|\d)")
# Planning scans of radiotherapy: T1 after contrast agent alone, in the scanner's space, the face removed and no more.
WITH_SKULL = "BraTS-MEN-RT-"
LAYOUT = (
    "folders such as BraTS20_Training_001, BraTS2021_00000, BraTS-GLI-00000-000 or BraTS-MEN-RT-0000-1, at any "
    "depth, with files <folder>_flair.nii[.gz], <folder>-t2f.nii.gz or <folder>_t1c.nii.gz"
)
ADVICE = "Set dataset.root to the unpacked download, or to any folder above its scans."


@dataclass
class Brats:
    """The brain tumour segmentation challenge: every subject ``abnormal``, ``seg`` or ``gtv`` the lesion mask.

    ``BraTS-GLI-00012-001`` is session ``001`` of subject ``BraTS-GLI-00012``. Every label above 0 counts as lesion
    (since 2024 the resection cavity as well). Skulls are stripped, but for MEN-RT. ``locate`` raises DatasetError for a
    folder without such scans, and for one folder's name in two places.
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
        """List the scans of every folder that is named like its files, wherever it lies below the root."""
        root = Path(self.root)
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=ADVICE)
        folders: dict[str, Path] = {}
        scans: dict[str, dict[str, list[Path]]] = {}
        other: list[str] = []
        for folder, paths in _by_folder(root).items():
            files = _sort(folder.name, paths)
            taken = [path for own in files.values() for path in own]
            # Beside the folders of scans any other kind of file may lie.
            other += [
                str(path.relative_to(root))
                for path in paths
                if path not in taken and (taken or ".nii" in path.name.lower())
            ]
            if files and folder.name in folders:
                raise _twice(folder.name, folders[folder.name], folder)
            if files:
                folders[folder.name], scans[folder.name] = folder, files
        if not folders:
            raise DatasetError(
                "The folder holds no scan of BraTS.",
                expected=LAYOUT,
                found=f"NIfTI files with other names: {some(other)}" if other else describe(root),
                where=str(root),
                advice=ADVICE,
            )
        several = [name for name, files in sorted(scans.items()) if len(files.get(MASK, ())) > 1]
        self._notes = counted(
            {
                "files do not bear their folder's name and an ending of BraTS and are left out": other,
                "scans have several lesion masks and count as without one": several,
            }
        )
        return [one for name, files in sorted(scans.items()) for one in self._scan(name, files)]

    def notes(self) -> list[str]:
        """Say which files were left out."""
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
                **the_only([(path,) for path in files.get(modality, ())]),
            )
            for modality in self.modalities
        ]


def _by_folder(root: Path) -> dict[Path, list[Path]]:
    folders: dict[Path, list[Path]] = {}
    for path in visible_files(root):
        folders.setdefault(path.parent, []).append(path)
    return folders


def _sort(folder: str, paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Sort a folder's files by modality, and the masks; empty when none is named like the folder."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        if path.name.startswith(folder) and (match := FILE.fullmatch(path.name[len(folder) :])):
            found.setdefault(SPELLINGS.get(match[1].lower(), MASK), []).append(path)
    odd = [path for path in paths if ODD_MASK.fullmatch(path.name)]
    return found | {MASK: odd} if found and MASK not in found and odd else found


def _twice(what: str, first: Path, second: Path) -> DatasetError:
    return DatasetError(
        "A scan is there twice.",
        expected="one folder of each name",
        found=f"{what} in {first} and {second}",
        advice="Keep one of them.",
    )
