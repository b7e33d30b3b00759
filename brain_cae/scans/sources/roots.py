"""Wrong values of ``dataset.root``: another source's layout, a level too high or too low, and paths as typed."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PureWindowsPath

from brain_cae.errors import DatasetError
from brain_cae.scans import archives
from brain_cae.scans.formats import is_nifti
from brain_cae.scans.headers import IMAGE, read_header
from brain_cae.scans.sources.base import SPELLINGS, is_visible, some
from brain_cae.scans.sources.matching import SESSION
from brain_cae.scans.sources.subject_folder import behind_subject, stem

# Folders looked into, and files opened, before a layout counts as absent: a root may be the whole disk.
MAX_FOLDERS, MAX_FILES, MAX_DEPTH = 60, 12, 5
TABLE_OF_SESSIONS = "dataset.table=scans.csv with the columns subject,session,modality,path"
RSNA_FOLDERS = ("flair", "t1w", "t1wce", "t2w")
BRATS_FILE = re.compile(r"(?P<folder>.+)[_-](?:seg|t1|t1ce|t1c|t1n|t2|t2w|t2f|flair)\.nii(?:\.gz)?", re.IGNORECASE)
IXI_FILE = re.compile(r"IXI\d+-[A-Za-z]+-\d+-\w+\.nii(?:\.gz)?", re.IGNORECASE)


def as_path(text: str) -> str:
    r"""Return a path as it was meant: without quotes and spaces around it, with ``/`` for ``\``, and with ``~``.

    ``C:\scans`` becomes ``/mnt/c/scans`` where that exists, as in the Windows Subsystem for Linux.
    """
    path = text.strip().strip("\"'\u201c\u201d\u2018\u2019").strip().removeprefix("file://")
    if path.startswith("~/") or path == "~":
        path = str(Path(path).expanduser())
    if "\\" not in path and not PureWindowsPath(path).drive:
        return path
    if Path(path).exists():
        return path
    windows = PureWindowsPath(path)
    drive = windows.drive.rstrip(":").lower()
    if len(drive) == 1:
        return Path("/mnt", drive, *windows.parts[1:]).as_posix() if Path("/mnt", drive).is_dir() else path
    return windows.as_posix()


def missing(root: Path, *, problem: str, expected: str, found: str, advice: str) -> DatasetError:
    """Return the error for a root that is no folder, with the path that was probably meant."""
    if os.name == "posix" and len(PureWindowsPath(str(root)).drive) == 2:
        found = "a path of Windows"
        advice = "The program runs on Linux: name the folder as Linux sees it (in WSL, C:\\scans is /mnt/c/scans)."
    elif archives.is_archive(root):
        found = "a zip file"
        advice = (
            "dataset=dicom reads a zip of DICOM files in place; unpack any other into a folder, and name the folder."
        )
    elif root.is_file() and (fit := _layout_around(root)):
        advice = f"Name a folder, not a file in it: dataset={fit[1]} dataset.root={fit[0]}"
    elif not root.exists() and (near := near_miss(root)) is not None:
        advice = f"Did you mean {near}?"
    return DatasetError(problem, expected=expected, found=found, where=str(root), advice=advice)


def _layout_around(file: Path) -> tuple[Path, str] | None:
    """Return the nearest folder above a file with a source's layout; any folder above has DICOM somewhere."""
    nearest, *others = list(file.parents)[: 4 if is_nifti(file) or read_header(file).status == IMAGE else 1]
    above = [(folder, layout_of(folder)) for folder in others if len(folder.parts) > 2]
    here = (nearest, layout_of(nearest))
    fitting = (pair for pair in (here, *above) if pair[1] not in ("", "dicom"))
    return next(fitting, here if here[1] else None)


