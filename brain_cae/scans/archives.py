"""Files in a zip, read in place: a path goes through the archive, ``export.zip/DICOM/IM000001``.

Nothing is ever extracted. An archive is checked as a whole before anything of it is read: the number of entries, their
sizes and the ratio of compression are limited, so that a small file cannot fill the memory.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from brain_cae.errors import DatasetError
from brain_cae.files.zips import UNREADABLE, Limits, excess

GIB = 2**30
LIMITS = Limits(entries=1_000_000, bytes=500 * GIB, entry_bytes=4 * GIB)
ENDING = ".zip"
UNPACK = "If it is intact and you trust it, unpack it, and set dataset.root to the folder."


class Status(NamedTuple):
    """Size (bytes) and time of the last change (ns) of a file, in an archive that of the archive."""

    size: int
    changed: int


def is_archive(path: Path) -> bool:
    """Return whether a path is a zip file on disk."""
    return path.suffix.lower() == ENDING and path.is_file()


def members(archive: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """Return the files in an archive, as paths through it with their sizes (bytes), and the names of nested archives.

    Raises:
        DatasetError: It is damaged, encrypted, exceeds a limit, or has files of different content under one name.
    """
    files: list[tuple[Path, int]] = []
    nested: list[str] = []
    with _refusing(archive):
        directory = _open(*_identity(archive))
    _check(archive, [entry for entry in directory.archive.infolist() if not entry.is_dir()])
    if directory.is_ambiguous:
        found = "files of different content under one name"
        advice = "Unpacking would lose some of them too: export the scans again, each series into a folder of its own."
        raise _refusal(archive, "another name for each file", found, advice)
    for path, entry in directory.files.items():
        name = PurePosixPath(path)
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise _refusal(archive, "entries below the archive", "an entry that leads out of it")
        if name.suffix.lower() == ENDING:
            nested.append(name.name)
        else:
            files.append((archive / name, entry.file_size))
    return sorted(files), nested


@contextmanager
def opened(path: Path, head: int = -1) -> Iterator[BinaryIO]:
    """Open a file for reading, on disk or in an archive; raises OSError like ``Path.open``.

    Of an entry, only the first ``head`` bytes are unpacked, by default all.
    """
    archive, name = _split(path)
    if archive is None:
        with path.open("rb") as stream:
            yield stream
        return
    yield io.BytesIO(_content(archive, name, head))


def read_start(path: Path, head: int) -> tuple[bytes, int]:
    """Return the first ``head`` bytes of a file on disk or in an archive, and its size; raises OSError."""
    archive, name = _split(path)
    if archive is None:
        with path.open("rb") as stream:
            return stream.read(head), os.fstat(stream.fileno()).st_size
    return _content(archive, name, head), _entry(archive, name).file_size


def source(path: Path) -> Path | BinaryIO:
    """Return what a reader of files takes: the path on disk, or the content of an entry."""
    archive, name = _split(path)
    return path if archive is None else io.BytesIO(_content(archive, name))


def read_bytes(path: Path) -> bytes:
    """Return the content of a file on disk or in an archive; raises OSError like ``Path.read_bytes``."""
    archive, name = _split(path)
    return path.read_bytes() if archive is None else _content(archive, name)


def status(path: Path) -> Status:
    """Return size and time of a file on disk or in an archive; raises OSError like ``Path.stat``."""
    archive, name = _split(path)
    if archive is None:
        known = path.stat()
        return Status(known.st_size, known.st_mtime_ns)
    return Status(_entry(archive, name).file_size, archive.stat().st_mtime_ns)


def _split(path: Path) -> tuple[Path | None, str]:
    """Return the archive that a path goes through, if any, and the name of the entry."""
    if ENDING not in str(path).lower():
        return None, ""
    for place in path.parents:
        if place.suffix.lower() == ENDING and place.is_file():
            return place, path.relative_to(place).as_posix()
    return None, ""


def _content(archive: Path, name: str, head: int = -1) -> bytes:
    entry = _entry(archive, name)
    if entry.file_size > LIMITS.entry_bytes:
        raise OSError(f"{name} is too large")
    try:
        # The reader stops at the size that the directory of the archive declares, and compares the checksum.
        with _open(*_identity(archive)).archive.open(entry) as stream:
            return stream.read(head)
    except UNREADABLE as error:
        raise OSError(f"an entry cannot be read ({type(error).__name__})") from error


def _entry(archive: Path, name: str) -> zipfile.ZipInfo:
    try:
        return _open(*_identity(archive)).files[name]
    except (KeyError, zipfile.BadZipFile) as error:
        raise FileNotFoundError(2, "no such entry", str(archive / name)) from error


def _identity(archive: Path) -> tuple[Path, int, int]:
    known = archive.stat()
    return archive, known.st_size, known.st_mtime_ns


class _Directory(NamedTuple):
    """An open archive, its files by name, and whether a name stands for files of different content.

    Names are in the form that paths have: ``./a//b`` is ``a/b``. A file that is listed twice is one file.
    """

    archive: zipfile.ZipFile
    files: dict[str, zipfile.ZipInfo]
    is_ambiguous: bool


@lru_cache(maxsize=4)
def _open(archive: Path, size: int, changed: int) -> _Directory:
    """Open an archive once: its directory takes a second for 100,000 entries. Size and time identify its content."""
    content = zipfile.ZipFile(archive)
    files: dict[str, zipfile.ZipInfo] = {}
    ambiguous = False
    for entry in content.infolist():
        if entry.is_dir():
            continue
        name = PurePosixPath(entry.filename).as_posix()
        first = files.setdefault(name, entry)
        ambiguous |= (entry.CRC, entry.file_size) != (first.CRC, first.file_size)
    return _Directory(content, files, ambiguous)


@contextmanager
def _refusing(archive: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise _refusal(archive, "a zip file", "a damaged or incomplete one") from error


def _check(archive: Path, entries: list[zipfile.ZipInfo]) -> None:
    if found := excess(entries, archive.stat().st_size, LIMITS):
        raise _refusal(archive, *found)


def _refusal(archive: Path, expected: str, actual: str, advice: str = UNPACK) -> DatasetError:
    return DatasetError(
        "The zip file cannot be read in place.",
        expected=expected,
        found=actual,
        where=str(archive),
        advice=advice,
    )
