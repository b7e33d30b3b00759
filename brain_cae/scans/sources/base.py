"""The interface of sources: the location of each series and what is known about its subject."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.names import encodable, printable
from brain_cae.keys import OneOf
from brain_cae.scans.formats import has_header, unread_format, without_copies
from brain_cae.vocabulary import CLASSES, MODALITIES, SKULL_STATES, LabelMeaning

# Names of the modalities in data sets, in lower case.
SPELLINGS = {
    "t1": "t1", "t1w": "t1", "t1n": "t1", "3dt1": "t1",
    "t2": "t2", "t2w": "t2",
    "flair": "flair", "t2f": "flair", "fl": "flair", "t2_flair": "flair", "t2-flair": "flair", "t2flair": "flair",
    "3dflair": "flair",
    "t1ce": "t1ce", "t1c": "t1ce", "t1gd": "t1ce", "t1wce": "t1ce", "ct1": "t1ce",
}  # fmt: skip
Label = Annotated[str, OneOf(CLASSES)]
Skull = Annotated[str, OneOf(SKULL_STATES, 'In YAML, write skull: "on" with quotes.')]
"""Keys that several sources have: what holds for every subject unless something else is said of it."""
LITTER = (
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "lost+found",
    ".ds_store", ".appledouble", ".localized", ".trashes", ".fseventsd", ".temporaryitems", ".cache", "@eadir",
    ".git", ".gitignore", ".gitattributes", ".gitmodules", ".datalad", ".bidsignore", ".heudiconv",
    ".ipynb_checkpoints", ".directory",
)  # fmt: skip
LITTER_STARTS = ("._", ".spotlight", ".documentrevisions", ".trash", ".nfs", ".~lock", "~$")
"""Names, in lower case, of what operating systems and other programs leave behind; it holds no scan."""


@dataclass(frozen=True)
class SeriesLocation:
    """One scan of one subject on disk.

    ``files`` is empty if the subject has no scan of this modality: the import reports it as missing. If the files hold
    several series, ``chosen``, a file or a folder, selects one. ``age`` (years) and ``sex`` (``M``, ``F`` or ``""``)
    win over the DICOM headers. ``date`` is when the session was, where a table says it: text that sorts in time. Masks
    may have any grid. ``acquisition`` holds columns of the index (ms, degrees, T) that are known from other files, for
    values that the image headers do not give; NIfTI gives none. ``left_out`` lists further scans of this modality that
    the source skipped, each with its path and the reason, for the report. ``aliases`` gives, for each file, the path
    that may be written where the real one may hold the name of a patient.
    ``candidates`` are the files of each scan that ``series.csv`` may select instead of ``files``. Bytes in ``subject``
    that are not UTF-8 are escaped, because every table is UTF-8.
    """

    subject: str
    modality: str
    files: tuple[Path, ...] = ()
    label: str = "unknown"
    session: str = ""
    date: str = ""
    source: str = ""
    site: str = ""
    age: float | None = None
    sex: str = ""
    brain_mask: Path | None = None
    lesion_mask: Path | None = None
    skull: str = "unknown"
    chosen: Path | None = None
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[tuple[Path, str], ...] = ()
    candidates: tuple[tuple[Path, ...], ...] = ()
    aliases: Mapping[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("subject", "session"):
            object.__setattr__(self, name, encodable(getattr(self, name)))

    def shown(self, path: Path) -> Path:
        """Return a file's path as reports may show it."""
        return Path(self.aliases.get(path, path))


