"""What the name of a file says about its format, and whether its content stands for a file that was not fetched."""

import re
from collections.abc import Callable
from pathlib import Path

from brain_cae.errors import ScanError

SUFFIXES = (".nii", ".nii.gz", ".hdr", ".hdr.gz")
"""Endings of the files that stand for a NIfTI scan; the .img of a .hdr belongs to it."""
PAIR = re.compile(r"(?P<stem>.+)\.(?P<half>hdr|img)(\.gz)?", re.IGNORECASE)
OTHER_FORMATS = (
    ".mgz", ".mgh", ".mgh.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mnc", ".mnc.gz", ".head", ".brik", ".brik.gz",
    ".par", ".rec", ".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".nii.gz.gz",
    ".nii.bz2", ".nii.xz", ".nii.zst",
)  # fmt: skip
"""Endings of images, archives and compressed files that are not read."""
# Of Git LFS, of git-annex, and of a link of git-annex on a file system without links.
POINTER = re.compile(rb"version https://git-lfs\.|/annex/objects/|(?:\.\./)*\.git/annex/objects/")
DICOM = (".dcm", ".ima")
"""Endings that DICOM files often have; their content tells what they are."""


def not_fetched(start: bytes, where: str) -> ScanError | None:
    """Return the error for a file that starts as a pointer of git-annex or Git LFS does, None for any other."""
    if not POINTER.match(start):
        return None
    return ScanError(
        "not downloaded", expected="the file", found="a pointer of git-annex or Git LFS to it", where=where
    )


def is_kind(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Return whether a path is of a kind (``Path.is_file``); False if the system does not accept or show it."""
    try:
        return kind(path)
    except OSError:
        return False


def is_nifti(path: Path) -> bool:
    """Return whether the file name stands for a NIfTI scan; of a pair, the header does, and the image does not."""
    return path.name.lower().endswith(SUFFIXES)


def nifti_stem(path: Path) -> str:
    """Return the file name without an ending of ``SUFFIXES``."""
    return path.name.removesuffix(_ending(path, SUFFIXES)) if is_nifti(path) else path.name


def nifti_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a scan: header and image of a pair, as far as they exist, or else the file itself."""
    match = PAIR.fullmatch(path.name)
    if match is None:
        return (path,)
    files = []
    for half in ("hdr", "img"):
        names = [f"{match['stem']}.{name}{end}" for name in (half, half.upper()) for end in ("", ".gz", ".GZ")]
        others = (other for name in names if is_kind(other := path.with_name(name), Path.is_file))
        files += [path] if match["half"].lower() == half else [*others][:1]
    return tuple(files)


def is_half(path: Path) -> bool:
    """Return whether the file name is that of the header or the image of a pair."""
    return PAIR.fullmatch(path.name) is not None


def has_header(path: Path) -> bool:
    """Return whether this is the image of a pair whose header, which stands for the scan, lies beside it."""
    return nifti_files(path)[0] != path


def unread_format(path: Path, *, endings: tuple[str, ...] = OTHER_FORMATS) -> str:
    """Return the reason why a file of this name is not read, or ``""`` for names that say nothing against it."""
    if is_nifti(path) or is_half(path) or not path.name.lower().endswith(endings):
        return ""
    return f"another format: {_ending(path, endings).lower()}"


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    """Return the longest of these endings (lower case) as the name has it."""
    length = max(len(ending) for ending in endings if path.name.lower().endswith(ending))
    return path.name[-length:]
