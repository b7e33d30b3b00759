"""Which files of a tree are one series: parts under several identifiers are joined, series under one are divided."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

# Repetition times of one sequence differ by less than this factor.
OTHER_SEQUENCE = 1.2
# Orientations of one plane differ by less in each number.
TURNED = 0.15
# Two echoes of one sequence are at least this far apart, PD and T2 by a factor of three and more.
APART = 1.5


class Group(NamedTuple):
    """Files of one series, as numbers of their rows; ``main`` is one whose header says whose series it is.

    ``torn``: nobody can say whose it is. ``part`` tells series under one identifier apart, ``""`` if it has only this.
    """

    files: np.ndarray
    main: int
    torn: bool = False
    part: str = ""


def mended(groups: list[np.ndarray], rows: np.ndarray, is_nobody: Callable[[np.void], bool]) -> Iterator[Group]:
    """Yield the groups, with those joined that are one series under several PatientIDs or studies.

    An archive that corrects a PatientID, or an anonymiser, may change a part of a series only. Files with one
    SeriesInstanceUID whose instance numbers are all different are one series, of the one patient who has a PatientID;
    if two have one, it is torn, since nobody can say whose it is. Equal instance numbers show two series to which one
    identifier was given.
    """
    together: dict[bytes, list[np.ndarray]] = {}
    for place, group in enumerate(groups):
        together.setdefault(rows["uid"][group[0]] or str(place).encode(), []).append(group)
    for parts in together.values():
        files = np.sort(np.concatenate(parts))
        numbers = rows["number"][files[~rows["apart"][files]]]
        if len(parts) == 1 or not numbers.size or not numbers.all() or len(np.unique(numbers)) < len(numbers):
            yield from (Group(part, int(part[0])) for part in parts)
            continue
        named = [part for part in parts if not is_nobody(rows[part[0]])]
        largest = max(named or parts, key=len)
        patients = {rows["patient"][part[0]] for part in named}
        yield Group(files, int(largest[0]), torn=len(patients) > 1)


def typical(images: np.ndarray, rows: np.ndarray) -> int:
    """Return the first image with the most frequent echo time and a repetition time: some may have lost their times."""
    echoes, counts = np.unique(rows["echo"][images], return_counts=True)
    frequent = images[np.isin(rows["echo"][images], echoes[counts == counts.max()])]
    timed = frequent[rows["repetition"][frequent] > 0]
    return int((timed if len(timed) else frequent)[0])


def holds_repeats(images: np.ndarray) -> bool:
    """Return whether the images of a series are no single volume: times or echoes, several at each of most places.

    Copies of an image have its number and its echo.
    """
    places, different = (np.unique(images[names]) for names in (["place"], ["place", "number", "echo"]))
    return len(places) > 1 and len(different) >= 2 * len(places)


def divided(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield the series of a group: by number and date, sequence, ImageType, contrast agent, and by echo."""
    for number in _by_number(group, rows):
        for sequence in _by_repetition(number, rows):
            for kind in _by_type(sequence, rows):
                for agent in _by_agent(kind, rows):
                    yield from _by_echo(agent, rows)


