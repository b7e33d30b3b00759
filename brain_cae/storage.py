"""What the system says when a file cannot be written or read, in words that say what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brain_cae.errors import StorageError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
BROKEN = (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file that is written when the system refuses.

    Raises:
        StorageError: There is no room, no permission, or no such place.
    """
    try:
        yield
    except OSError as error:
        refusal = explain(error, path)
        if refusal is None:
            raise
        raise refusal from error


def explain(error: OSError, path: Path | str | None = None) -> StorageError | None:
    """Turn an error of the system into one that says what to do; None for one that no user can put right.

    Args:
        error: As raised; often it does not name the file.
        path: The file that was meant.
    """
    where = str(path or error.filename or "") or None
    if error.errno in NO_ROOM:
        return StorageError(
            "There is no room to write a file.",
            expected="space on the disk",
            found="a full disk, or a limit on the space or the size of files",
            where=where,
            advice="Free some space, or write elsewhere: cache=<folder>, hydra.run.dir=<folder>. "
            "What was imported and prepared is kept.",
        )
    if error.errno in NOT_ALLOWED:
        return StorageError(
            "A file or folder may not be used.",
            expected="permission to read it and, for outputs and the cache, to write there",
            found="permission denied, or a read-only disk",
            where=where,
            advice="Change its permissions, or write elsewhere: cache=<folder>, hydra.run.dir=<folder>.",
        )
    if error.errno in NO_FOLDER:
        return StorageError(
            "A file stands where a folder is needed.",
            expected="a folder, or a path that is free",
            found="a file",
            where=where,
            advice="Move the file away, or name another folder.",
        )
    if error.errno in BROKEN:
        return StorageError(
            "The disk or the network gives a file up.",
            expected="a file that can be read and written",
            found=error.strerror,
            where=where,
            advice="Check the disk or the connection, then give the same command again.",
        )
    return None
