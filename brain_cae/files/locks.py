"""File locks: jobs of a sweep share the cache, and each entry is computed only once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from brain_cae.files.system_errors import writing


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
