"""Zip files are read in place, within limits."""

import zipfile
from dataclasses import replace

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans import archives


def pack(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return path


def test_entries_are_files_with_a_path_through_the_archive(tmp_path):
    archive = pack(tmp_path / "Export.ZIP", {"a/IM1": b"one", "a/IM2": b"two", "a/b/": b"", "a/inner.zip": b"PK"})
    files, nested = archives.members(archive)
    assert files == [(archive / "a/IM1", 3), (archive / "a/IM2", 3)]
    assert nested == ["inner.zip"]
    assert archives.read_bytes(archive / "a/IM2") == b"two"
    assert archives.status(archive / "a/IM1").size == 3
    with archives.opened(archive / "a/IM1") as stream:
        assert stream.read(2) == b"on"
    with pytest.raises(FileNotFoundError):
        archives.read_bytes(archive / "a/IM3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Export.ZIP"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("again", ["a/IM1", "./a/IM1", "a//IM1"])
def test_a_name_stands_for_one_file(tmp_path, again):
    archive = pack(tmp_path / "twice.zip", [("a/IM1", b"one"), (again, b"one")])
    assert archives.members(archive) == ([(archive / "a/IM1", 3)], [])
    archive = pack(tmp_path / "other.zip", [("a/IM1", b"one"), (again, b"two")])
    with pytest.raises(DatasetError, match="files of different content under one name") as raised:
        archives.members(archive)
    assert "export the scans again" in str(raised.value) and "IM1" not in str(raised.value)


@pytest.mark.parametrize("name", ["./a/IM1", "a//IM1", "././a/./IM1"])
def test_an_entry_is_read_however_its_path_is_written(tmp_path, name):
    archive = pack(tmp_path / "x.zip", {name: b"one"})
    ((path, size),) = archives.members(archive)[0]
    assert (path, size) == (archive / "a/IM1", 3)
    assert archives.read_bytes(path) == b"one" and archives.read_start(path, 2) == (b"on", 3)
    assert archives.status(path).size == 3


def test_a_folder_may_be_named_like_an_archive(tmp_path):
    (tmp_path / "scans.zip").mkdir()
    (tmp_path / "scans.zip" / "IM1").write_bytes(b"one")
    assert not archives.is_archive(tmp_path / "scans.zip")
    assert archives.read_bytes(tmp_path / "scans.zip" / "IM1") == b"one"


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [("entries", 1, "2"), ("bytes", 1000, "unpacked"), ("entry_bytes", 1000, "entries of at most")],
)
def test_a_limit_refuses_the_archive(tmp_path, monkeypatch, limit, value, said):
    archive = pack(tmp_path / "x.zip", {"a": b"0" * 5000, "b": b"1"})
    monkeypatch.setattr(archives, "LIMITS", replace(archives.LIMITS, **{limit: value}))
    with pytest.raises(DatasetError, match="cannot be read in place") as raised:
        archives.members(archive)
    assert said in str(raised.value)


def test_a_bomb_is_refused_by_its_ratio(tmp_path):
    archive = pack(tmp_path / "x.zip", {"a": bytes(80 * 2**20)})
    assert archive.stat().st_size < 2**20
    with pytest.raises(DatasetError, match="200 times"):
        archives.members(archive)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_an_entry_that_leads_out_of_the_archive_is_refused(tmp_path, name):
    archive = pack(tmp_path / "x.zip", {name: b"x"})
    with pytest.raises(DatasetError, match="leads out of it"):
        archives.members(archive)


def test_damaged_archives_and_entries_are_named_reasons(tmp_path):
    archive = pack(tmp_path / "x.zip", {"a": b"content of a file " * 50}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(content)
    with pytest.raises(OSError, match="cannot be read"):
        archives.read_bytes(tmp_path / "flipped.zip" / "a")
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:100])
    with pytest.raises(DatasetError, match="damaged"):
        archives.members(tmp_path / "cut.zip")


def test_encrypted_entries_are_refused(tmp_path):
    archive = pack(tmp_path / "x.zip", {"a": b"x"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    archive.write_bytes(content)
    with pytest.raises(DatasetError, match="encrypted"):
        archives.members(archive)
