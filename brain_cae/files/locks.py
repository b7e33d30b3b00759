"""One process at a time: jobs of a sweep share the cache, and each thing in it is made once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from brain_cae.files.system_errors import writing


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of this name; the system frees it even when its holder is killed.

    Args:
        path: An empty file, created when it does not exist; its folder too.

    Raises:
        StorageError: It cannot be created.
    """
    # Never a soft lock: that is a file that is there, and a holder that is killed leaves it behind.
    lock = FileLock(path, fallback_to_soft=False)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held = lock.acquire()
    with held:
        yield
