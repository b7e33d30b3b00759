"""Matches the subjects of a table, or of files beside the scans, with those on disk, although programs change names."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.files.names import printable
from brain_cae.scans.sources.base import some

SHOWN = 10
ALIKE = "Write each name alike in both."
TAKEN_FOR_NUMBERS = (
    "A spreadsheet program took names for numbers or dates: format the column as text, then enter them again."
)
# What spreadsheet programs make of names: numbers with an exponent, dates, errors.
NUMBER = re.compile(r"\d(?:[.,]\d+)?E[+-]?\d+", re.IGNORECASE)
DAMAGE = (
    NUMBER,
    re.compile(r"\d{4}-\d\d?-\d\d?(?:[ T]00:00(?::00)?)?"),
    re.compile(r"\d\d?[./]\d\d?[./](?:\d\d){0,2}"),
    re.compile(r"\d\d?[-. ](?!\d)[^\W\d_]{3,4}\.?(?:[-. ](?:\d\d){1,2})?"),
    re.compile(r"[^\W\d_]{3,4}\.?[- ](?:\d\d){1,2}"),
    re.compile(r"#(?:NAME\?|REF!|VALUE!|N/A|NUM!|NULL!|DIV/0!|#+)"),
)


TIMES = 7
"""A person is seldom scanned as often."""
# The last part of a name, and one that is a year or a date.
LAST_PART = re.compile(r"(.*[^ _.-])[ _.-]+([^ _.-]+)")
DATE = re.compile(r"(?:19|20)\d\d(?:\d{4})?")
SESSION = re.compile(
    r"(?:(?:ses(?:sion)?|visits?|weeks?|months?|years?|days?|time[-_ ]?points?|tp|scans?)[-_ ]?\d[\d_\-. ]*"
    r"|(?:baseline|bl|pre[-_ ]?op|post[-_ ]?op|follow[-_ ]?up|fu|initial|recurrence)[-_ ]?\d*"
    r"|(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?!\d).*)",
    re.IGNORECASE,
)
"""What a folder is called that holds one of the sessions of a person."""
SESSIONS = 30
"""More folders called so, such as ``scan_001`` to ``scan_120``, or by the day of the scan, are a cohort."""


def _text(name: str) -> str:
    """Return a name without what is not seen: Unicode form, case, invisible characters, kind of separator."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cf"))
    return re.sub(r"[\s_\-\u2010-\u2015\u2212]+", "-", seen).strip("-")


def _number(name: str) -> str:
    """Return a name as a spreadsheet program keeps it: no leading zeros, no ``.0`` at the end; and without ``sub-``."""
    text = re.sub(r"^sub(?:-|(?=\d))(?=.)", "", _text(name))
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", re.sub(r"^(\d+)[.,]0+$", r"\1", text))


def _joined(name: str) -> str:
    """Return a name without separators, as BIDS asks; between digits they stay: ``1-23`` is not ``12-3``."""
    return re.sub(r"(?<!\d)-|-(?!\d)", "", _number(name))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


FORMS: tuple[Callable[[str], str], ...] = (str, _composed, _text, _number, _joined)
"""Forms in which two names may be the same, the strictest first."""