def wrong_root(source: str, root: Path, *, problem: str, expected: str, found: str, advice: str) -> DatasetError:
    """Return the error for a root without scans of a source's layout, with the folder or the source that fits."""
    if archives.is_archive(root):
        if fitting := {_source_of(path) for path, _ in archives.members(root)[0] if is_nifti(path)}:
            fits = fitting.pop() if len(fitting) == 1 else "folder"
            advice = f"Only DICOM is read from a zip: unpack it, and name the folder: dataset={fits} dataset.root=…"
        return DatasetError(problem, expected=expected, found=found, where=str(root), advice=advice)
    if broken := [path.name for path in sorted(root.iterdir()) if path.is_symlink() and not path.exists()]:
        # Names in a tree of DICOM may be those of patients.
        found += f"; links that lead nowhere: {len(broken) if source == 'dicom' else some(broken)}"
        advice = "Mount or fetch what the links point to, then give the same command."
        return DatasetError(problem, expected=expected, found=found, where=str(root), advice=advice)
    if source == "folder" and (contrasts := _folders_of_contrasts(root)):
        found = (
            f"one folder per contrast: {some([f'{name} with {number} files' for name, number in contrasts.items()])}"
        )
        table = (
            "the scans in a table, subject,modality,path: dataset=folder dataset.table=scans.csv. docs/data.md has the "
            "few lines that write it from such folders."
        )
        alike = "Call the folders t1, t2, flair or t1ce, and the files in each as their subjects; or list "
        advice = (alike if len(contrasts) > 1 else "List ") + table
        return DatasetError(problem, expected=expected, found=found, where=str(root), advice=advice)
    for place, layout in _layouts_near(root, source):
        beside = [folder for folder in _folders(root) if place.parent == root and layout_of(folder) == layout]
        if len(beside) > 1:
            advice = _in_several(beside, layout)
        elif layout == source and place != root:
            advice = _at_level(place, root)
        elif place == root:
            advice = f"The folder is right, but it holds {LAYOUTS[layout]}: dataset={layout} dataset.root={root}"
        else:
            advice = f"{place} holds {LAYOUTS[layout]}: dataset={layout} dataset.root={place}"
        return DatasetError(problem, expected=expected, found=found, where=str(root), advice=advice)
    names = [str(path.relative_to(root)) for path in islice(filter(is_nifti, _files(root)), MAX_FILES)]
    if names and source == "folder":
        found = f"NIfTI files with other names: {some(names)}"
        advice = (
            "Name them as expected, or list them in a table: dataset=folder dataset.table=scans.csv (docs/data.md)."
        )
    return DatasetError(problem, expected=expected, found=found, where=str(root), advice=advice)


def _source_of(path: Path) -> str:
    """Return the source whose layout a NIfTI file belongs to, by its path alone."""
    if path.parent.name == "anat" and path.name.startswith("sub-"):
        return "bids"
    if BRATS_FILE.fullmatch(path.name) and "brats" in path.name.lower():
        return "brats"
    return "ixi" if IXI_FILE.fullmatch(path.name) else "folder"


def _at_level(place: Path, root: Path) -> str:
    """Return what to do about a layout that starts in another folder, above or below the root."""
    if root.is_relative_to(place):
        return f"The layout starts {len(_between(place, root))} level higher: dataset.root={place}"
    if all(SESSION.fullmatch(folder.name) for folder in _folders(place)):
        return f"{place.name} seems to be a subject with sessions: list the scans, {TABLE_OF_SESSIONS}."
    return f"The layout starts {len(_between(place, root))} level lower: dataset.root={place}"


def _in_several(folders: Sequence[Path], layout: str) -> str:
    """Return what to do about scans of one layout in several folders, as for groups, sites or sessions."""
    parts = [re.sub(r"[^A-Za-z0-9_]+", "_", folder.name).strip("_") or "part" for folder in folders[:2]]
    keys = [
        f"+dataset@dataset.parts.{part}={layout} dataset.parts.{part}.root={folder}"
        for part, folder in zip(parts, folders, strict=False)
    ]
    table = f"if they are subjects with sessions, list the scans, {TABLE_OF_SESSIONS}; "
    return (
        f"The layout starts 1 level lower, in {len(folders)} folders: {some([folder.name for folder in folders])}. Put "
        f"all subjects into one folder; {table if layout == 'folder' else ''}or combine: dataset=combined "
        + " ".join(keys)
        + (" …" if folders[2:] else "")
    )


def near_miss(path: Path) -> Path | None:
    """Return the existing path that is most like one that does not exist; None if nothing is alike."""
    # Imported here because messages alone need it.
    from difflib import get_close_matches

    missing_part = next((place for place in (*reversed(path.parents), path) if not place.exists()), None)
    if missing_part is None or not missing_part.parent.is_dir():
        return None
    try:
        names = {entry.name.lower(): entry.name for entry in missing_part.parent.iterdir() if is_visible(entry.name)}
    except OSError:
        return None
    near = get_close_matches(missing_part.name.lower(), names, n=1, cutoff=0.7)
    if not near:
        return None
    found = missing_part.parent / names[near[0]]
    return found / path.relative_to(missing_part) if (found / path.relative_to(missing_part)).exists() else found


def layout_of(folder: Path) -> str:
    """Return the source whose layout a folder has, ``""`` if it has none."""
    try:
        return next((name for name, has in CHECKS.items() if has(folder)), "")
    except OSError:
        return ""


