"""File locks: jobs of a sweep share the cache, each entry is computed only once, and a run is seen to be running."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from brain_cae.files.system_errors import writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for other processes; the system releases it even if the process is killed.

    Args:
        path: An empty file; created, with its folder, if it does not exist.

    Raises:
        StorageError: The file cannot be created.
    """
    # Never a soft lock: that is a file that is there, and a holder that is killed leaves it behind.
    lock = FileLock(path, fallback_to_soft=False)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held = lock.acquire()
    with held:
        yield


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
    fcntl.flock(file, fcntl.LOCK_EX)
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
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, Timeout):
        return True
    return False


def _beside(path: Path) -> FileLock:
    return FileLock(path.with_name(f".{path.name}.lock"), fallback_to_soft=False)
