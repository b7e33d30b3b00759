"""What the name of a file says about its format, and whether its content stands for a file that was not fetched."""

import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

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
GZIP = b"\x1f\x8b"
COMPARED = 1 << 20
"""Number of bytes at the start of two files that are compared to tell whether one is a copy."""
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


@contextmanager
def unpacked(path: Path) -> Iterator[io.IOBase]:
    """Open a file; its content decides whether it is compressed, since endings get lost or added."""
    with path.open("rb") as file:
        start = file.read(len(GZIP))
        file.seek(0)
        if start == GZIP:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        elif start == GZIP[:1]:
            raise EOFError
        else:
            yield cast("io.IOBase", file)


def without_copies(files: Sequence[Path]) -> list[Path]:
    """Return NIfTI files without the copies that unpacking or packing them leaves: ``t1.nii`` beside ``t1.nii.gz``."""
    kept: list[Path] = []
    for path in files:
        if not any(nifti_stem(path) == nifti_stem(other) and _same_content(path, other) for other in kept):
            kept.append(path)
    return kept


def _same_content(path: Path, other: Path) -> bool:
    """Return whether two files hold as many bytes, and the same ones at the start; False where one cannot be read."""
    try:
        starts = []
        for one in (path, other):
            with unpacked(one) as stream:
                starts.append((_length(one), stream.read(COMPARED)))
    except (OSError, EOFError, zlib.error):
        return False
    return starts[0] == starts[1] and bool(starts[0][1])


def _length(path: Path) -> int:
    """Return the number of bytes of a file when unpacked, which a compressed one states at its end."""
    with path.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            return path.stat().st_size
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(), "little")


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    """Return the longest of these endings (lower case) as the name has it."""
    length = max(len(ending) for ending in endings if path.name.lower().endswith(ending))
    return path.name[-length:]