def _layouts_near(root: Path, source: str) -> Iterator[tuple[Path, str]]:
    """Yield folders and their layouts, most probable first: the root, its folders, the folders above it."""
    here = layout_of(root)
    lower = [(folder, layout) for folder in _folders(root) if (layout := layout_of(folder))]
    # A tree of DICOM has no level, and names of modalities are in many layouts; a stricter layout says more.
    if here not in ("", "dicom", "folder", source):
        yield root, here
    if source != "dicom":
        yield from (pair for pair in lower if pair[1] == source)
        # Of a folder that other programs share, such as /tmp, nothing would follow.
        higher = [above for above in list(root.parents)[:2] if len(above.parts) > 2 and layout_of(above) == source]
        if source != "folder" or _is_subject(root):
            yield from ((above, source) for above in higher)
    yield from (pair for pair in lower if pair[1] not in ("dicom", "folder"))
    if here and here != source:
        yield root, here
    yield from (pair for pair in lower if pair[1] == "folder")


def _folders_of_contrasts(root: Path) -> dict[str, int]:
    """Return how many NIfTI files the folders of a root hold that are named after contrasts.

    A subject's folder, too, may hold one folder per contrast; but then each holds a single NIfTI file, or DICOM.
    """
    found = {}
    for folder in _folders(root):
        words = re.split(r"[^a-z0-9]+", folder.name.lower())
        scans = sum(1 for path in islice(folder.iterdir(), 1000) if is_visible(path.name) and is_nifti(path))
        if scans > 1 and any(word in SPELLINGS for word in words):
            found[folder.name] = scans
    return found


def _is_subject(folder: Path) -> bool:
    return any(path.name.lower().partition(".")[0] in SPELLINGS for path in folder.iterdir())


def _between(first: Path, second: Path) -> tuple[str, ...]:
    outer, inner = (first, second) if second.is_relative_to(first) else (second, first)
    return inner.relative_to(outer).parts


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            islice((path for path in folder.iterdir() if path.is_dir() and is_visible(path.name)), MAX_FOLDERS)
        )
    except OSError:
        return []


def _files(folder: Path, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Yield files of a tree, those of higher folders first."""
    try:
        entries = sorted(path for path in folder.iterdir() if is_visible(path.name))
    except OSError:
        return
    yield from (path for path in entries if path.is_file())
    if depth:
        for path in [path for path in entries if path.is_dir()][:MAX_FOLDERS]:
            yield from _files(path, depth - 1)


def _has_bids(folder: Path) -> bool:
    return any(
        next(subject.glob(pattern), None)
        for subject in islice(folder.glob("sub-*"), MAX_FOLDERS)
        for pattern in ("anat/*.nii*", "ses-*/anat/*.nii*")
    )


def _has_rsna(folder: Path) -> bool:
    train = folder / "train"
    return train.is_dir() and any(
        path.name.lower() in RSNA_FOLDERS for one in _folders(train) for path in _folders(one)
    )


def _has_brats(folder: Path) -> bool:
    return any(
        (match := BRATS_FILE.fullmatch(path.name)) is not None and match["folder"] == one.name
        for one in _folders(folder)
        # Others name their files like the folder too, and here all would count as abnormal.
        if "brats" in one.name.lower()
        for path in islice(one.iterdir(), MAX_FILES)
    )


def _has_ixi(folder: Path) -> bool:
    return any(IXI_FILE.fullmatch(path.name) for path in islice(_files(folder, 1), 5 * MAX_FOLDERS))


def _has_folder(folder: Path) -> bool:
    return any(
        (path.is_dir() or is_nifti(path))
        and (path.name.lower().partition(".")[0] in SPELLINGS or behind_subject(stem(path), one.name))
        for one in _folders(folder)
        for path in islice(one.iterdir(), MAX_FOLDERS)
    )


def _has_dicom(folder: Path) -> bool:
    return any(read_header(path).status == IMAGE for path in islice(_files_and_entries(folder), MAX_FILES))


def _files_and_entries(folder: Path) -> Iterator[Path]:
    """Yield files of a tree, and in place of its archives what they hold; of one that cannot be read nothing."""
    for path in _files(folder):
        if not archives.is_archive(path):
            yield path
            continue
        with suppress(DatasetError):
            yield from (entry for entry, _ in archives.members(path)[0])


CHECKS: dict[str, Callable[[Path], bool]] = {
    "bids": _has_bids,
    "rsna_miccai": _has_rsna,
    "brats": _has_brats,
    "ixi": _has_ixi,
    "folder": _has_folder,
    "dicom": _has_dicom,
}
"""By source, strictest first: whether a folder has its layout, from a few of its names."""

LAYOUTS = {
    "bids": "a data set in BIDS",
    "rsna_miccai": "RSNA-MICCAI",
    "brats": "BraTS",
    "ixi": "IXI",
    "folder": "one folder per subject, with scans named after modalities",
    "dicom": "DICOM files in folders of any names",
}
