"""Functions shared by all sources: which files are used, and texts of errors."""

import gzip
import os
from pathlib import Path

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.base import (
    check_folder,
    check_modalities,
    counted,
    describe,
    listing,
    only_file,
    some,
    the_only,
    unused,
    visible_files,
)

from .layouts import lock, touch


def test_files_are_listed_at_any_depth_without_system_files(tmp_path):
    wanted = ["IM1", "disc/IM2", "disc/deep/er/IM3", "DICOMDIR"]
    litter = ["Thumbs.db", "disc/desktop.ini", ".DS_Store", "disc/.hidden/IM4", "__MACOSX/IM1", "disc/._IM2"]
    for name in (*wanted, *litter):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "disc" / "round").symlink_to(tmp_path, target_is_directory=True)
    assert [path.relative_to(tmp_path).as_posix() for path in visible_files(tmp_path)] == sorted(wanted)
    assert visible_files(tmp_path / "absent") == ()


@pytest.mark.parametrize("names", [[], ["t1", "pd"], ["t1", "t1"]])
def test_modalities_must_be_known_and_unique(names):
    assert check_modalities(["flair", "t1"]) == ("flair", "t1")
    with pytest.raises(ConfigurationError, match=r"where\.it\.is"):
        check_modalities(names, key="where.it.is")


def test_of_several_candidates_none_is_used_and_all_are_listed():
    a, b = (Path("a.nii"),), (Path("b.nii"), Path("c.nii"))
    assert the_only([a]) == {"files": a}
    assert the_only([]) == {}
    left_out = ((a[0], "several candidates"), (b[0], "several candidates"))
    assert the_only([a, b]) == {"left_out": left_out, "candidates": (a, b)}


def test_a_missing_folder_is_refused_with_what_is_there_instead(tmp_path):
    (tmp_path / "file").touch()
    assert describe(tmp_path / "file") == "a file, not a folder"
    assert describe(tmp_path) == "file"
    assert describe(tmp_path / "none") == "nothing; the parent folder contains: file"
    assert describe(tmp_path / "none" / "deep") == "nothing; the parent folder does not exist either"
    with pytest.raises(DatasetError, match="the parent folder contains: file"):
        check_folder(tmp_path / "none", problem="There is no root.", expected="a folder", advice="Give one.")


def test_long_lists_are_cut_and_counted():
    assert some(["a", "b"]) == "a, b"
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert some([]) == "none"
    lists = {"{file was|files were} odd": ["x", "y"], "files were lost": []}
    assert counted(lists) == ["2 files were odd: x, y."]
    assert counted({text: names[:1] for text, names in lists.items()}) == ["1 file was odd: x."]


def test_what_cannot_be_read_is_listed_and_unknown_hidden_files_are_named(tmp_path, monkeypatch):
    touch(tmp_path, "IM1", "locked/IM2", ".t1/IM3", "disc/.IM4", ".cache/IM5", "disc/.AppleDouble/IM6")
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    lock(monkeypatch, tmp_path / "locked")
    found = listing(tmp_path)
    assert [path.name for path in found.files] == ["IM1", "broken", "locked", "loop"]
    assert [path.relative_to(tmp_path).as_posix() for path in found.others] == [".t1", "disc/.IM4"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_what_is_neither_file_nor_folder_is_named(tmp_path):
    touch(tmp_path, "IM1")
    os.mkfifo(tmp_path / "pipe")
    found = listing(tmp_path)
    assert [path.name for path in found.files] == ["IM1"] and [path.name for path in found.others] == ["pipe"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    lock(monkeypatch, tmp_path)
    with pytest.raises(DatasetError, match="a folder that cannot be read"):
        check_folder(tmp_path, problem="There is no root.", expected="a folder", advice="Give one.")


def test_unused_files_are_sorted_by_what_to_do(tmp_path, monkeypatch):
    touch(tmp_path, "a.zip", "b.mgz", "locked/x", ".c", "d.txt", "e.hdr", "e.img", "f.img")
    lock(monkeypatch, tmp_path / "locked")
    assert counted(unused(tmp_path.iterdir(), tmp_path, "{file is|files are} odd")) == [
        "2 files have a format that is not read; convert them to .nii.gz, or unpack them: a.zip, b.mgz.",
        "1 folder cannot be read and is left out; check the permissions: locked.",
        "1 hidden file or folder is not read: .c.",
        "3 files are odd: d.txt, e.hdr, f.img.",
    ]


def test_a_folder_named_like_a_file_stands_for_the_only_file_in_it(tmp_path):
    touch(tmp_path, "t1.nii/image.nii", "t2.nii/a.nii", "t2.nii/b.nii")
    assert only_file(tmp_path / "t1.nii") == tmp_path / "t1.nii" / "image.nii"
    assert only_file(tmp_path / "t2.nii") == tmp_path / "t2.nii"


def test_a_scan_beside_its_archive_is_one_candidate(tmp_path):
    """``gunzip --keep`` leaves both."""
    plain, packed = tmp_path / "t1.nii", tmp_path / "t1.nii.gz"
    plain.write_bytes(b"voxels")
    packed.write_bytes(gzip.compress(b"voxels"))
    assert the_only([(plain,), (packed,)]) == {"files": (plain,)}
    packed.write_bytes(gzip.compress(b"others"))
    assert "files" not in the_only([(plain,), (packed,)])
