"""BraTS as it is published, 2020 to 2025: one folder of NIfTI per scan, named like the files in it, with masks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import (
    MODALITIES,
    SeriesLocation,
    check_folder,
    check_modalities,
    counted,
    describe,
    some,
    visible_files,
)

ENDINGS = {
    "t1": "t1", "t1n": "t1", "t1ce": "t1ce", "t1c": "t1ce", "t2": "t2", "t2w": "t2", "flair": "flair", "t2f": "flair",
}  # fmt: skip
MASK = "seg"
FILE = re.compile(rf"[_-]({'|'.join(ENDINGS)}|{MASK})\.nii(?:\.gz)?", re.IGNORECASE)
# In BraTS 2020 one patient's segmentation has kept the name that it had before: W39_1998.09.19_Segm.nii.
ODD_MASK = re.compile(r".*_segm\.nii(\.gz)?", re.IGNORECASE)
TIME_POINT = re.compile(r"(BraTS-[A-Za-z]+-\d+)-(\d{3})")
LAYOUT = (
    "folders such as BraTS20_Training_001, BraTS2021_00000 or BraTS-GLI-00000-000, at any depth, with files "
    "<folder>_flair.nii[.gz] or <folder>-t2f.nii.gz"
)
ADVICE = "Set dataset.root to the unpacked download, or to any folder above its scans."


@dataclass
class Brats:
    """The brain tumour segmentation challenge: every subject ``abnormal``, skulls stripped, ``seg`` the lesion mask.

    ``BraTS-GLI-00012-001`` is session ``001`` of subject ``BraTS-GLI-00012``. Every label above 0 counts as lesion
    (since 2024 the resection cavity as well). ``locate`` raises DatasetError for a folder without such scans, and for
    one scan in two places.
    """

    root: Path | str
    modalities: Sequence[str] = MODALITIES
    name: str = field(default="brats", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.root = Path(self.root)
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """List the scans of every folder that is named like its files, wherever it lies below the root."""
        root = Path(self.root)
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=ADVICE)
        folders: dict[str, Path] = {}
        other: list[str] = []
        for folder, names in _by_folder(root).items():
            if not _files(folder, names):
                other += [str((folder / name).relative_to(root)) for name in names if ".nii" in name.lower()]
                continue
            if folder.name in folders:
                raise _twice(folder.name, folders[folder.name], folder)
            folders[folder.name] = folder
        if not folders:
            raise DatasetError(
                "The folder holds no scan of BraTS.",
                expected=LAYOUT,
                found=f"NIfTI files with other names: {some(other)}" if other else describe(root),
                where=str(root),
                advice=ADVICE,
            )
        self._notes = counted({"NIfTI files are not named like their folder and are left out": other})
        return [one for name in sorted(folders) for one in self._scan(folders[name])]

    def notes(self) -> list[str]:
        """Say which files were left out."""
        return list(self._notes)

    def _scan(self, folder: Path) -> list[SeriesLocation]:
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
        files = _files(folder, names)
        for kind, paths in files.items():
            if len(paths) > 1:
                raise _twice(f"{kind} of {folder.name}", *paths[:2])
        parts = TIME_POINT.fullmatch(folder.name)
        return [
            SeriesLocation(
                subject=parts[1] if parts else folder.name,
                session=parts[2] if parts else "",
                modality=modality,
                files=tuple(files.get(modality, ())),
                label="abnormal",
                source=self.name,
                lesion_mask=files[MASK][0] if MASK in files else None,
                skull="stripped",
            )
            for modality in self.modalities
        ]


def _by_folder(root: Path) -> dict[Path, list[str]]:
    folders: dict[Path, list[str]] = {}
    for path in visible_files(root):
        folders.setdefault(path.parent, []).append(path.name)
    return folders


def _files(folder: Path, names: Sequence[str]) -> dict[str, list[Path]]:
    """Sort a folder's files by modality or mask; empty when none is named like the folder."""
    found: dict[str, list[Path]] = {}
    for name in names:
        if name.startswith(folder.name) and (match := FILE.fullmatch(name[len(folder.name) :])):
            ending = match[1].lower()
            found.setdefault(ENDINGS.get(ending, ending), []).append(folder / name)
    odd = [folder / name for name in names if ODD_MASK.fullmatch(name)]
    return found | {MASK: odd} if found and MASK not in found and odd else found


def _twice(what: str, first: Path, second: Path) -> DatasetError:
    return DatasetError(
        "A scan is there twice.",
        expected="one file of each modality in one folder of each name",
        found=f"{what} in {first} and {second}",
        advice="Keep one of them.",
    )
