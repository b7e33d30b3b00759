"""The interface of sources: the location of each series and what is known about its subject."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from brain_cae.errors import ConfigurationError
from brain_cae.files.names import encodable, printable
from brain_cae.keys import OneOf
from brain_cae.vocabulary import CLASSES, MODALITIES, SKULL_STATES, LabelMeaning

# Names of the modalities in data sets, in lower case.
SPELLINGS = {
    "t1": "t1", "t1w": "t1", "t1n": "t1",
    "t2": "t2", "t2w": "t2",
    "flair": "flair", "t2f": "flair", "fl": "flair",
    "t1ce": "t1ce", "t1c": "t1ce", "t1gd": "t1ce", "t1wce": "t1ce",
}  # fmt: skip
Label = Annotated[str, OneOf(CLASSES)]
Skull = Annotated[str, OneOf(SKULL_STATES, 'In YAML, write skull: "on" with quotes.')]
"""Keys that several sources have: what holds for every subject unless something else is said of it."""
LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information")


@dataclass(frozen=True)
class SeriesLocation:
    """One scan of one subject on disk.

    ``files`` is empty if the subject has no scan of this modality: the import reports it as missing. If the files hold
    several series, ``chosen``, a file or a folder, selects one. ``age`` (years) and ``sex`` (``M``, ``F`` or ``""``)
    win over the DICOM headers. Masks may have any grid. ``acquisition`` holds columns of the index (ms, degrees, T)
    that are known from other files, for values that the image headers do not give; NIfTI gives none. ``left_out`` lists
    further scans of this modality that the source skipped, each with its path and the reason, for the report.
    ``aliases`` gives, for each file, the path that may be written where the real one may hold the name of a patient.
    ``candidates`` are the files of each scan that ``series.csv`` may select instead of ``files``. Bytes in ``subject``
    that are not UTF-8 are escaped, because every table is UTF-8.
    """

    subject: str
    modality: str
    files: tuple[Path, ...] = ()
    label: str = "unknown"
    session: str = ""
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
    series may have a method ``overview``: the lines of a table that ``inspect=true`` shows.

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
    """Return ``files`` of the only candidate for a modality; several are ``left_out`` unless ``series.csv`` selects."""
    if len(candidates) > 1:
        left_out = tuple((files[0], "several candidates") for files in candidates)
        return {"left_out": left_out, "candidates": tuple(candidates)}
    return {"files": candidates[0]} if candidates else {}


def check_folder(folder: Path, *, problem: str, expected: str, advice: str) -> Path:
    """Return the folder; raises DatasetError if it does not exist, with what is there instead."""
    if not folder.is_dir():
        # Imported here because it knows all layouts, whose sources import this module.
        from brain_cae.scans.sources.roots import missing

        raise missing(folder, problem=problem, expected=expected, found=describe(folder), advice=advice)
    return folder


def describe(path: Path) -> str:
    """Return a short description of what is at a path, for the "Found" line of an error."""
    if path.is_file():
        return "a file, not a folder"
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
    """Return one sentence for each list that is not empty: the number, the text and the first names."""
    return [f"{len(names)} {text}: {some(names)}." for text, names in lists.items() if names]


def visible_files(folder: Path) -> tuple[Path, ...]:
    """Return the files in a folder and its subfolders, sorted by path; empty if the folder does not exist.

    Hidden files and files of operating systems (``Thumbs.db``, ``__MACOSX``) are ignored. Links to folders are
    followed, each folder once.
    """
    paths: list[Path] = []
    visited: set[str] = set()
    for top, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        folders[:] = [] if real in visited else sorted(name for name in folders if is_visible(name))
        if real not in visited:
            paths += [path for name in files if is_visible(name) and (path := Path(top, name)).is_file()]
        visited.add(real)
    return tuple(sorted(paths))


def is_visible(name: str) -> bool:
    """Return whether a file or folder of this name is used: it is not hidden or left by an operating system."""
    return not name.startswith(".") and name.lower() not in LITTER
