"""Keyed names: stable with one key, other with another; the key file is private and never beside results."""

import errno
import os
import stat
from pathlib import Path

import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.scans.pseudonym import Pseudonyms, default_key_file, read_key


def test_a_key_gives_each_patient_one_name():
    names = Pseudonyms(b"k" * 32)
    assert names.patient("12345") == Pseudonyms(b"k" * 32).patient(" 12345\r\n \0")
    assert names.patient("12345") != Pseudonyms(b"l" * 32).patient("12345")
    assert len({names.patient(str(number)) for number in range(20_000)}) == 20_000
    assert names.name("se", "12345")[3:] != names.patient("12345")[2:]  # a series with the same text is not linked
    # HMAC-SHA256 of "p\0" + identifier, computed with openssl.
    assert names.patient("12345").startswith("p-") and len(names.patient("12345")) == 14


def test_a_missing_key_is_created_for_its_owner_and_kept(tmp_path):
    path = tmp_path / "private" / "key"
    key, caution = read_key(path, create=True)
    assert caution == "" and len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]
    assert read_key(path, create=True) == (key, "")
    path.chmod(0o644)
    assert "chmod 600" in read_key(path, create=True)[1]


def test_a_file_system_without_links_has_a_key_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("os.link", refuse)
    key, _ = read_key(tmp_path / "key", create=True)
    assert read_key(tmp_path / "key", create=True)[0] == key
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_without_a_home_the_key_of_the_file_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/proc/none")
    with pytest.raises(ConfigurationError, match=r"no place for the key[\s\S]*dataset\.key_file=<file>"):
        read_key(default_key_file(), create=True)

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(ConfigurationError, match=r"a user without one[\s\S]*dataset\.key_file=<file>"):
        default_key_file()


def test_a_look_creates_no_key(tmp_path):
    key, caution = read_key(tmp_path / "key", create=False)
    assert "no key yet" in caution
    assert read_key(tmp_path / "key", create=False)[0] == key  # one look uses one key
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "secret", "abcd"])
def test_another_file_is_no_key(tmp_path, content):
    (tmp_path / "key").write_text(content)
    with pytest.raises(ConfigurationError, match="holds no key"):
        read_key(tmp_path / "key", create=True)
    assert (tmp_path / "key").read_text() == content


@pytest.mark.parametrize("place", ["run/key", "run/model/key", "outputs/key", "outputs/2026-01-01/10-00-00/key"])
def test_a_key_must_not_lie_in_a_folder_of_runs(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="must not lie in a folder of runs"):
        read_key(tmp_path / place, create=True)
    assert not (tmp_path / place).exists()
