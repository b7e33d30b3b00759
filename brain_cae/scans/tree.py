"""The files of a tree, on disk and in its archives, and what of it cannot be listed."""

import os
from collections.abc import Sequence
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans import archives
from brain_cae.scans.sources.base import is_broken, is_folder, is_litter, is_visible

File = tuple[Path, int, int]
"""Path, size (bytes) and time of the last change (ns)."""


def list_files(root: Path, leave_out: Sequence[str] = ()) -> tuple[list[File], list[tuple[str, str]], int]:
    """Return the files of a tree, sorted by path, the archives that stay closed, and the number of hidden entries.

    Files of operating systems are ignored. Links to folders are followed, each folder once. Broken links, and folders
    that cannot be listed, are files that cannot be read. An archive beside the scans, such as that of a viewer, may be
    damaged or encrypted: its name is listed with the reason.

    Args:
        root: A folder or a zip file.
        leave_out: Names directly below the root.

    Raises:
        DatasetError: The root itself is an archive that cannot be read.
    """
    found, archived, hidden = ([], [root], 0) if archives.is_archive(root) else _walk(root, leave_out)
    closed: list[tuple[str, str]] = []
    for archive in archived:
        try:
            files, nested = archives.members(archive)
        except DatasetError as error:
            if archive == root:
                raise
            closed.append((archive.name, error.found or ""))
            continue
        changed = archive.stat().st_mtime_ns
        for path, size in files:
            if all(map(is_visible, path.relative_to(archive).parts)):
                found.append((path, size, changed))
        closed += [(name, "an archive inside of an archive") for name in nested]
    return sorted(found), closed, hidden


def _walk(root: Path, leave_out: Sequence[str]) -> tuple[list[File], list[Path], int]:
    """Return the files on disk, the archives among them, and the number of hidden entries."""
    found: list[File] = []
    archived: list[Path] = []
    hidden = 0
    visited: set[str] = set()
    waiting = [os.fspath(root)]
    while waiting:
        top = waiting.pop()
        real = os.path.realpath(top)
        if real in visited:
            continue
        visited.add(real)
        try:
            entries = list(os.scandir(top))
        except OSError:
            found.append((Path(top), 0, 0))
            continue
        for entry in entries:
            if top == os.fspath(root) and entry.name in leave_out:
                continue
            if not is_visible(entry.name):
                hidden += not is_litter(entry.name)
            elif is_folder(entry):
                waiting.append(entry.path)
            else:
                _add(entry, found, archived)
    return found, archived, hidden


def _add(entry: os.DirEntry, found: list[File], archived: list[Path]) -> None:
    if entry.is_file() and entry.name.lower().endswith(archives.ENDING):
        archived.append(Path(entry.path))
    elif entry.is_file():
        known = entry.stat()
        found.append((Path(entry.path), known.st_size, known.st_mtime_ns))
    elif is_broken(Path(entry.path)):
        found.append((Path(entry.path), 0, 0))
