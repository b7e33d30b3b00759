"""Disturbances in the middle of a stage: Ctrl-C, or a full disk."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brain_cae.files.run_folder import RunFolder

ROOM = 4096  # bytes; enough for status.json, not for a volume, a checkpoint or a report


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def fill_the_disk() -> None:
    """Limit the size of files, which has the same effect as a full disk and works on any machine."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@contextmanager
def interruptible() -> Iterator[None]:
    """Enable Ctrl-C, which is ignored if the tests were started in the background."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def at(stage: str, action: Callable[[], None]) -> Iterator[None]:
    """Call an action at the start of a stage; afterwards the limit on file sizes is restored."""
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
    """Send Ctrl-C when a function is called for the given time."""
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
    """Make a folder read-only; root ignores permissions, so folders are then created as another user."""
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
        # Only while creating folders: the project may be in a folder that only root can read.
        if os.geteuid() == 0:
            patch.setattr(os, "mkdir", as_another_user)
        try:
            yield
        finally:
            folder.chmod(0o755)
