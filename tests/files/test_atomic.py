import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brain_cae.errors import StorageError
from brain_cae.files import atomic
from brain_cae.files.atomic import remove_leftovers, whole, write_bytes, write_pieces, write_text

ROOT = Path(__file__).parents[2]
HALF = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from brain_cae.files.atomic import whole
with whole(Path(sys.argv[1])) as aside:
    aside.write_text("half of the new")
    print("half", flush=True)
    time.sleep(60)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kill_halfway(target):
    command = [sys.executable, "-c", HALF, str(target), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=target.parent, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "half\n"
        writer.kill()


def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    kill_halfway(target)
    assert target.read_text() == "old"
    left = [path for path in tmp_path.iterdir() if path != target]
    assert [path.read_text() for path in left] == ["half of the new"]
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["table.csv"]


def test_leftovers_that_are_young_may_have_a_writer_and_stay(tmp_path):
    with whole(tmp_path / "old.nii") as old, whole(tmp_path / "young.nii") as young:
        for path in (old, young):
            path.write_bytes(b"half")
        os.utime(old, (time.time() - 7200,) * 2)
        remove_leftovers(tmp_path, age_s=3600)
        assert names(tmp_path) == [young.name]
        old.write_bytes(b"whole after all")
    assert names(tmp_path) == ["old.nii", "young.nii"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_leftovers_of_another_user_stay(tmp_path, monkeypatch, code):
    (tmp_path / ".a.part-00000000.nii").touch()

    def refuse(path, **_):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".a.part-00000000.nii"]


def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    target = write_text(tmp_path / "table.csv", "old")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), whole(target) as aside:
            aside.write_text("half")
            raise error
        with pytest.raises(error), whole(tmp_path / "other.csv"):
            raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_a_folder_appears_with_all_its_files_or_not_at_all(tmp_path):
    with pytest.raises(ValueError), whole(tmp_path / "checkpoints") as aside:
        (aside / "deep").mkdir(parents=True)
        (aside / "deep" / "best.ckpt").write_text("half")
        raise ValueError
    assert names(tmp_path) == []
    with whole(tmp_path / "checkpoints") as aside:
        aside.mkdir()
        (aside / "best.ckpt").write_text("best")
        assert not (tmp_path / "checkpoints").exists()
    assert names(tmp_path) == ["checkpoints"]
    assert names(tmp_path / "checkpoints") == ["best.ckpt"]


def test_leftover_folders_go_with_what_is_in_them(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "00001") as aside:
        (aside / "FLAIR").mkdir(parents=True)
        remove_leftovers(tmp_path)
        assert names(tmp_path) == []
    remove_leftovers(tmp_path / "no such folder")


@pytest.mark.parametrize("name", ["scan.nii.gz", "sub.01_mask.nii.gz", "arrays.npz"])
def test_writers_that_look_at_the_suffix_see_the_right_one(tmp_path, name):
    target = tmp_path / "deep" / name
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    with whole(target) as aside:
        assert aside.parent == target.parent and aside.name.startswith(".")
        if name.endswith(".npz"):
            np.savez(aside, values=values)
        else:
            nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), aside)
    assert names(target.parent) == [name]
    if name.endswith(".npz"):
        assert np.array_equal(np.load(target)["values"], values)
    else:
        assert target.read_bytes()[:2] == b"\x1f\x8b"  # gzip
        assert np.array_equal(np.asarray(nibabel.load(target).dataobj), values)


def test_content_larger_than_a_piece_is_written_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "PIECE_BYTES", 3)
    array = np.arange(5, dtype=np.int16)
    with (tmp_path / "array").open("wb") as stream:
        write_pieces(stream, array.data)
    assert (tmp_path / "array").read_bytes() == array.tobytes()
    assert write_bytes(tmp_path / "empty", b"").read_bytes() == b""
    assert write_bytes(tmp_path / "bytes", b"7 bytes").read_bytes() == b"7 bytes"


def test_a_full_disk_names_the_file_that_was_meant(tmp_path):
    with pytest.raises(StorageError, match="no room") as caught, whole(tmp_path / "maps.nii.gz") as aside:
        aside.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(aside))
    assert caught.value.where == str(tmp_path / "maps.nii.gz")
    assert names(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with whole(tmp_path / "summary.csv") as first, whole(tmp_path / "summary.csv") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "summary.csv").read_text() == "first"  # the outer one ends last
    assert names(tmp_path) == ["summary.csv"]


def test_text_keeps_its_line_ends_and_what_cannot_be_encoded_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "deep" / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800")
    assert path.read_text() == "old"
    assert write_text(path, "ä\r\nb\n").read_bytes() == b"\xc3\xa4\r\nb\n"
    assert write_bytes(path, b"\x00\n").read_bytes() == b"\x00\n"
    assert names(path.parent) == ["page.html"]


def test_a_folder_that_another_process_completes_first_stays(tmp_path):
    with whole(tmp_path / "subject") as slower:
        slower.mkdir()
        (slower / "volume.npy").write_text("the same")
        with whole(tmp_path / "subject") as faster:
            faster.mkdir()
            (faster / "volume.npy").write_text("the same")
    assert names(tmp_path) == ["subject"]
    assert names(tmp_path / "subject") == ["volume.npy"]
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StorageError, match="stands where a folder"), whole(tmp_path / "file") as aside:
        aside.mkdir()
