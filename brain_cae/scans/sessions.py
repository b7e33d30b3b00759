"""Keeps one session per subject: each brain is used once, however often it was scanned."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.sources.session_dates import year_first

FIRST = re.compile(
    r"baseline|(?<![a-z])(?:base|bl|sc|pr(?:e(?!sent)|ä|ae)[a-z]*|screen(?:ing)?|initial|first)(?![a-z])"
)
LATER = re.compile(
    r"follow-?up|(?<![a-z])(?:post[a-z]*|fu|follow[a-z]*|late[a-z]*|last|final|end|verlauf|recur[a-z]*|relapse)(?![a-z])"
)
"""Words of a session's name that say when it was, compared with sessions without such a word."""
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")
DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_./]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
NUMBER = re.compile(r"(?<![\d/])(\d+)(?![\d/])")
"""Not a part of a date whose month is not known, ``2018 01/12``."""
UNKNOWN = "; by its name, which does not tell their order in time"


@dataclass(frozen=True, order=True)
class Moment:
    """What is known about the time of a session, in the order in which it counts: most of it by its name.

    Attributes:
        date: Year, month and day, as a table or else the name says; empty unless all sessions of a subject have one.
        stage: -1 for ``baseline`` and the like, 1 for ``followup``, else 0.
        pieces: The numbers of the name and the text between them, each as whether it is a number, number, text.
    """

    date: str
    stage: int
    pieces: tuple[tuple[int, int, str], ...]

    def is_before(self, other: "Moment") -> bool:
        """Return whether the names tell that this session was earlier: by date, such a word, or their only numbers."""
        if (self.date, self.stage) != (other.date, other.stage):
            return (self.date, self.stage) < (other.date, other.stage)
        texts, others = ([text for is_number, _, text in one.pieces if not is_number] for one in (self, other))
        return texts == others and self.pieces < other.pieces


def one_session(locations: Sequence[SeriesLocation], modalities: Sequence[str]) -> list[SeriesLocation]:
    """Return one session per subject; scans of the others become ``left_out``, so that the report lists them.

    The rule, in this order: a session with a scan that ``series.csv`` selects, most of the modalities in use, first in
    time: dates in a table, or else in the names of the sessions, then ``baseline`` and ``pre`` before others, ``post``
    and ``followup`` after them, and numbers of visits in their order. The reason says if nothing tells which of two
    sessions was first.
    """
    dates, _ = year_first(one.session for one in locations)
    sessions: dict[str, dict[str, list[SeriesLocation]]] = {}
    for one in locations:
        sessions.setdefault(one.subject, {}).setdefault(one.session, []).append(one)
    return [scan for visits in sessions.values() for scan in _best(visits, modalities, _moments(visits, dates))]


def _best(
    sessions: dict[str, list[SeriesLocation]], modalities: Sequence[str], moments: Mapping[str, Moment]
) -> list[SeriesLocation]:
    def worth(session: str) -> tuple[bool, int]:
        scans = sessions[session]
        there = {one.modality for one in scans if one.files}
        return not any(one.chosen for one in scans), -len(there & set(modalities))

    ordered = sorted(sessions, key=lambda session: moments[session])
    best = min(ordered, key=worth)
    ordered.remove(best)
    kept = []
    for one in sessions[best]:
        left_out = list(one.left_out)
        for session in ordered:
            unknown = worth(session) == worth(best) and not moments[best].is_before(moments[session])
            reason = f"another session was taken: {best or 'the one without a name'}{UNKNOWN if unknown else ''}"
            for other in sessions[session]:
                if other.modality == one.modality:
                    left_out += [*((other.shown(path), reason) for path in other.files[:1]), *other.left_out]
        kept.append(replace(one, left_out=tuple(left_out)))
    return kept


def _moments(sessions: Mapping[str, Iterable[SeriesLocation]], dates: Mapping[str, str]) -> dict[str, Moment]:
    """Return what is known about the time of a subject's sessions; ``dates`` are names with the year first."""
    names = {session: CAMEL.sub("-", dates.get(session, session)).lower() for session in sessions}
    days = {session: one.date for session, scans in sessions.items() for one in scans if one.date}
    if len(days) < len(names):
        found = {session: DATE.search(name) for session, name in names.items()}
        days = {session: "".join(match.group(1, 3, 4)) for session, match in found.items() if match}
    return {
        session: Moment(
            date=days[session] if len(days) == len(names) else "",
            stage=bool(LATER.search(name)) - bool(FIRST.search(name)),
            pieces=tuple(
                (1, int(piece), "") if piece.isdecimal() else (0, 0, re.sub(r"[\s_.]+", "-", piece))
                for piece in NUMBER.split(name)
            ),
        )
        for session, name in names.items()
    }
