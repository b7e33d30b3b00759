"""Explanations of file system errors that tell the user what to do."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brain_cae.errors import StorageError

ELSEWHERE = "write elsewhere: cache=<folder>, hydra.run.dir=<folder>."
IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST)
LINK = "Is the disk mounted that the link leads to? Otherwise remove the link, or name another folder."
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
UNLOCKABLE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
REFUSALS = (
    (
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        "There is no room to write a file.",
        "space on the disk",
        "a full disk, or a limit on the space or the size of files",
        f"Free some space, or {ELSEWHERE} What was imported and prepared is kept.",
    ),
    (
        FORBIDDEN,
        "A file or folder may not be used.",
        "permission to read it and, for outputs and the cache, to write there",
        "permission denied, or a read-only disk",
        f"Change its permissions, or {ELSEWHERE}",
    ),
    (
        UNLOCKABLE,
        "The disk cannot lock files.",
        "a disk on which runs can wait for each other",
        "a disk without locks, such as Lustre that is mounted without `flock`",
        "Put the cache on another disk: cache=<folder>.",
    ),
    (
        IN_THE_WAY,
        "A file stands where a folder is needed.",
        "a folder, or a path that is free",
        "a file",
        "Move the file away, or name another folder.",
    ),
    (
        (errno.EISDIR,),
        "A folder stands where a file is needed.",
        "a file, or a path that is free",
        "a folder",
        "Move the folder away, or name another one.",
    ),
    (
        (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO),
        "The disk or the network gives a file up.",
        "a file that can be read and written",
        "an error of the disk or of the connection",
        "Check the disk or the connection, then give the same command again.",
    ),
)
"""Error codes of the system, and their meaning: problem, expected, found, advice."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn file system errors while writing a file into errors that name it.

    Raises:
        StorageError: The disk is full, permission is denied, or the folder does not exist.
    """
    try:
        yield
    except OSError as error:
        refusal = explain(error, path)
        if refusal is None:
            raise
        raise refusal from error


@contextmanager
def where_allowed() -> Iterator[None]:
    """Leave the body undone where permission is missing: it changes what others may have given to be read only."""
    try:
        yield
    except (OSError, StorageError) as error:
        if not is_forbidden(error):
            raise


def explain(error: OSError, path: Path | str | None = None) -> StorageError | None:
    """Return an explanation of a file system error; None for an error that the user cannot fix.

    Args:
        error: The error as raised; it often does not name the file.
        path: The file that was being read or written.
    """
    where = str(path or error.filename or "") or None
    for codes, problem, expected, found, advice in REFUSALS:
        if error.errno in codes:
            blocking = _in_the_way(Path(where)) if where and error.errno in IN_THE_WAY else None
            if blocking is not None and not blocking.exists():
                link = f"a link to {blocking.readlink()}, which is not there"
                return StorageError(problem, expected=expected, found=link, where=str(blocking), advice=LINK)
            where = where if blocking is None else str(blocking)
            return StorageError(problem, expected=expected, found=found, where=where, advice=advice)
    return None


def is_forbidden(error: BaseException) -> bool:
    """Return whether permission is missing, or the disk can only be read; also behind a StorageError."""
    return _code(error) in FORBIDDEN


def is_unlockable(error: OSError) -> bool:
    """Return whether the disk has no locks."""
    return _code(error) in UNLOCKABLE


def _code(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else getattr(error.__cause__, "errno", None)


def _in_the_way(path: Path) -> Path | None:
    """Return the first part of a path that is there and is not a folder; None if there is none."""
    parts = (path, *path.parents)[::-1]
    return next((part for part in parts if os.path.lexists(part) and not part.is_dir()), None)
