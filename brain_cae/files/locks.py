"""One process at a time: jobs of a sweep share the cache, and each thing in it is made once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brain_cae.files.system_errors import writing


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of this name; the system frees it even when its holder is killed.

    Args:
        path: An empty file, created when it does not exist; its folder too.

    Raises:
        StorageError: It cannot be created.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether another process holds the lock of this name now."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