class Source(Protocol):
    """A layout on disk. ``locate`` raises DatasetError if the data set does not have this layout.

    The arguments of its class are the keys of its option in ``conf/dataset``, but for those that the run gives:
    ``modalities``, and where the class takes them ``workers`` (processes), ``limit`` (subjects), ``progress`` (draw
    bars), ``write`` (False: nothing may be written) and ``cache`` (folder for what it wants to keep). A source of many
    series may have a method ``overview``: the lines of a table that ``inspect=true`` shows. One that writes its scans
    may have ``left_out``: how many subjects it did not write because of ``limit``.

    Attributes:
        name: Of the option, and the source of its subjects.
        layout: What is expected in ``root``, for messages; None where nothing has to be there.
        meaning: What its classes stand for; the audit reads it.
    """

    layout: ClassVar[str | None]
    name: str

    @property
    def meaning(self) -> LabelMeaning:
        """What ``healthy`` and ``abnormal`` stand for in this data set."""
        ...

    def locate(self) -> list[SeriesLocation]:
        """List every series of the data set, ordered by subject and modality."""
        ...

    def notes(self) -> list[str]:
        """Return cautions for readers of the results, in full sentences; empty if there are none."""
        ...


def check_modalities(modalities: Sequence[str], *, key: str = "dataset.modalities") -> tuple[str, ...]:
    """Return the modalities as a tuple; raises ConfigurationError for unknown names and repeats."""
    chosen = tuple(modalities)
    unknown = [name for name in chosen if name not in MODALITIES]
    if unknown or not chosen or len(set(chosen)) != len(chosen):
        raise ConfigurationError(
            "The list of modalities cannot be used.",
            expected=f"one or more of {', '.join(MODALITIES)}, each once",
            found=", ".join(map(str, chosen)) or "an empty list",
            where=key,
        )
    return chosen


def the_only(candidates: Sequence[tuple[Path, ...]]) -> dict[str, Any]:
    """Return ``files`` of the only candidate for a modality; several are ``left_out`` unless ``series.csv`` selects.

    ``t1.nii`` beside ``t1.nii.gz`` with the same content is one.
    """
    if len(candidates) > 1 and all(len(files) == 1 for files in candidates):
        candidates = [(path,) for path in without_copies([path for (path,) in candidates])]
    if len(candidates) > 1:
        left_out = tuple((files[0], "several candidates") for files in candidates)
        return {"left_out": left_out, "candidates": tuple(candidates)}
    return {"files": candidates[0]} if candidates else {}


def check_folder(folder: Path, *, problem: str, expected: str, advice: str) -> Path:
    """Return the folder; raises DatasetError if it cannot be read or does not exist, with what is there instead."""
    if not folder.is_dir():
        # Imported here because it knows all layouts, whose sources import this module.
        from brain_cae.scans.sources.roots import missing

        raise missing(folder, problem=problem, expected=expected, found=describe(folder), advice=advice)
    if not can_be_read(folder):
        raise DatasetError(
            "A folder cannot be read.",
            expected=expected,
            found=describe(folder),
            where=str(folder),
            advice="Check the permissions of the folder.",
        )
    return folder


def describe(path: Path) -> str:
    """Return a short description of what is at a path, for the "Found" line of an error."""
    if path.is_file():
        return "a file, not a folder"
    if path.is_dir() and not can_be_read(path):
        return "a folder that cannot be read"
    if path.is_dir():
        names = sorted(child.name for child in path.iterdir())
        return some(names) if names else "an empty folder"
    parent = path.parent
    return (
        f"nothing; the parent folder contains: {describe(parent)}"
        if parent.is_dir()
        else "nothing; the parent folder does not exist either"
    )


def some(names: Sequence[str], count: int = 5) -> str:
    """Return the first names, separated by commas, and the number of the others."""
    shown = ", ".join(printable(name) for name in names[:count])
    return f"{shown} and {len(names) - count} more" if len(names) > count else shown or "none"


