"""Which files of a tree are one series: parts under several identifiers are joined, and two echoes divided."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

# Two echoes of one sequence are at least this far apart, PD and T2 by a factor of three and more.
APART = 1.5


class Group(NamedTuple):
    """Files of one series, as numbers of their rows; ``main`` is one whose header says whose series it is.

    ``torn``: nobody can say whose it is. ``second``: it is the longer one of two echoes.
    """

    files: np.ndarray
    main: int
    torn: bool = False
    second: bool = False


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


def by_echo(group: Group, rows: np.ndarray) -> Iterator[Group]:
    """Yield a group, or its two echoes, the shorter one first: PD and T2 of a dual echo have one SeriesInstanceUID.

    Each has the same number of images. Of more echoes nothing is yielded apart: they are made to compute a map.
    """
    echoes, images = rows["echo"][group.files], ~rows["apart"][group.files]
    times = np.unique(echoes[images & (echoes > 0)])
    ends = np.flatnonzero(times[1:] > APART * times[:-1])
    limit = float(times[ends[0]]) if len(ends) == 1 else 0.0
    # What has no echo time, such as a picture of a screen, stays with the first.
    later = echoes > limit
    if not limit or (later & images).sum() != (~later & images).sum():
        yield group
        return
    for second, there in enumerate((~later, later)):
        yield group._replace(files=group.files[there], second=bool(second))
