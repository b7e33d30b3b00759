"""Files that are asked for before they are read."""

import os
import threading
import time

import pytest

from brain_cae.files import read_ahead
from brain_cae.files.read_ahead import reading_ahead


@pytest.fixture
def asked(monkeypatch):
    """Return the paths that the system was asked for, as they come, as if they were on the disk alone."""
    monkeypatch.setattr(read_ahead, "_is_in_memory", lambda stream, place: False)
    paths = []
    usual = read_ahead._announce

    def announce(path, head):
        paths.append(path.name)
        return usual(path, head)

    monkeypatch.setattr(read_ahead, "_announce", announce)
    return paths


def groups_of(folder, *, groups=5, files=2, size=100):
    made = []
    for group in range(groups):
        made.append([folder / f"{group}-{number}" for number in range(files)])
        for path in made[-1]:
            path.write_bytes(bytes(size))
    return made


def until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("the thread did not get there")


def test_files_are_asked_for_in_order_and_not_too_far_ahead(tmp_path, asked):
    groups = groups_of(tmp_path)
    names = [path.name for group in groups for path in group]
    with reading_ahead(groups, ahead=201) as advance:
        for end in (4, 6, 8, 10):  # 200 bytes, one group, leave room for one more
            until(lambda end=end: asked == names[:end])
            time.sleep(0.02)
            assert asked == names[:end]
            advance()


def test_of_files_of_which_only_the_start_is_needed_more_fit(tmp_path, asked):
    with reading_ahead(groups_of(tmp_path), head=10, ahead=61):
        until(lambda: len(asked) == 8)


def test_what_has_been_read_is_left_out(tmp_path, asked, monkeypatch):
    groups = groups_of(tmp_path, groups=3)
    with reading_ahead(groups, ahead=1) as advance:
        until(lambda: len(asked) == 2)
        advance()
        advance()
        until(lambda: len(asked) == 4)
    assert asked == ["0-0", "0-1", "2-0", "2-1"]


def test_files_that_cannot_be_opened_and_pipes_are_left_to_the_reader(tmp_path, asked):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "last").write_bytes(b"1")
    places = [tmp_path / name for name in ("gone", "pipe", "folder", "a.zip/entry", "nul\0", "last")]
    with reading_ahead([places]):
        until(lambda: asked[-1:] == ["last"])


def test_the_thread_ends_with_the_block(tmp_path, asked):
    before = threading.active_count()
    with pytest.raises(KeyError), reading_ahead(groups_of(tmp_path, groups=50), ahead=1):
        raise KeyError
    assert threading.active_count() == before and len(asked) <= 4


def test_a_system_without_such_advice_is_asked_for_nothing(tmp_path, asked, monkeypatch):
    monkeypatch.delattr(os, "posix_fadvise")
    with reading_ahead(groups_of(tmp_path)) as advance:
        advance()
    assert not asked


def test_of_files_that_are_in_memory_few_are_looked_at(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(read_ahead, "_is_in_memory", lambda stream, place: True)
    with reading_ahead(groups_of(tmp_path, groups=70), ahead=1):
        until(lambda: len(asked) >= read_ahead.ENOUGH)
        time.sleep(0.05)
    assert len(asked) == read_ahead.ENOUGH


def test_a_file_behind_whose_end_nothing_is_in_memory(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"1")
    with path.open("rb") as stream:
        assert not read_ahead._is_in_memory(stream.fileno(), 1)
        assert read_ahead._is_in_memory(stream.fileno(), 0) in (True, False)  # some file systems cannot tell
        monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
        assert not read_ahead._is_in_memory(stream.fileno(), 0)


def test_among_files_in_memory_those_on_the_disk_are_asked_for(tmp_path, asked, monkeypatch):
    groups = groups_of(tmp_path, groups=4, files=60)
    answers = iter([place % 60 != 7 for place in range(240)])
    monkeypatch.setattr(read_ahead, "_is_in_memory", lambda stream, place: next(answers))
    with reading_ahead(groups, ahead=1000):
        until(lambda: len(asked) == 240)
