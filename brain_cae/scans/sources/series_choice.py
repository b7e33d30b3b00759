"""Which series of a tree of DICOM are used: sessions by date, contrasts by physics, one series for each modality."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from brain_cae.errors import DatasetError
from brain_cae.scans.catalogue import Series
from brain_cae.scans.contrast_rules import AFTER_AGENT, Contrast, contrast_of
from brain_cae.scans.examination import NO_OTHERS, settled
from brain_cae.scans.extent import FEW_SLICES
from brain_cae.scans.identity import NOWHERE, Identity, Place
from brain_cae.scans.wanted import beside_of
from brain_cae.vocabulary import MODALITIES

# A brain is about 130 mm high and 170 mm long: of a thinner stack most of it is missing.
WHOLE_MM = 90.0
# A study goes on after midnight, and may be finished on the next day.
NIGHT = timedelta(days=2)
BEFORE = {after: before for before, after in AFTER_AGENT.items()}
# An anonymiser writes earlier dates, the same for all studies.
EARLIEST = 1980
# Pixels of a map of the field are larger than those of a T1 by this factor, and an aborted scan is so much shorter.
COARSER, SHORTER = 2.5, 1.5
# Series that agree in the first criteria are all read; the import takes the best that forms a regular volume.
ALIKE = 5
REASONS = (
    "shows the head", "covers the whole head", "is one volume", "leaves no doubt", "is original", "is no fast scout",
    "has more slices", "has more voxels", "has the higher number", "was acquired later", "has the later UID",
    "has the later ImageType", "has the shorter echo time", "comes later by name",
)  # fmt: skip
MAY_BE_AFTER_AGENT = "another T1 was acquired before other series, and no header names a contrast agent"
NO_ORDER = "there is another T1, nothing tells which was acquired first, and no header names a contrast agent"
NOT_LISTED = "not in the table of series"


class Order(NamedTuple):
    """When a series was acquired beside others: its number among those of its ``study``, or the rank of its time.

    With times, all studies of a session are one (``""``): each counts its series anew.
    """

    study: str = ""
    number: float = math.nan
    by_time: bool = False


UNORDERED = Order()


@dataclass(frozen=True)
class Taken:
    """A series, its session, what it was taken for, what it is used as (``""`` if it is left out), and why.

    ``read_for`` is also set for the runners-up: if the best series turns out to lack slices, the import takes the next.
    So it is for series that may be parts of the best one. ``order`` is that of the acquisition, and ``place`` orders
    series of one number.
    """

    series: Series
    session: str
    contrast: Contrast
    modality: str = ""
    why: str = ""
    read_for: str = ""
    place: Place = NOWHERE
    order: Order = UNORDERED


def in_sessions(series: Sequence[Series], identities: Mapping[str, Identity]) -> list[tuple[Series, str]]:
    """Return each series with the name of its session: the studies of a patient in the order of their dates.

    A study is one visit. Where its series are days apart, an anonymiser gave several visits one identifier. Studies of
    one day are one visit if they are in one frame of reference, or if none has a contrast of another: the parts of an
    examination may be booked separately, or be divided by a restart of the scanner. Both must hold without dates.
    """
    patients: dict[str, dict[str, list[Series]]] = {}
    for one in series:
        patients.setdefault(one.patient, {}).setdefault(one.study, []).append(one)
    sessions: dict[str, str] = {}
    for studies in patients.values():
        visits = [
            visit
            for study in sorted(studies)
            for visit in _visits(studies[study], lambda one: identities[one.name].moment)
        ]
        visits = _joined(sorted(visits, key=lambda visit: _start(visit, identities)), identities)
        digits = len(str(len(visits)))
        for number, visit in enumerate(visits, start=1):
            sessions |= {one.name: f"s{number:0{digits}d}" for one in visit}
    return [(one, sessions[one.name]) for one in series]


def _joined(visits: Sequence[list[Series]], identities: Mapping[str, Identity]) -> list[list[Series]]:
    """Return visits with those joined that are one, see :func:`in_sessions`."""
    joined: list[_Visit] = []
    for scans in visits:
        known = [(identities[one.name], _day(identities[one.name].moment)) for one in scans]
        names = {contrast_of(one.facts.physics).name for one in scans} & set(MODALITIES)
        new = _Visit(scans, {(day, one.frame) for one, day in known}, {BEFORE.get(name, name) for name in names})
        same = next((one for one in joined if one.is_one_with(new)), None)
        if same is None:
            joined.append(new)
        else:
            same.scans.extend(new.scans)
            same.places.update(new.places)
            same.contrasts.update(new.contrasts)
    return [one.scans for one in joined]


@dataclass
class _Visit:
    """Series of one visit, their days and frames of reference, and their contrasts, those before an agent for both."""

    scans: list[Series]
    places: set[tuple[date | None, str]]
    contrasts: set[str]

    def is_one_with(self, other: "_Visit") -> bool:
        """Return whether another visit is a part of the same."""
        parts = bool(self.contrasts and other.contrasts and self.contrasts.isdisjoint(other.contrasts))
        # Without a date, an anonymiser may have written one frame of reference for several visits.
        if any(frame and (day, frame) in other.places and (day or parts) for day, frame in self.places):
            return True
        days = [{day for day, _ in one.places if day and day.year >= EARLIEST} for one in (self, other)]
        return bool(days[0] & days[1]) and parts


def _start(visit: Sequence[Series], identities: Mapping[str, Identity]) -> str:
    """Return date and time of the first series of a visit, of those that have a date."""
    known = [identities[one.name] for one in visit]
    return min(one.moment for one in [one for one in known if one.has_date] or known)


def _visits(series: list[Series], moment: Callable[[Series], str]) -> Iterator[list[Series]]:
    """Yield the series of one study, divided where dates are more than ``NIGHT`` apart."""
    days = {one.name: _day(moment(one)) for one in series}
    visit: list[Series] = []
    last: date | None = None
    for one in sorted(series, key=lambda one: days[one.name] or date.min):
        day = days[one.name]
        if last and day and day - last > NIGHT:
            yield visit
            visit = []
        visit.append(one)
        last = day or last
    yield visit


def _day(moment: str) -> date | None:
    digits = re.sub(r"\D", "", moment.split(" ")[0])
    try:
        return datetime.strptime(digits, "%Y%m%d").date()
    except ValueError:
        return None


def take(series: Sequence[tuple[Series, str]], identities: Mapping[str, Identity] | None = None) -> list[Taken]:
    """Return what each series is taken for, alone and beside the others of its session."""
    places = {name: identity.place for name, identity in (identities or {}).items()}
    sessions: dict[tuple[str, str], list[Series]] = {}
    for one, session in series:
        sessions.setdefault((one.patient, session), []).append(one)
    return [
        Taken(one, session, contrast, place=places.get(one.name, NOWHERE), order=order)
        for (_, session), scans in sessions.items()
        for orders in [_orders(scans, places)]
        for one, order, contrast in zip(scans, orders, _settled(scans, orders), strict=True)
    ]


def _orders(scans: Sequence[Series], places: Mapping[str, Place]) -> list[Order]:
    """Return the order of the series of a session: by number, or by time if it has several studies or no numbers.

    An anonymiser removes numbers, or writes one for all.
    """
    own = [one.facts.number for one in scans]
    moments = [places.get(one.name, NOWHERE)[0] for one in scans]
    several = len({one.study for one in scans}) > 1
    times = sorted({*moments})
    lost = any(map(math.isnan, own)) or len({*own}) == 1
    # Times of a day cannot be compared with dates; and an anonymiser may also write one time for all.
    comparable = all(moments) and len({" " in moment for moment in moments}) == 1
    if comparable and (lost or (several and len(times) > 1)):
        return [Order("", 1.0 + times.index(moment), by_time=True) for moment in moments]
    return [Order(one.study, number) for one, number in zip(scans, own, strict=True)]


def _settled(scans: Sequence[Series], orders: Sequence[Order]) -> list[Contrast]:
    # A few slices, such as a localiser that is not named so, are no scan before or after which others were acquired.
    numbers = [math.nan if one.images <= FEW_SLICES else order.number for one, order in zip(scans, orders, strict=True)]
    beside = [
        beside_of(one.facts, order.study)._replace(number=number)
        for one, order, number in zip(scans, orders, numbers, strict=True)
    ]
    return settled([contrast_of(one.facts.physics) for one in scans], beside)


def by_rule(taken: Sequence[Taken]) -> list[Taken]:
    """Return the series with the best of each subject, session and modality in use, and why the others are not."""
    best: dict[tuple[str, str, str], Taken] = {}
    sessions: dict[tuple[str, str], list[Taken]] = {}
    for one in taken:
        sessions.setdefault((one.series.patient, one.session), []).append(one)
    earlier = {id(one): _earlier_t1(one, sessions[one.series.patient, one.session]) for one in taken}
    doubtful = {key for key, t1 in earlier.items() if t1}
    unordered = {id(one) for one in taken if _has_equal_t1(one, sessions[one.series.patient, one.session])}
    # Of a pair, the first one is taken.
    taken = [_doubted(one) if any(_is_pair(first, one) for first in earlier[id(one)]) else one for one in taken]
    for one in taken:
        place = (one.series.patient, one.session, one.contrast.name)
        if one.contrast.name in MODALITIES and (place not in best or _rank(one) > _rank(best[place])):
            best[place] = one
    used = []
    for one in taken:
        winner = best.get((one.series.patient, one.session, one.contrast.name))
        known = _doubted(one) if winner is one and id(one) in doubtful else one
        known = _doubted(one, NO_ORDER) if winner is one and id(one) in unordered else known
        why, doubt = known.contrast.why, f"; in doubt: {known.contrast.doubt}" if known.contrast.doubt else ""
        if winner is one:
            name = one.contrast.name
            used.append(replace(known, modality=name, why=f"{why}{doubt}", read_for=name))
        elif winner is None:
            used.append(replace(one, why=f"{one.contrast.name}: {why}{doubt}"))
        else:
            first, second = _rank(winner), _rank(one)
            reason = next(text for text, a, b in zip(REASONS, first, second, strict=True) if a != b)
            said = f"another series was taken: it {reason} ({one.contrast.name}: {why}{doubt})"
            part = one.contrast.doubt == winner.contrast.doubt and _may_be_part(one.series, winner.series)
            also = first[:ALIKE] == second[:ALIKE] or part
            # Read together, two echoes would be one series again.
            also &= not one.series.uid or one.series.uid != winner.series.uid
            used.append(replace(one, why=said, read_for=one.contrast.name if also else ""))
    return used


def _earlier_t1(one: Taken, session: Sequence[Taken]) -> list[Taken]:
    """Return the T1 before a T1 that may be after contrast agent: other contrasts were acquired between them.

    A repeat, made because the first one went wrong, follows it at once. Nothing is returned if a header of the session
    names an agent, other than that of a reformatted scan: what it was made of may not name it.
    """
    if not _may_be_after_agent(one, session):
        return []
    study = [other for other in session if other.order.study == one.order.study]
    earlier = [other for other in study if 0 < number_of(other) < number_of(one)]
    t1 = [other for other in earlier if _is_as_good_t1(other, one)]
    others = [number_of(other) for other in earlier if other.contrast.name not in NO_OTHERS]
    return [other for other in t1 if others and number_of(other) < max(others)]


def _has_equal_t1(one: Taken, session: Sequence[Taken]) -> bool:
    """Return whether a T1 may be after contrast agent, beside another: no number or time orders the examination."""
    if len({(number_of(other), other.place[0]) for other in session}) > 1 or not _may_be_after_agent(one, session):
        return False
    others = any(other.contrast.name not in NO_OTHERS for other in session)
    return others and any(other is not one and _is_as_good_t1(other, one) for other in session)


def _may_be_after_agent(one: Taken, session: Sequence[Taken]) -> bool:
    """Return whether a T1 without doubt may be after contrast agent, because no header of its session names one."""
    acquired = [other for other in session if not other.series.facts.derived]
    named = any(other.contrast.name == "t1ce" or other.series.facts.physics.agent for other in acquired)
    return one.contrast.name == "t1" and not one.contrast.doubt and not named


def _is_as_good_t1(other: Taken, one: Taken) -> bool:
    return other.contrast.name == "t1" and _rank(other)[:ALIKE] == _rank(one)[:ALIKE]


def _is_pair(first: Taken, second: Taken) -> bool:
    """Return whether two T1 are of one kind of sequence, as those before and after contrast agent mostly are.

    A much coarser or shorter one was not acquired to be compared with the second.
    """
    one, other = first.series.facts.physics, second.series.facts.physics
    alike = (one.three_d, one.gradient) == (other.three_d, other.gradient)
    return alike and not (one.spacing > COARSER * other.spacing or SHORTER * _height(first) < _height(second))


def _doubted(one: Taken, doubt: str = MAY_BE_AFTER_AGENT) -> Taken:
    return replace(one, contrast=replace(one.contrast, doubt=doubt))


def by_table(taken: Sequence[Taken], chosen: Mapping[str, str]) -> list[Taken]:
    """Return the series as a table uses them; it decides for every subject that it names, rules for the others.

    Raises:
        DatasetError: It names two series of one session for one modality.
    """
    listed = {one.series.patient for one in taken if one.series.name in chosen}
    used = by_rule([one for one in taken if one.series.patient not in listed])
    places: dict[tuple[str, str, str], str] = {}
    for one in taken:
        if one.series.patient not in listed:
            continue
        modality = chosen.get(one.series.name, "")
        place = (one.series.patient, one.session, modality)
        if modality and place in places:
            raise DatasetError(
                "The table of series names two series for one modality.",
                expected="one series for each modality of a session; leave the modality of the others empty",
                found=f"{places[place]} and {one.series.name} as {modality} of {place[0]}, session {place[1]}",
                where="dataset.series",
            )
        places[place] = one.series.name
        said = "chosen in the table of series" if modality else "left out in the table of series"
        said = said if one.series.name in chosen else NOT_LISTED
        why = f"{said} ({one.contrast.name}: {one.contrast.why})"
        used.append(replace(one, modality=modality, read_for=modality, why=why))
    return sorted(used, key=lambda one: (one.series.patient, one.session, one.series.name))


def not_listed(used: Sequence[Taken]) -> list[str]:
    """Return series that a table does not name although it decides for their subject, where it chose no other.

    They may be new: a later export, or the next visit of the subject.
    """
    chosen = {(one.series.patient, one.session, one.modality) for one in used}
    return [
        f"{one.series.patient} {one.session} {one.contrast.name} ({one.series.name})"
        for one in used
        if one.why.startswith(NOT_LISTED)
        and one.contrast.name in MODALITIES
        and (one.series.patient, one.session, one.contrast.name) not in chosen
    ]


def _may_be_part(one: Series, other: Series) -> bool:
    """Return whether series of one session may be parts of one volume, which the import judges by their positions."""
    first, second = (repr(replace(series.facts, number=0.0)) for series in (one, other))
    return first == second


def _height(one: Taken) -> float:
    return one.series.facts.thickness * one.series.images


def _rank(one: Taken) -> tuple[Any, ...]:
    """Rank of a series among those of one contrast, by ``REASONS``: the rule of ``scans/dicom.py`` after others."""
    facts, physics = one.series.facts, one.series.facts.physics
    return (
        not physics.elsewhere,
        not _height(one) < WHOLE_MM,
        not one.series.repeated,
        not one.contrast.doubt,
        not facts.derived,
        not physics.hasty,
        one.series.images,
        one.series.images * facts.rows * facts.columns,
        0.0 if one.order.by_time else number_of(one),
        *one.place,
        one.series.name,
    )


def number_of(one: Taken) -> float:
    """Return by which number a series is ordered in its study or session, 0 if it has none."""
    return 0.0 if math.isnan(one.order.number) else one.order.number
