import errno
import fcntl
import logging
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from brain_cae.errors import StorageError
from brain_cae.files import locks
from brain_cae.files.locks import exclusive, hold, is_held

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from brain_cae.files.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@contextmanager
def holder(lock, seconds):
    command = [sys.executable, "-c", HOLD, str(lock), str(ROOT), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=lock.parents[1], text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process


def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    lock = tmp_path / "store" / ".lock"
    with holder(lock, 60) as process:
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(lock).acquire(timeout=0)
        process.kill()
        process.wait()
    start = time.monotonic()
    with exclusive(lock):
        assert time.monotonic() - start < 5
    assert lock.read_bytes() == b""


def test_the_second_one_waits_until_the_first_lets_go(tmp_path):
    lock = tmp_path / "store" / ".lock"
    with holder(lock, 0.5) as process:
        start = time.monotonic()
        with exclusive(lock):
            waited = time.monotonic() - start
        assert process.wait() == 0
    assert waited > 0.2


def test_a_lock_that_is_left_by_an_error_is_free(tmp_path):
    for _ in range(2):
        with pytest.raises(ValueError), exclusive(tmp_path / ".lock"):
            raise ValueError


def test_a_disk_without_locks_is_an_error_and_no_file_stands_for_one(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StorageError, match="cannot lock files"), exclusive(tmp_path / ".lock"):
        raise AssertionError("held without a lock")
    # Of a run, only whether it is alive cannot be asked there.
    with (tmp_path / "status.json").open("x") as file, hold(file, "running"):
        assert not is_held(tmp_path / "status.json")
    assert (tmp_path / "status.json").read_text() == "running"


def test_a_file_that_is_open_for_reading_is_enough_to_ask(tmp_path, monkeypatch):
    def as_nfs_does(file, mode, flock=fcntl.flock):
        if mode & fcntl.LOCK_EX and not file.writable():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(file, mode)

    monkeypatch.setattr("fcntl.flock", as_nfs_does)
    path = tmp_path / "status.json"
    with hold(path.open("x"), "running"):
        assert is_held(path)
    assert not is_held(path)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_may_only_be_read_is_used_without_a_lock(tmp_path, monkeypatch, code):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with exclusive(tmp_path / ".lock"):
        assert not (tmp_path / ".lock").exists()


def test_a_long_wait_is_announced(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(locks, "SILENT_S", 0.05)
    lock = tmp_path / "store" / ".lock"
    with exclusive(lock):
        assert not caplog.text
    with holder(lock, 0.5), exclusive(lock):
        assert f"Another run works in {lock.parent}" in caplog.text


def test_a_lock_that_cannot_be_created_names_its_file(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StorageError) as caught, exclusive(tmp_path / "store" / ".lock"):
        pass
    assert caught.value.where == str(tmp_path / "store")
