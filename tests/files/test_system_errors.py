import errno

import pytest

from brain_cae.errors import StorageError
from brain_cae.files.system_errors import explain, where_allowed, writing


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (errno.ENOSPC, "no room"),
        (errno.EROFS, "may not be used"),
        (errno.ENOLCK, "cannot lock files"),
        (errno.ENOTDIR, "stands where a folder is needed"),
        (errno.ESTALE, "The disk or the network"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_what_to_do(tmp_path, code, problem):
    with pytest.raises(StorageError, match=problem) as raised, writing(tmp_path / "map.nii.gz"):
        raise OSError(code, "as the system says it")
    assert raised.value.where == str(tmp_path / "map.nii.gz")
    assert raised.value.advice


def test_what_may_be_left_undone_is_left_undone_without_permission_alone(tmp_path):
    with where_allowed(), writing(tmp_path):
        raise OSError(errno.EROFS, "read-only")
    with pytest.raises(StorageError, match="no room"), where_allowed(), writing(tmp_path):
        raise OSError(errno.ENOSPC, "full")


def test_an_error_that_the_user_cannot_fix_is_not_changed(tmp_path):
    assert explain(OSError(errno.EDEADLK, "a deadlock")) is None
    with pytest.raises(OSError, match="a deadlock"), writing(tmp_path):
        raise OSError(errno.EDEADLK, "a deadlock")


def test_a_file_named_by_the_system_is_named_in_the_message():
    refusal = explain(PermissionError(errno.EACCES, "denied", "/scans/flair.nii.gz"))
    assert refusal is not None and refusal.where == "/scans/flair.nii.gz"


def test_what_is_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "cache").symlink_to(tmp_path / "scratch" / "cache")
    for name, found in (("file", "a file"), ("cache", f"a link to {tmp_path}/scratch/cache, which is not there")):
        target = tmp_path / name / "imported" / ".lock"
        with pytest.raises(StorageError, match="stands where a folder") as raised, writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        assert (raised.value.where, raised.value.found) == (str(tmp_path / name), found)


def test_a_folder_in_the_way_of_a_file_is_called_so(tmp_path):
    with pytest.raises(StorageError, match="A folder stands where a file is needed"), writing(tmp_path):
        tmp_path.write_text("")
