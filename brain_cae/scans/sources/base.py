"""What every source hands over: where one series lies and what is known about its subject."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.keys import OneOf
from brain_cae.vocabulary import CLASSES, MODALITIES, SKULL_STATES, LabelMeaning

# How data sets and people spell them, in small letters.
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

    ``files`` is empty when the source expected this modality and found nothing: the import reports it as missing.
    Where the files hold several series, ``chosen``, a file or a folder, says which one is meant.
    ``age`` (years) and ``sex`` (``M``, ``F`` or ``""``) win over what DICOM headers say. Masks may lie on any grid.
    ``acquisition`` holds columns of the index (ms, degrees, T) that are known from elsewhere: it fills what the images
    do not say, as NIfTI says nothing. ``left_out`` are further scans of this modality that the source passed over,
    each a path and the reason, for the report.
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


class Source(Protocol):
    """A layout on disk. ``locate`` raises DatasetError when the layout is not there.

    The arguments of its class are the keys of its option in ``conf/dataset``, but for those that the run gives:
    ``modalities``, and where the class takes them ``workers`` (processes), ``limit`` (subjects), ``progress`` (draw
    bars) and ``write`` (False: nothing may be written).

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
        """Say what a reader of the results must know, in whole sentences; empty when there is nothing to say."""
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
    """Give ``files`` of the only candidate for a modality; of several none, and each in ``left_out``."""
    if len(candidates) > 1:
        return {"left_out": tuple((files[0], "several candidates") for files in candidates)}
    return {"files": candidates[0]} if candidates else {}


def check_folder(folder: Path, *, problem: str, expected: str, advice: str) -> Path:
    """Return the folder; raises DatasetError that says what is there instead when it is absent."""
    if not folder.is_dir():
        raise DatasetError(problem, expected=expected, found=describe(folder), where=str(folder), advice=advice)
    return folder


def describe(path: Path) -> str:
    """Say in a few words what stands at a path, for the "found" line of an error."""
    if path.is_file():
        return "a file, not a folder"
    if path.is_dir():
        names = sorted(child.name for child in path.iterdir())
        return some(names) if names else "an empty folder"
    parent = path.parent
    return (
        f"nothing; the folder above holds: {describe(parent)}" if parent.is_dir() else "nothing; nor the folder above"
    )


def some(names: Sequence[str], count: int = 5) -> str:
    """List the first names of many, and say how many more there are."""
    shown = ", ".join(names[:count])
    return f"{shown} and {len(names) - count} more" if len(names) > count else shown or "none"


def counted(lists: Mapping[str, Sequence[str]]) -> list[str]:
    """Make one sentence of each list that holds something: how many, what of them, and the first names."""
    return [f"{len(names)} {text}: {some(names)}." for text, names in lists.items() if names]


def visible_files(folder: Path) -> tuple[Path, ...]:
    """List the files in a folder and all folders below it, in the order of their paths; empty if there is none.

    Hidden files and what operating systems leave behind (``Thumbs.db``, ``__MACOSX``) do not count. Links to folders
    are followed, each folder once.
    """
    found: list[Path] = []
    visited: set[str] = set()
    for top, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        folders[:] = [] if real in visited else sorted(name for name in folders if is_visible(name))
        if real not in visited:
            found += [path for name in files if is_visible(name) and (path := Path(top, name)).is_file()]
        visited.add(real)
    return tuple(sorted(found))


def is_visible(name: str) -> bool:
    """Say whether a file or folder of this name counts."""
    return not name.startswith(".") and name.lower() not in LITTER
