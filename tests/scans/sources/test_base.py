"""Functions shared by all sources: which files are used, and texts of errors."""

from pathlib import Path

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.base import (
    check_folder,
    check_modalities,
    counted,
    describe,
    some,
    the_only,
    visible_files,
)


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
    assert counted({"files were odd": ["x", "y"], "files were lost": []}) == ["2 files were odd: x, y."]
