"""Atomic writes: files and folders are written under a temporary name, then renamed."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from brain_cae.files.system_errors import where_allowed, writing

LEFTOVER_AGE_S = 3600.0
"""Younger temporary files in a folder that runs share may still be written by another run."""

PIECE_BYTES = 1 << 20
"""Written in one call, a file of 8 MB took seven times as long as in such pieces on ext4, and as long on tmpfs."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to ``path`` if the body succeeds, and removed if it fails.

    Args:
        path: A file, or a folder that is empty or does not exist yet; parent folders are created. The temporary path is
            hidden, in the same folder, and has the same suffixes, because many writers choose the format by suffix.
            A folder that another process has completed in the meantime stays.

    Raises:
        StorageError: The file system refuses to write; the message names ``path``.
    """
    suffix = "".join(path.suffixes[-2:])
    # Not the process ID: jobs of a sweep on several machines may share a folder and have the same ID.
    temporary = path.with_name(f".{path.name.removesuffix(suffix)}.part-{secrets.token_hex(4)}{suffix}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _rename(temporary, path)
        except BaseException:
            remove(temporary)
            raise


def write_text(path: Path, text: str) -> Path:
    """Write text atomically as UTF-8, with line endings unchanged."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes atomically."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        write_pieces(stream, content)
    return path


def write_pieces(stream: BinaryIO, content: bytes | memoryview) -> None:
    """Write content of any size to an open file, in pieces of ``PIECE_BYTES``."""
    view = memoryview(content).cast("B")
    for start in range(0, len(view), PIECE_BYTES):
        stream.write(view[start : start + PIECE_BYTES])


def remove_leftovers(folder: Path, *, age_s: float = 0.0) -> None:
    """Remove the temporary files and folders that killed processes left in a folder.

    Args:
        folder: Folder to clean, without its subfolders; it need not exist.
        age_s: Minimum time (s) since the last change, because another process may still be writing.
    """
    now = time.time()
    for path in folder.glob(".*.part-*"):
        # The writing process may just have renamed it; that of another user stays.
        with suppress(FileNotFoundError), where_allowed():
            if now - path.stat().st_mtime >= age_s:
                remove(path)


def _rename(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        # Windows denies access where others say that the folder is not empty.
        taken = (errno.ENOTEMPTY, errno.EEXIST) if os.name == "posix" else (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES)
        if error.errno not in taken or not path.is_dir():
            raise
        remove(temporary)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one; what cannot be removed from a folder stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
