"""File locks: jobs of a sweep share the cache, each entry is computed only once, and a run is seen to be running."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from brain_cae.files.system_errors import is_forbidden, is_unlockable, writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SILENT_S = 5.0
"""A wait that is longer is announced: without a word, the command would seem to hang."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for other processes; the system releases it even if the process is killed.

    A folder in which nothing may be written, such as the complete cache of a colleague, is used without a lock: all of
    its files are whole, and whoever lacks one there is refused when it is to be written.

    Args:
        path: An empty file; created, with its folder, if it does not exist.

    Raises:
        StorageError: The file cannot be created.
    """
    # Never a soft lock: that is a file that is there, and a holder that is killed leaves it behind.
    lock = FileLock(path, fallback_to_soft=False)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held = _acquired(lock)
    with held:
        yield


def _acquired(lock: FileLock) -> AbstractContextManager[Any]:
    folder = Path(lock.lock_file).parent
    try:
        try:
            return lock.acquire(timeout=SILENT_S)
        except Timeout:
            log.info("Another run works in %s; this one waits until it has finished there.", folder)
            return lock.acquire()
    except OSError as error:
        if not is_forbidden(error):
            raise
        return nullcontext()


def hold(file: TextIO, text: str) -> AbstractContextManager[Any]:
    """Write text to a new file and return a context during which :func:`is_held` says so to other processes.

    The file may be read and replaced in the meantime; the system ends the hold if the process is killed.
    """
    if fcntl is None:
        # A lock of Windows would keep others from reading the file, and an open file could not be replaced.
        with file:
            file.write(text)
        return _beside(Path(file.name)).acquire()
    # Not filelock: it creates the file, wants to write to it, and in some versions removes it when it lets go.
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if not is_unlockable(error):
            raise  # on a disk without locks, nobody can ask whether the run is alive; that is no reason to refuse it
    file.write(text)
    file.flush()
    return file


def is_held(path: Path) -> bool:
    """Return whether a process on this machine holds a file; nothing is created or changed."""
    try:
        if fcntl is None:
            lock = _beside(path)
            if Path(lock.lock_file).exists():
                lock.acquire(timeout=0).lock.release()
        else:
            with path.open() as file:
                # Shared: NFS gives an exclusive lock only on a file that is open for writing.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, Timeout):
        return True
    except OSError as error:
        if not is_unlockable(error):
            raise
    return False


def _beside(path: Path) -> FileLock:
    return FileLock(path.with_name(f".{path.name}.lock"), fallback_to_soft=False)
