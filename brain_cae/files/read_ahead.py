"""Reading ahead: the system reads from the disk what is needed next, while processes work on what is there."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

AHEAD_BYTES = 256 << 20
"""Bytes that are asked for before they are needed: about a second of a fast disk, and little beside its memory."""

ENOUGH = 100
"""After so many files in a row that are in memory, or in archives, so are the others: nothing more is asked for."""


@contextmanager
def reading_ahead(
    groups: Sequence[Sequence[Path]], *, head: int = 0, ahead: int = AHEAD_BYTES
) -> Iterator[Callable[[], None]]:
    """Ask the system to read files into its memory, in the order of their groups, until the block ends.

    Of each file, the first ``head`` bytes, or all with 0. Yields a function to be called after each group that has been
    read: a thread stays up to ``ahead`` bytes before the last one. Files that cannot be opened are left to the reader,
    which names them. Where the system takes no such advice (macOS, Windows), nothing is done.

    >>> with reading_ahead([[Path("1.dcm"), Path("2.dcm")], [Path("3.dcm")]]) as advance:
    ...     for number in range(2):
    ...         advance()
    """
    if not hasattr(os, "posix_fadvise"):
        yield lambda: None
        return
    announcer = _Announcer(groups, head, ahead)
    announcer.start()
    try:
        yield announcer.advance
    finally:
        announcer.stop()


class _Announcer(threading.Thread):
    def __init__(self, groups: Sequence[Sequence[Path]], head: int, ahead: int) -> None:
        super().__init__(name="read ahead", daemon=True)
        self._groups = groups
        self._head = head
        self._ahead = ahead
        self._changed = threading.Condition()
        self._sizes: list[int] = []  # of the groups that were asked for, or left out
        self._read = 0
        self._unread = 0  # bytes that were asked for and are not read yet
        self._stopped = False

    def run(self) -> None:
        idle = 0
        for number, group in enumerate(self._groups):
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._unread < self._ahead)
                is_read = number < self._read  # the readers overtook this thread
            size = 0
            for path in () if is_read else group:
                asked = _announce(path, self._head)
                size, idle = size + asked, 0 if asked else idle + 1
                if self._stopped or idle == ENOUGH:
                    return
            with self._changed:
                self._sizes.append(size)
                self._unread += size if number >= self._read else 0

    def advance(self) -> None:
        with self._changed:
            self._unread -= self._sizes[self._read] if self._read < len(self._sizes) else 0
            self._read += 1
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self.join()


def _announce(path: Path, head: int) -> int:
    """Ask the system to begin to read a file; return the bytes that must come from the disk."""
    try:
        stream = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not make the thread wait
    except (OSError, ValueError):
        return 0
    try:
        size = os.fstat(stream).st_size
        needed = min(size, head) if head else size
        if not needed or _is_in_memory(stream, needed - 1):
            return 0
        os.posix_fadvise(stream, 0, head, os.POSIX_FADV_WILLNEED)
        return needed
    except OSError:  # a named pipe, or a file system that takes no advice
        return 0
    finally:
        os.close(stream)


def _is_in_memory(stream: int, place: int) -> bool:
    if not hasattr(os, "RWF_NOWAIT"):  # Python was built for an older system
        return False
    try:
        return os.preadv(stream, [bytearray(1)], place, os.RWF_NOWAIT) == 1
    except OSError:  # it would have to wait, or the file system cannot tell
        return False