def _by_number(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield a group, or its series, if an anonymiser gave all series of a study or a patient one SeriesInstanceUID.

    Each has a number and a date, and counts its images from one. One series of which an archive changed the number in a
    part goes on counting.
    """
    images = ~rows["apart"][group.files]
    names, series = np.unique(rows[["serial", "day"]][group.files], return_inverse=True)
    numbers = rows["number"][group.files[images]]
    largest = max(np.bincount(series[images]), default=0)
    if len(names) < 2 or not numbers.all() or len(np.unique(numbers)) > largest:
        yield group
        return
    several = len(np.unique(names["day"])) > 1
    for place, (serial, day) in enumerate(names.tolist()):
        part = f"number {serial} day {day.decode()}" if several else f"number {serial}"
        yield group._replace(files=group.files[series == place], part=part)


def _by_repetition(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield a group, or its images by repetition time, if series of several sequences have one identifier and number.

    What has no repetition time goes with the images of its echo time, and what is no anatomical image with the first.
    """
    times, images, echoes = rows["repetition"][group.files], ~rows["apart"][group.files], rows["echo"][group.files]
    known = np.unique(times[images & (times > 0)])
    starts = known[1:][known[1:] > OTHER_SEQUENCE * known[:-1]]
    sequence = np.where(images, np.searchsorted(starts, times, side="right"), 0)
    lost = images & (times <= 0)
    for echo in np.unique(echoes[lost]):
        alike = sequence[images & ~lost & (echoes == echo)]
        sequence[lost & (echoes == echo)] = min(alike, default=0)
    for first, second in combinations(range(len(starts) + 1), 2):
        both = images & np.isin(sequence, (first, second))
        if len(np.unique(sequence[both])) == 2 and _may_be_one_volume(rows[group.files[both]]):
            sequence[sequence == second] = first
    for number in np.unique(sequence):
        part = f"{group.part} repetition {starts[number - 1]:g}".strip() if number else group.part
        yield group._replace(files=group.files[sequence == number], part=part)


def _may_be_one_volume(images: np.ndarray) -> bool:
    """Return whether images of several repetition times may be slices of one volume, as those of triggered packages.

    They share an echo time and a plane, and no two but copies have one position or number.
    """
    counted = bool(images["number"].all())
    slices = np.unique(images[["place", "number"]]) if counted else images
    apart = all(len(np.unique(slices[name])) == len(slices) for name in ("place", "number")[: 1 + counted])
    turned = np.ptp(images["plane"], axis=0).max() > TURNED
    return apart and not turned and len(np.unique(images["echo"][images["echo"] > 0])) < 2


def _by_type(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield a group, or its images by ImageType if all types have the same positions, as water and fat of a Dixon scan.

    Some may lack slices that another type has. So it is if a type has a plane that another has not, as what was
    reformatted from a scan. What is no anatomical image stays with the first of them.
    """
    types, places, images = (rows[name][group.files] for name in ("type", "place", "apart"))
    names = np.unique(types[~images])
    each = [places[(types == name) & ~images] for name in names]
    # One place of several images is one that is unknown.
    known = all(len(one) == 1 or len({*one}) > 1 for one in each)
    largest = {*max(each, key=lambda one: len({*one}), default=())}
    same = known and all({*one} <= largest for one in each)
    planes = [rows["plane"][group.files[(types == name) & ~images]] for name in names]
    if len(names) < 2 or not (same or _have_other_planes(planes)):
        yield group
        return
    for number, name in enumerate(names):
        files = group.files[(types == name) | (images if number == 0 else False)]
        yield group._replace(files=files, part=f"{group.part} type {name.decode()}".strip())


def _have_other_planes(each: Sequence[np.ndarray]) -> bool:
    """Return whether one of several kinds of images, given the orientations (n, 6) of each, has a plane of its own."""
    turns = [np.unique(planes[planes.any(axis=1)].round(1), axis=0) for planes in each]
    pairs = ((one, other) for one, other in permutations(turns, 2) if len(one) and len(other))
    return any(np.abs(one[:, None] - other[None]).max(axis=2).min(axis=1).max() > TURNED for one, other in pairs)


def _by_agent(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield a group, or its images before and after contrast agent, if both are at the same places."""
    agent, images = rows["agent"][group.files], ~rows["apart"][group.files]
    before, after = (rows["place"][group.files[images & there]] for there in (~agent, agent))
    if not len(before) or not len(after) or not _are_same_places(before, after):
        yield group
        return
    later = agent & images
    yield group._replace(files=group.files[~later])
    yield group._replace(files=group.files[later], part=f"{group.part} agent".strip())


def _by_echo(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield a group, or its two echoes, the shorter one first: PD and T2 of a dual echo have one SeriesInstanceUID.

    Both are at the same positions, but for slices that were lost. At different ones they are what is left of two echoes
    of which an archive kept one image for each number. Of more echoes nothing is yielded apart: a map is made of them.
    """
    echoes, images = rows["echo"][group.files], ~rows["apart"][group.files]
    times = np.unique(echoes[images & (echoes > 0)])
    ends = np.flatnonzero(times[1:] > APART * times[:-1])
    limit = float(times[ends[0]]) if len(ends) == 1 else 0.0
    # What has no echo time, such as a picture of a screen, stays with the first.
    later = echoes > limit
    first, second = (rows["place"][group.files[images & there]] for there in (~later, later))
    if not limit or not _are_same_places(first, second):
        yield group
        return
    yield group._replace(files=group.files[~later])
    yield group._replace(files=group.files[later], part=f"{group.part} second echo".strip())


def _are_same_places(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether images of two echoes are at the same places; one of them may lack some."""
    places = {*first}, {*second}
    counted = len(first) == len(second) or (len(places[0]) == len(first) and len(places[1]) == len(second))
    return counted and (places[0] <= places[1] or places[1] <= places[0])
