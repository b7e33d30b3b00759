"""Names of files from names in data."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_cae.errors import ConfigurationError
from brain_cae.files.names import LONGEST, encodable, file_names, in_home, is_harmless, printable

HOSTILE = [
    "../../../outside", "/etc/passwd", "2019/123", "..", ".", "", " ", "a\0b", "a\nb", "\x1b[2J", ".hidden", "-rf",
    "end.", "end ", "CON", "con.nii", "LPT1", "a:b", "x*?", 'q"', "a|b", "a\\b", "\u202egpj", "\u200b", "\ud800",
    "p" * 250, "ü" * 120, "///", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("name", ["a", "sub-01", "Patient 1", "Müller", "患者", "a.b", "1", "p" * LONGEST])
def test_a_harmless_name_is_its_own_file(name):
    assert file_names([name]) == {name: name}


@pytest.mark.parametrize("name", HOSTILE)
def test_other_names_become_readable_and_different(name):
    (file,) = file_names([name]).values()
    assert file != name and is_harmless(file)
    assert file_names([name, "a"])[name] == file, "the others of the cohort matter only where names collide"


def test_the_letters_of_a_name_are_kept():
    assert file_names(["../../../outside"])["../../../outside"].startswith("outside-")
    assert file_names(["2019/123"])["2019/123"].startswith("2019-123-")
    assert file_names(["ü" * 120])["ü" * 120].startswith("ü" * 90)


def test_names_that_differ_in_case_or_unicode_form_alone_get_different_files():
    names = ["P1", "p1", "Müller", unicodedata.normalize("NFD", "Müller"), "q"]
    files = file_names(names)
    assert len({unicodedata.normalize("NFC", file).casefold() for file in files.values()}) == len(names)
    assert files["q"] == "q" and "P1" not in files.values() and "p1" not in files.values()


def test_a_name_that_looks_like_the_file_of_another_gets_another():
    taken = file_names(["a/b"])["a/b"]
    files = file_names(["a/b", taken])
    assert len(set(files.values())) == 2 and all(map(is_harmless, files.values()))


@given(st.lists(st.text(max_size=300), max_size=8, unique=True))
def test_every_cohort_has_harmless_and_different_files(names):
    files = file_names(names)
    assert list(files) == names and all(map(is_harmless, files.values()))
    assert len({unicodedata.normalize("NFD", file).casefold() for file in files.values()}) == len(names)


def test_nothing_raw_reaches_a_terminal():
    assert printable("a\x1b[31m\u202eb\r\nc\x9b\udcfc") == "a\\x1b[31m\\u202eb\\r\\nc\\x9b\\udcfc"
    assert printable("one\n\ttwo ü\x07", lines=True) == "one\n\ttwo ü\\x07"


def test_bytes_that_are_not_utf8_can_be_written():
    assert encodable("M\udcfcller") == "M\\udcfcller" and encodable("Müller\r") == "Müller\\r"


def test_a_user_without_a_home_folder_is_told_to_write_paths_in_full(monkeypatch):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    assert in_home("/scans/~/x") == "/scans/~/x"
    with pytest.raises(ConfigurationError, match="in full"):
        in_home("~")
