import os
from pathlib import Path

import pytest

from brain_cae.files.special import is_special


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_pipes_and_devices_are_special_and_files_and_folders_are_not(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    assert [is_special(tmp_path / name) for name in ("pipe", "link", "file", "broken", "gone", ".")] == [
        True, True, False, False, False, False
    ]  # fmt: skip
    assert is_special(Path(os.devnull)) and not is_special(tmp_path / "file" / "inside") and not is_special(Path("\0"))
