"""File locks: jobs of a sweep share the cache, and each entry is computed only once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brain_cae.files.system_errors import writing


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for other processes; the system releases it even if the process is killed.

    Args:
        path: An empty file; created, with its folder, if it does not exist.

    Raises:
        StorageError: The file cannot be created.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Return whether another process currently holds this lock."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
