"""What is in a tree: files, archives, links, and what cannot be listed."""

import os

from brain_cae.scans.tree import list_files
from tests.scans.sources.hospital import write_exam


def test_links_are_followed_once(tmp_path):
    write_exam(tmp_path / "scans", "1")
    (tmp_path / "scans" / "again").symlink_to(tmp_path / "scans")
    assert len(list_files(tmp_path / "scans")[0]) == 60


def test_what_cannot_be_listed_is_a_file_and_what_is_hidden_is_counted(tmp_path, monkeypatch):
    for name in ("a/1", ".old/2", "a/.3", "closed/4", "Thumbs.db", "labels.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "5").symlink_to(tmp_path / "gone")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files, closed, hidden = list_files(tmp_path, ["labels.csv"])
    assert [path.relative_to(tmp_path).as_posix() for path, *_ in files] == ["a/1", "a/5", "closed"]
    assert (closed, hidden) == ([], 2)
