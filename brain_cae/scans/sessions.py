"""Keeps one session per subject: each brain is used once, however often it was scanned."""

from collections.abc import Sequence
from dataclasses import replace

from brain_cae.scans.sources.base import SeriesLocation


def one_session(locations: Sequence[SeriesLocation], modalities: Sequence[str]) -> list[SeriesLocation]:
    """Return one session per subject; scans of the others become ``left_out``, so that the report lists them.

    The rule, in this order: a session with a scan that ``series.csv`` selects, most of the modalities in use, first by
    session name (dates and visit numbers sort by time).
    """
    sessions: dict[str, dict[str, list[SeriesLocation]]] = {}
    for one in locations:
        sessions.setdefault(one.subject, {}).setdefault(one.session, []).append(one)
    return [scan for visits in sessions.values() for scan in _best(visits, modalities)]


def _best(sessions: dict[str, list[SeriesLocation]], modalities: Sequence[str]) -> list[SeriesLocation]:
    def rank(session: str) -> tuple[bool, int, str]:
        scans = sessions[session]
        there = {one.modality for one in scans if one.files}
        return not any(one.chosen for one in scans), -len(there & set(modalities)), session

    best = min(sessions, key=rank)
    reason = f"another session was taken: {best or 'the one without a name'}"
    rest = [one for session in sorted(set(sessions) - {best}) for one in sessions[session]]
    kept = []
    for one in sessions[best]:
        left_out = list(one.left_out)
        for other in rest:
            if other.modality == one.modality:
                left_out += [*((other.shown(path), reason) for path in other.files[:1]), *other.left_out]
        kept.append(replace(one, left_out=tuple(left_out)))
    return kept
