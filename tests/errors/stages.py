"""Something that happens in the middle of a run's stage: Ctrl-C, or a disk that takes no more."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brain_cae.files.run_folder import RunFolder

ROOM = 4096  # bytes; enough for status.json, too little for a volume, a checkpoint or a report


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def fill_the_disk() -> None:
    """No file may grow beyond a page from now on: to the program a disk without room, on any machine."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach Python also where the tests were started in the background, which ignores it."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def at(stage: str, action: Callable[[], None]) -> Iterator[None]:
    """Let something happen when a stage has begun; afterwards the disk has room again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = RunFolder.stage

    @contextmanager
    def disturbed(self: RunFolder, name: str) -> Iterator[None]:
        with usual(self, name):
            if name == stage:
                action()
            yield

    with interruptible(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "stage", disturbed)
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def after(owner: object, name: str, *, calls: int) -> Iterator[None]:
    """Ctrl-C when a function has been called so many times."""
    usual = getattr(owner, name)
    count = 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal count
        count += 1
        if count == calls:
            ctrl_c()
        return usual(*arguments, **named)

    with interruptible(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, counted)
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A folder below which none may be made; for root, whom permissions do not bind, as another user would find it."""
    usual = os.mkdir

    def as_another_user(*arguments: object, **named: object) -> None:
        os.seteuid(65534)
        try:
            usual(*arguments, **named)
        finally:
            os.seteuid(0)

    folder.mkdir()
    folder.chmod(0o555)
    with pytest.MonkeyPatch.context() as patch:
        # No longer than that: the project may lie where only root can read.
        if os.geteuid() == 0:
            patch.setattr(os, "mkdir", as_another_user)
        try:
            yield
        finally:
            folder.chmod(0o755)
