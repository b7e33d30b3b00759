"""Pseudonyms of patients, studies, series and places: a keyed hash (HMAC-SHA256), the same in every run with one key.

Without the key nobody can tell whether a pseudonym belongs to a patient whose number he knows: a plain hash of a number
of a few digits is found by trying them all. The key stays with the user, outside of the folders of runs.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf.errors import OmegaConfBaseException

from brain_cae.errors import ConfigurationError
from brain_cae.files.system_errors import writing

KEY_BYTES = 32
LENGTHS = {"p": 12, "study": 12, "se": 12, "uid": 12, "x": 6, "file": 16}
"""Hexadecimal digits by kind: patient, study, series, its identifier alone, part of a path, path in the cache."""


@dataclass(frozen=True)
class Pseudonyms:
    """Gives names with one key."""

    key: bytes

    def name(self, kind: str, *texts: str) -> str:
        """Return the pseudonym of a kind, a key of ``LENGTHS``, for one or several texts: ``p-3f9a1c0b77de``."""
        return f"{kind}-{self.digest(kind, *texts)[: LENGTHS[kind]]}"

    def digest(self, kind: str, *texts: str) -> str:
        """Return the whole keyed hash (64 hexadecimal digits)."""
        return _digest(self.key, "\0".join((kind, *texts)))

    def patient(self, identifier: str) -> str:
        """Return the name of a subject from the PatientID as in the header or in a table, without outer white space."""
        return self.name("p", identifier.strip(" \0\t\r\n"))


@lru_cache(maxsize=65536)
def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def default_key_file() -> Path:
    """Return ``~/.config/brain_cae/key``, or the same below ``XDG_CONFIG_HOME``."""
    try:
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "brain_cae" / "key"
    except RuntimeError as error:  # as in a container that runs as another user ID
        raise _no_place("a user without one", "HOME") from error


def read_key(path: Path, *, create: bool) -> tuple[bytes, str]:
    """Return the key of a file and a caution, ``""`` if there is none.

    A missing file is created, readable by its owner only. Without ``create`` the key of a missing file is made up for
    this process, and the caution says so.

    Raises:
        ConfigurationError: The file lies in the folder of a run, or does not hold a key.
        StorageError: The file cannot be read or created.
    """
    path = path.expanduser().absolute()
    _refuse_run_folder(path)
    with writing(path):
        if not path.exists():
            if not create:
                return _made_up(), (
                    "There is no key yet: the names of subjects and series are made up for this look. "
                    "A run, or dataset.write_series=series.csv, writes the key, and then they stay the same."
                )
            try:
                _create(path)
            except (FileNotFoundError, PermissionError) as error:
                raise _no_place(str(error.strerror), str(path)) from error
        content = path.read_bytes().strip()
        exposed = os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077  # Windows has other rights
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES // 2:
        raise ConfigurationError(
            "This file holds no key.",
            expected=f"{2 * KEY_BYTES} hexadecimal digits, as the program writes them",
            found=f"{len(content)} other characters" if content else "an empty file",
            where=str(path),
            advice="Name the right file, or one that does not exist: dataset.key_file=…; it is then created.",
        )
    caution = "Other users of this machine can read the file of the key: `chmod 600` closes it." if exposed else ""
    return key, caution


def _no_place(found: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        "There is no place for the key of the pseudonyms.",
        expected="a home folder that can be written, or dataset.key_file",
        found=found,
        where=where,
        advice="Name a file that you keep, outside of the folders of runs: dataset.key_file=<file>.",
    )


@cache
def _made_up() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Of two runs that start together, the first creates the key and the other reads it.
    temporary = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{secrets.token_hex(KEY_BYTES)}\n")
        try:
            os.link(temporary, path)
        except OSError:  # it exists, or the file system has no links (FAT, some of networks)
            if not path.exists():
                temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_run_folder(path: Path) -> None:
    """Refuse a key in a folder that is passed on with the results: whoever has both can undo the pseudonyms."""
    for folder in (path.parent, path.resolve().parent):
        for place in (folder, *folder.parents):
            if (place / ".hydra").is_dir() or (place / "status.json").is_file() or place in _folders_of_runs():
                raise ConfigurationError(
                    "The key must not lie in a folder of runs: with the results it would be passed on.",
                    expected="a file outside of the folders of runs",
                    found=str(place),
                    where=str(path),
                    advice="Leave dataset.key_file out (~/.config/brain_cae/key), or name a file in another folder.",
                )


def _folders_of_runs() -> set[Path]:
    """Return the usual folders of runs, and those of the current command."""
    folders = {Path("outputs"), Path("multirun")}
    if HydraConfig.initialized():
        hydra: Any = HydraConfig.get()
        for group, key in (("run", "dir"), ("sweep", "dir"), ("runtime", "output_dir")):
            with contextlib.suppress(OmegaConfBaseException):
                folders.add(Path(hydra[group][key]))
    return {folder.absolute() for folder in folders}
