"""Files and folders that appear whole or not at all: written aside first, then renamed."""

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brain_cae.files.system_errors import writing


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path aside, which becomes ``path`` when the body ends well, and is removed when it does not.

    Args:
        path: A file, or a folder that is not there yet or empty; the folders above it are made. The path aside lies in
            the same folder, is hidden, and has the same suffixes, since the writers of many formats look at them.

    Raises:
        StorageError: The system refuses to write; it names ``path``.
    """
    suffix = "".join(path.suffixes[-2:])
    # No process number: jobs of a sweep on several machines may share a folder, and a number.
    aside = path.with_name(f".{path.name.removesuffix(suffix)}.part-{secrets.token_hex(4)}{suffix}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield aside
            aside.replace(path)
        except BaseException:
            _remove(aside)
            raise


def write_text(path: Path, text: str) -> Path:
    """Write text as UTF-8 with line ends as they are, whole or not at all."""
    with whole(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="")
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes, whole or not at all."""
    with whole(path) as aside:
        aside.write_bytes(content)
    return path


def remove_leftovers(folder: Path, *, age_s: float = 0.0) -> None:
    """Remove what killed processes have left aside in a folder.

    Args:
        folder: Looked at without the folders in it; it need not exist.
        age_s: Only what has not changed for so long (s): another process may be writing now.
    """
    now = time.time()
    for path in folder.glob(".*.part-*"):
        try:
            if now - path.stat().st_mtime >= age_s:
                _remove(path)
        except FileNotFoundError:
            pass  # its writer has just renamed it


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
