import errno

import pytest

from brain_cae.errors import StorageError
from brain_cae.files.system_errors import explain, writing


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (errno.ENOSPC, "no room"),
        (errno.EROFS, "may not be used"),
        (errno.ENOTDIR, "stands where a folder is needed"),
        (errno.ESTALE, "The disk or the network"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_what_to_do(tmp_path, code, problem):
    with pytest.raises(StorageError, match=problem) as raised, writing(tmp_path / "map.nii.gz"):
        raise OSError(code, "as the system says it")
    assert raised.value.where == str(tmp_path / "map.nii.gz")
    assert raised.value.advice


def test_an_error_that_the_user_cannot_fix_is_not_changed(tmp_path):
    assert explain(OSError(errno.EDEADLK, "a deadlock")) is None
    with pytest.raises(OSError, match="a deadlock"), writing(tmp_path):
        raise OSError(errno.EDEADLK, "a deadlock")


def test_a_file_named_by_the_system_is_named_in_the_message():
    refusal = explain(PermissionError(errno.EACCES, "denied", "/scans/flair.nii.gz"))
    assert refusal is not None and refusal.where == "/scans/flair.nii.gz"
