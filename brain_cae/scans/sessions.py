"""Keeps one session per subject: each brain is used once, however often it was scanned."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from brain_cae.scans.sources.base import SeriesLocation

FIRST = re.compile(r"(?<![a-z])(?:base(?:line)?|bl|pre(?!sent)[a-z]*|screen(?:ing)?|initial|first)(?![a-z])")
LATER = re.compile(r"(?<![a-z])(?:post[a-z]*|fu|follow[a-z]*|late[a-z]*|last|final|end)(?![a-z])")
"""Words of a session's name that say when it was, compared with sessions without such a word."""
UNKNOWN = "; by its name, which does not tell their order in time"

Piece = tuple[int, int, str]


def one_session(locations: Sequence[SeriesLocation], modalities: Sequence[str]) -> list[SeriesLocation]:
    """Return one session per subject; scans of the others become ``left_out``, so that the report lists them.

    The rule, in this order: a session with a scan that ``series.csv`` selects, most of the modalities in use, first by
    session name: ``baseline`` and ``pre`` before others, ``post`` and ``followup`` after them, and numbers (visits,
    dates) in their order. The reason says if the name does not tell which of two sessions was first.
    """
    sessions: dict[str, dict[str, list[SeriesLocation]]] = {}
    for one in locations:
        sessions.setdefault(one.subject, {}).setdefault(one.session, []).append(one)
    return [scan for visits in sessions.values() for scan in _best(visits, modalities)]


def _best(sessions: dict[str, list[SeriesLocation]], modalities: Sequence[str]) -> list[SeriesLocation]:
    def worth(session: str) -> tuple[bool, int]:
        scans = sessions[session]
        there = {one.modality for one in scans if one.files}
        return not any(one.chosen for one in scans), -len(there & set(modalities))

    ordered = sorted(sessions, key=_in_time)
    best = min(ordered, key=worth)
    ordered.remove(best)
    kept = []
    for one in sessions[best]:
        left_out = list(one.left_out)
        for session in ordered:
            unknown = worth(session) == worth(best) and not _is_earlier(best, session)
            reason = f"another session was taken: {best or 'the one without a name'}{UNKNOWN if unknown else ''}"
            for other in sessions[session]:
                if other.modality == one.modality:
                    left_out += [*((other.shown(path), reason) for path in other.files[:1]), *other.left_out]
        kept.append(replace(one, left_out=tuple(left_out)))
    return kept


def _in_time(session: str) -> tuple[Piece, ...]:
    """Return the sort key of a session's name: a word that says when it was, then numbers and the text between them."""
    name = session.lower()
    stage = bool(LATER.search(name)) - bool(FIRST.search(name))
    pieces = ((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", name))
    return ((1, stage, ""), *pieces)


def _is_earlier(first: str, second: str) -> bool:
    """Return whether the names tell that one session was before the other: by such a word or by a number."""
    for one, other in zip_longest(_in_time(first), _in_time(second), fillvalue=(0, 0, "")):
        if one != other:
            return one[0] == other[0] == 1
    return False