def counted(lists: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one sentence for each list that is not empty: the number, the text and the first names.

    Words of the text that depend on the number are written as ``{subject has|subjects have}``.
    """
    return [f"{agreeing(len(names), text)}: {some(names)}." for text, names in lists.items() if names]


def agreeing(count: int, text: str) -> str:
    """Return the number and the text, with the words that agree with it.

    Example:
        >>> text = "{subject has|subjects have} no label"
        >>> agreeing(1, text), agreeing(2, text)
        ('1 subject has no label', '2 subjects have no label')
    """
    return f"{count} " + re.sub(r"\{([^{}|]*)\|([^{}|]*)\}", r"\1" if count == 1 else r"\2", text)


@dataclass(frozen=True)
class Listing:
    """What is in a folder and its subfolders, sorted by path.

    Attributes:
        files: Visible files; also broken links and folders that cannot be listed, so that nothing is taken for whole
            that lacks them: reading them fails.
        others: Hidden files and folders that are not known to hold no scans, and what is neither file nor folder.
    """

    files: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()


def listing(folder: Path) -> Listing:
    """Return what is in a folder and its subfolders; empty if the folder does not exist.

    Files of operating systems (``Thumbs.db``, ``__MACOSX``) are ignored. Links to folders are followed, each folder
    once.
    """
    files: list[Path] = []
    others: list[Path] = []
    visited: set[str] = set()
    waiting = [os.fspath(folder)]
    while waiting:
        top = waiting.pop()
        real = os.path.realpath(top)
        if real in visited:
            continue
        visited.add(real)
        try:
            with os.scandir(top) as found:
                entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            files.append(Path(error.filename))
            continue
        here = Path(top)
        for entry in entries:
            if not is_visible(entry.name):
                others += [] if is_litter(entry.name) else [here / entry.name]
            elif is_folder(entry):
                waiting.append(entry.path)
            else:
                (files if _is_file(entry) else others).append(here / entry.name)
    return Listing(tuple(sorted(files)), tuple(sorted(others)))


def visible_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of :func:`listing`."""
    return listing(folder).files


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether this is a folder or a link to one; False for what the operating system does not let us look at."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether this is a file, a broken link, or something that the operating system does not let us look at."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def is_broken(path: Path) -> bool:
    """Return whether this is a link to something that does not exist, as in a partly downloaded data set."""
    return path.is_symlink() and not path.exists()


def can_be_read(folder: Path) -> bool:
    """Return whether the operating system lets us list a folder."""
    try:
        with os.scandir(folder):
            return True
    except OSError:
        return False


def is_visible(name: str) -> bool:
    """Return whether a file or folder of this name is used: it is not hidden or left by another program."""
    return not name.startswith(".") and not is_litter(name)


def is_litter(name: str) -> bool:
    """Return whether a file or folder of this name is left by an operating system or a program and holds no scan."""
    return name.lower() in LITTER or name.lower().startswith(LITTER_STARTS)


def unused(paths: Iterable[Path], root: Path, text: str, *, shown: Callable[[str], str] = str) -> dict[str, list[str]]:
    """Return lists for :func:`counted` that name every path, but an image whose header stands for it.

    Other formats, broken links, hidden files and folders that cannot be read have lists of their own.

    Args:
        paths: Files and folders below the root that are not used.
        root: Folder that the names are relative to.
        text: What is said of the others.
        shown: Returns a path as notes may show it.
    """
    lists: dict[str, list[str]] = {CONVERT: [], UNREADABLE: [], BROKEN: [], HIDDEN: [], text: []}
    for path in sorted(path for path in set(paths) if not has_header(path)):
        if not is_visible(path.name):
            kind = HIDDEN
        elif is_broken(path):
            kind = BROKEN
        elif path.is_dir() and not can_be_read(path):
            kind = UNREADABLE
        else:
            kind = CONVERT if unread_format(path) else text
        lists[kind].append(shown(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)))
    return lists


CONVERT = "{file has|files have} a format that is not read; convert {it|them} to .nii.gz, or unpack {it|them}"
UNREADABLE = "{folder|folders} cannot be read and {is|are} left out; check the permissions"
BROKEN = "{link is|links are} broken; get the files"
HIDDEN = "hidden {file or folder is|files or folders are} not read"


def only_file(path: Path) -> Path:
    """Return the only file in a folder that is named like a file, as some programs export them; else the path."""
    files = visible_files(path) if path.is_dir() else ()
    return files[0] if len(files) == 1 else path