@dataclass(frozen=True)
class Matches:
    """Names of a table or of files (keys of ``subjects``), each with the subject on disk that it stands for.

    Attributes:
        subjects: Subject on disk by name.
        names: Names without a subject on disk.
        rest: Subjects on disk without a name.
        unclear: Names and subjects that could be the same, where there are several on either side.
    """

    subjects: Mapping[str, str]
    names: tuple[str, ...]
    rest: tuple[str, ...]
    unclear: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    @property
    def changed(self) -> list[str]:
        """What was matched although it is written in another way, for the notes."""
        return [
            f"{name} for {subject}" + (" (another Unicode form)" if _composed(name) == _composed(subject) else "")
            for name, subject in self.subjects.items()
            if name != subject
        ]

    def of(self, values: Mapping[str, object]) -> dict:
        """Return values that are known by name by subject on disk."""
        return {subject: values[name] for name, subject in self.subjects.items() if name in values}

    def written(self, shown: Callable[[str], str]) -> "Matches":
        """Return the matches with all names as they may be written; nothing can be looked up in these."""

        def each(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(map(shown, names))

        return Matches(
            {shown(name): shown(subject) for name, subject in self.subjects.items()},
            each(self.names),
            each(self.rest),
            tuple((each(ours), each(theirs)) for ours, theirs in self.unclear),
        )


def match(names: Iterable[str], subjects: Iterable[str]) -> Matches:
    """Match names with subjects on disk: the same text first, then :data:`FORMS` in which only one of each is the same.

    Forms ignore the Unicode form, case, kinds of separators, leading zeros, a ``.0`` at the end and ``sub-``.
    """
    left, right = list(dict.fromkeys(names)), list(dict.fromkeys(subjects))
    found: dict[str, str] = {}
    unclear = []
    for form in FORMS:
        same: dict[str, tuple[list[str], list[str]]] = {}
        for side, members in enumerate((left, right)):
            for name in members:
                same.setdefault(form(name), ([], []))[side].append(name)
        pairs = [(ours, theirs) for key, (ours, theirs) in same.items() if key and ours and theirs]
        found |= {ours[0]: theirs[0] for ours, theirs in pairs if len(ours) == len(theirs) == 1}
        # What is unclear now stays so: a looser form cannot tell more.
        now = [(tuple(ours), tuple(theirs)) for ours, theirs in pairs if len(ours) + len(theirs) > 2]
        unclear += now
        gone = {name for ours, _ in now for name in ours} | set(found)
        taken = {name for _, theirs in now for name in theirs} | set(found.values())
        left = [name for name in left if name not in gone]
        right = [name for name in right if name not in taken]
    open_names = [name for ours, _ in unclear for name in ours]
    open_subjects = [name for _, theirs in unclear for name in theirs]
    return Matches(found, tuple(sorted(left + open_names)), tuple(sorted(right + open_subjects)), tuple(unclear))


def match_all(
    names: Iterable[str],
    subjects: Iterable[str],
    *,
    place: Path,
    what: str,
    advice: str,
    lines: Mapping[str, int] | None = None,
    without_scan: Iterable[str] = (),
    shown: Callable[[str], str] = str,
) -> Matches:
    """Match names that decide what a subject is, such as those with a label; do not go on with half of them.

    Args:
        names: Names in the table.
        subjects: Subjects with scans.
        place: The table.
        what: What its names are, for messages: ``labels``.
        advice: What to do about names without a subject where there are subjects without a name.
        lines: Lines of the names in the table.
        without_scan: Subjects on disk without a scan: a name of one of these is not lost.
        shown: Returns a name as messages may show it.

    Returns:
        The matches among the subjects with scans. Either all names have a subject, or all subjects have a name.

    Raises:
        DatasetError: Names could stand for several subjects, or both names and subjects are left.
    """
    scanned = list(subjects)
    every = match(names, [*scanned, *without_scan])
    require_unique(every.written(shown), what=what, place=place)
    beside = set(without_scan) - set(scanned)
    rest = [name for name in every.rest if name not in beside]
    if every.names and rest:
        damaged = [shown(name) for name in _damaged(every.names, rest)]
        lost = [f"{shown(name)} (line {lines[name]})" if lines else shown(name) for name in every.names]
        raise DatasetError(
            f"Some {what} have no scans, and some scans have no {what}: their subjects may be the same.",
            expected="the same names in both, or names left over in one of them only",
            found=f"{what} without scans ({len(every.names)}): {some(lost, SHOWN)}; "
            f"subjects without {what} ({len(rest)}): {some([*map(shown, rest)], SHOWN)}"
            + (f"; as a spreadsheet program writes: {some(damaged)}" if damaged else ""),
            where=str(place),
            advice=TAKEN_FOR_NUMBERS if damaged else advice,
        )
    kept = {name: subject for name, subject in every.subjects.items() if subject not in beside}
    left = sorted({*every.names, *(name for name, subject in every.subjects.items() if subject in beside)})
    return Matches(kept, tuple(left), tuple(rest), ())


def require_unique(matches: Matches, *, what: str, place: Path) -> None:
    """Raise DatasetError, which names the candidates, if names could stand for several subjects or the reverse."""
    if matches.unclear:
        ours, theirs = matches.unclear[0]
        raise DatasetError(
            "A name could stand for several subjects, or a subject for several names.",
            expected="names that differ in more than case, zeros, spaces or Unicode form",
            found=f"{what} {some(_told_apart(ours))}; subjects {some(_told_apart(theirs))}",
            where=str(place),
            advice=ALIKE,
        )


def alike(names: Iterable[str], *, shown: Callable[[str], str] = str) -> list[str]:
    """Return the names that may be one subject, for the notes: ``001 and 1``; ``shown`` is how they may be written."""
    same: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        same.setdefault(_joined(name), []).append(name)
    return [" and ".join(_told_apart([*map(shown, group)])) for group in same.values() if len(group) > 1]


def visits(subjects: Iterable[str], *, shown: Callable[[str], str] = str) -> list[str]:
    """Return the subjects that may be one person at several times, for the notes: ``P1_2019 and P1_2020``.

    Their names differ in the last part alone, of which there are few, and fewer than names before them; all dates count
    as one. Of numbers within groups or sites, such as ``control_01``, there are more. What all names end with is not
    looked at: ``1000001_20252_2_0`` and ``1000001_20252_3_0`` of UK Biobank differ in the time of the scan.
    """
    people: dict[str, list[str]] = {}
    times: set[str] = set()
    names = list(dict.fromkeys(subjects))
    split = [LAST_PART.fullmatch(name) for name in names]
    while len(names) > 1 and all(split) and len({parts[2] for parts in split if parts}) == 1:
        split = [LAST_PART.fullmatch(parts[1]) for parts in split if parts]
    for name, parts in zip(names, split, strict=True):
        if parts:
            people.setdefault(parts[1], []).append(name)
            times.add(DATE.sub("date", parts[2]))
    several = [group for group in people.values() if len(group) > 1]
    few = len(times) < min(len(people), TIMES)
    return [" and ".join(_told_apart([*map(shown, group)])) for group in several] if few else []


def alike_subjects(subjects: Iterable[str], rows: Iterable[str] = (), table: str = "") -> dict[str, list[str]]:
    """Return lists for :func:`counted` of subjects, and of names in a table, that may be one subject each."""
    differ = "names that differ in case, zeros, spaces or Unicode form alone, and"
    names = list(subjects)
    return {
        f"{{group|groups}} of subjects {{has|have}} {differ} count as different subjects": alike(names),
        "{group|groups} of subjects {has|have} names that differ in the last part alone, and {counts|count} as "
        "different people, in any role; if {it is one person|each is one person} at several times, list the scans in a "
        "table with the column session": visits(names),
        "subjects are named like sessions, and count as different people, in any role; if they are of one person, "
        "list the scans in a table with the columns subject and session": (
            names if 1 < len(names) <= SESSIONS and all(map(SESSION.fullmatch, names)) else []
        ),
        f"{{group|groups}} of names in {table} {{has|have}} {differ} may be one subject": alike(rows),
    }


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return names as they are, or with escapes where two look the same."""
    looks = {unicodedata.normalize("NFC", name) for name in names}
    return [printable(name) if len(looks) == len(names) else ascii(name) for name in names]


def _damaged(names: Iterable[str], subjects: Iterable[str]) -> list[str]:
    """Return the names that a spreadsheet program has changed."""
    plain = {name: name.removeprefix("sub-") for name in (*names, *subjects)}
    values = {float(plain[name].replace(",", ".")) for name in subjects if NUMBER.fullmatch(plain[name])}
    return [
        plain[name]
        for name in names
        if any(form.fullmatch(plain[name]) for form in DAMAGE)
        or (plain[name].isdecimal() and float(plain[name]) in values)
    ]
