"""Names from data as names of files, and as text on a terminal: a table or a folder may call a subject anything."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

from brain_cae.errors import ConfigurationError

LONGEST = 200
"""Bytes of a name in UTF-8. Most file systems allow 255; what is added, also to a temporary file, is below 55."""
DIGITS = 8
FORBIDDEN = '<>:"/\\|?*'
# Windows opens devices under these names, whatever ending follows.
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)
# Controls, halves of surrogate pairs (bytes that are not UTF-8), line separators; and what turns the direction of text.
UNSEEN = ("Cc", "Cs", "Zl", "Zp")
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return what each name is called in names of files: a file's stem, different for each name on every file system.

    A harmless name stays as it is. Others keep their letters and digits, followed by a short hash of the name: those
    with separators of folders, controls or characters that Windows refuses, with a leading dot or hyphen, with more
    than ``LONGEST`` bytes, and those of which several differ only in case or in their Unicode form.
    """
    digits = {name: 0 if is_harmless(name) else DIGITS for name in names}
    while True:
        files = {name: _hashed(name, count) if count else name for name, count in digits.items()}
        same: dict[str, list[str]] = {}
        for name, file in files.items():
            same.setdefault(unicodedata.normalize("NFD", file).casefold(), []).append(name)
        if len(same) == len(files):
            return files
        for group in same.values():
            if len(group) > 1:
                digits.update({name: digits[name] + DIGITS for name in group})


def is_harmless(name: str) -> bool:
    """Return whether a name can be part of a file's name as it is, on every file system."""
    return bool(
        name
        and name == name.strip()
        and not name.startswith((".", "-"))
        and not name.endswith(".")
        and not any(char in FORBIDDEN or unicodedata.category(char) in (*UNSEEN, "Cf", "Co", "Cn") for char in name)
        and not RESERVED.fullmatch(name)
        and len(name.encode()) <= LONGEST
    )


def _hashed(name: str, digits: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
    kept = "-_" if RESERVED.fullmatch(name) else "-_."
    text = "".join(char if char in kept or unicodedata.category(char)[0] in "LNM" else "-" for char in name)
    cut = re.sub("-{2,}", "-", text).strip("-_.").encode()[: LONGEST - digits - 1].decode(errors="ignore")
    return f"{cut.rstrip('-_.') or 'name'}-{digest}"


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return text in which no character moves the cursor, rings a bell or turns the direction: ``\x1b`` in its place.

    Args:
        text: Text with names from data.
        lines: Keep line breaks and tabs, for messages of several lines.
    """
    kept: Collection[str] = "\n\t" if lines else ""
    return "".join(
        char.encode("unicode_escape").decode()
        if char not in kept and (char in TURNING or unicodedata.category(char) in UNSEEN)
        else char
        for char in text
    )


def encodable(text: str) -> str:
    r"""Return text that a table in UTF-8 can hold: other bytes of a file's name become ``\udcfc``.

    Carriage returns become ``\r``: the writers of tables do not quote them, and readers take them for ends of lines.
    """
    return text.encode("utf-8", "backslashreplace").decode().replace("\r", r"\r")


def in_home(path: str) -> str:
    """Return a path with the home folder in place of a leading ``~/``; any other text is unchanged.

    Raises:
        ConfigurationError: The user has no home folder.

    Example:
        >>> in_home("~/scans") == f"{Path.home()}/scans", in_home("~scans")
        (True, '~scans')
    """
    if not f"{path}/".startswith("~/"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise ConfigurationError(
            "This user has no home folder.", where=path, advice="Set HOME, or write the path in full."
        ) from error
