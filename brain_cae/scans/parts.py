"""Series that are parts of one volume: packages that interleave, and slices that lost their SeriesInstanceUID."""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.acquisition import times_of
from brain_cae.scans.file import DicomFile
from brain_cae.scans.frames import read_frames
from brain_cae.scans.geometry import slice_normal
from brain_cae.scans.scattered import UIDS, is_slice, shared_facts

# Positions on one grid differ from whole numbers of steps by rounding; a repeat lies anywhere between them.
OFF_GRID = 0.1
# Slices of packages lie side by side. Those of two stacks that are shifted by half a slice overlap.
OVERLAP = 1.2
# Of a volume with parts, most slices have neighbours; two series of which one has a slice too many are no volume.
MOST_GAPS = 0.25
SIDEWAYS_MM = 0.5


class Slices(NamedTuple):
    """Slices of one file: their positions (n, 3) in mm, orientation (6,), thickness in mm (0 if it is unknown).

    ``facts`` are what all slices of a volume share.
    """

    positions: np.ndarray
    orientation: tuple[float, ...]
    thickness: float
    facts: Hashable


class Part(NamedTuple):
    """Name of a series (``""`` without SeriesInstanceUID), its files, and of its slices what :class:`Slices` has."""

    name: str
    files: list[DicomFile]
    positions: np.ndarray
    orientation: tuple[float, ...]
    thickness: float


def join_parts(groups: dict[str, list[DicomFile]]) -> set[str]:
    """Join the series in ``groups`` (files by SeriesInstanceUID) whose slices are parts of one volume.

    They agree in :func:`brain_cae.scans.scattered.shared_facts`, and in study and frame of reference as far as these
    are known. Their positions lie on one grid, and none is a copy of another's: they interleave, or continue each
    other. Slices without a SeriesInstanceUID may also leave a gap, for which the assembly then refuses the volume; a
    shorter one would be taken without them.

    Returns:
        The names of the joined groups, each that of its largest part.
    """
    joined = set()
    for parts in _alike(groups) if len(groups) > 1 else ():
        kept = _distinct(parts)
        # Other images of the same series, such as the phase, may have joined them already.
        named = [part for part in kept if part.name in groups and part.name]
        if not named or len(kept) < 2 or not _are_one(kept):
            continue
        name = max(named, key=lambda part: len(part.positions)).name
        for other, files, *_ in kept:
            if other == name or other not in groups:
                continue
            # Of the slices without a series, others may belong elsewhere.
            moved = groups[other] if other else files
            groups[name] = [*groups[name], *moved]
            groups[other] = [file for file in groups[other] if file not in moved]
            joined.add(name)
            if not groups[other]:
                del groups[other]
    return joined & set(groups)


def _alike(groups: dict[str, list[DicomFile]]) -> Iterator[list[Part]]:
    """Yield the parts of different series that agree in their headers."""
    clusters: dict[Hashable, dict[str, list[tuple[DicomFile, Slices]]]] = {}
    for name, files in groups.items():
        for file in files:
            if slices := _slices(file):
                clusters.setdefault(slices.facts, {}).setdefault(name, []).append((file, slices))
    for cluster in clusters.values():
        rest = [_part(name, found) for name, found in cluster.items()]
        while rest:
            first = next((part for part in rest if part.name), rest[0]).files[0]
            yield [part for part in rest if _agree(first, part.files[0])]
            rest = [part for part in rest if not _agree(first, part.files[0])]


def _part(name: str, found: Sequence[tuple[DicomFile, Slices]]) -> Part:
    positions = np.concatenate([slices.positions for _, slices in found])
    first = found[0][1]
    return Part(name, [file for file, _ in found], positions, first.orientation, first.thickness)


def _slices(file: DicomFile) -> Slices | None:
    """Return the slices of a file; None if it has no position, or those of an enhanced one are no single stack."""
    if is_slice(file):
        position = file.elements.lengths("ImagePositionPatient", 3)
        orientation = file.elements.lengths("ImageOrientationPatient", 6)
        thickness = file.elements.number("SliceThickness") or 0.0
        return Slices(np.array([position]), orientation, thickness, shared_facts(file)) if position else None
    try:
        frames = [frame for frame in read_frames(replace(file, pixels=False)) if not frame.kind]
    except ScanError:
        return None
    alike = {(frame.orientation, frame.spacing, frame.echo_time, frame.pixels.shape) for frame in frames}
    if len(alike) != 1 or len({frame.position for frame in frames}) < len(frames):
        return None
    orientation, spacing, echo, shape = alike.pop()
    times = tuple(times_of(file.elements).times.values())
    geometry = tuple(round(value, 3) for value in (*orientation, *spacing))
    facts = (shared_facts(file), geometry, shape, echo, *map(repr, times))
    names = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    groups = (group for name in names for group in file.elements.items(name)[:1])
    measures = (item for group in groups for item in group.items("PixelMeasuresSequence"))
    thickness = next((known for item in measures if (known := item.number("SliceThickness"))), 0.0)
    return Slices(np.array([frame.position for frame in frames]), orientation, thickness, facts)


def _agree(first: DicomFile, second: DicomFile) -> bool:
    """Return whether study and frame of reference are the same, or unknown in one of two files."""
    pairs = [(first.elements.text(name), second.elements.text(name)) for name in UIDS]
    return all(one == other or not (one and other) for one, other in pairs)


def _distinct(parts: Sequence[Part]) -> list[Part]:
    """Return the parts without those whose positions another part has: of repeats, the later one stays."""
    kept: list[Part] = []
    for part in sorted(parts, key=lambda part: (len(part.positions), _number(part), part.name), reverse=True):
        places = _places(part)
        if not any(places <= _places(other) for other in kept):
            kept.append(part)
    return kept


def _places(part: Part) -> set[tuple[float, ...]]:
    return set(map(tuple, np.round(part.positions, 2).tolist()))


def _number(part: Part) -> float:
    return part.files[0].elements.number("SeriesNumber") or 0.0


def _are_one(parts: Sequence[Part]) -> bool:
    """Return whether the slices of parts lie on one grid, as those of one volume do."""
    try:
        normal = slice_normal(np.array(parts[0].orientation))
    except (ScanError, IndexError):
        return False
    nameless = not all(part.name for part in parts)
    each = [np.sort(part.positions @ normal) for part in parts]
    every = np.concatenate([part.positions for part in parts])
    along = np.unique(np.round(np.concatenate(each), 3))
    sideways = every - np.outer(every @ normal, normal)
    steps = np.diff(along)
    if not len(steps) or np.ptp(sideways, axis=0).max() > max(SIDEWAYS_MM, 0.01 * float(np.ptp(along))):
        return False
    step = float(steps.min())
    whole = np.round(steps / step)
    if np.abs(steps / step - whole).max() > OFF_GRID or (len(along) < len(every) and not nameless):
        return False
    apart = min((float(np.diff(one).min()) for one in each if len(one) > 1), default=math.inf)
    if step < apart / OVERLAP and parts[0].thickness > OVERLAP * step:
        return False
    if not (gaps := int((whole > 1).sum())):
        return True
    return gaps <= MOST_GAPS * len(steps) and (nameless or _interleave(each))


def _interleave(each: Sequence[np.ndarray]) -> bool:
    ordered = sorted(each, key=lambda one: float(one[0]))
    return any(later[0] < earlier[-1] for earlier, later in pairwise(ordered))
