"""Whether a file that was lost may have been a slice of a series: no gap shows a missing first or last slice."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

from brain_cae.errors import ScanError
from brain_cae.scans.file import DicomFile

INSTANCE = 0x00080018
# Part of a distance by which headers round it.
ROUNDING = 0.05
# Thickness of slices over their distance, and so many slices that their order is no chance.
OVERLAPPING, FEW = 1.5, 8
# Endings of single files that were compressed.
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def may_be_slice(path: Path, files: Sequence[DicomFile], *, empty: bool) -> bool:
    """Return whether a file without usable content may have been a slice of a series.

    It was not, if the series declares its number of images (ImagesInAcquisition) and has that many, or is a multi-frame
    file. Otherwise a file that starts as DICOM does may be one. An ``empty`` file (no byte, or zeros alone) is one only
    if instance numbers are missing, or if its name continues the names of the slices: after ``IM0001`` to ``IM0024``,
    ``IM0025`` may be a slice, but not ``IM9999`` or ``XX_0001``.
    """
    counts = {file.elements.whole("ImagesInAcquisition", 0) for file in files}
    if counts == {len(files)} or any(file.elements.whole("NumberOfFrames", 1) > 1 for file in files):
        return False
    return not empty or _lacks_numbers(files) or _continues(path, [file.path for file in files])


def drop_cut_copies(groups: dict[str, list[DicomFile]]) -> list[Path]:
    """Remove the cut files of each series of which another export has a complete copy, and return their paths."""
    dropped = []
    for name, files in groups.items():
        numbers: dict[str, set[int]] = {}
        for file in files:
            if not file.cut:
                numbers.setdefault(_identifier(file), set()).add(_number(file))
        copies = [file for file in files if file.cut and _is_copy(file, numbers.get(_identifier(file), set()))]
        groups[name] = [file for file in files if file not in copies] if copies else files
        dropped += [file.path for file in copies]
    return dropped


def _is_copy(file: DicomFile, numbers: set[int]) -> bool:
    """Return whether complete images with the identifier of a cut one are it; ``numbers`` are their instance numbers.

    An anonymiser may have given all images one identifier. The number of the cut one may be lost.
    """
    return bool(_identifier(file)) and len(numbers) == 1 and _number(file) in (*numbers, -1)


def _identifier(file: DicomFile) -> str:
    return file.elements.plain(INSTANCE)


def _number(file: DicomFile) -> int:
    return file.elements.whole("InstanceNumber", -1)


def is_repeated(path: Path, files: Sequence[DicomFile], used: Collection[Path]) -> bool:
    """Return whether a file without usable content is in another export of the same slices, and complete there.

    A file of its name lies in another folder, where all files beside it have a copy of their name.

    Args:
        path: The file.
        files: The files of a series.
        used: Those that are slices of its volume or images of another kind: the others are copies of slices.
    """
    paths = {file.path for file in files}
    beside = [one.name for one in paths if one.parent == path.parent]
    folders = {one.parent for one in paths if one.name == path.name} - {path.parent}
    return bool(beside) and any(
        all(folder / name in paths and not {folder / name, path.parent / name} <= set(used) for name in beside)
        for folder in folders
    )


def may_lack_slices(files: Sequence[DicomFile]) -> bool:
    """Return whether the headers of a regular volume count more slices than it has, as after an interrupted copy.

    Its instance numbers follow each other, but start after 1, or its number of images (ImagesInAcquisition) is larger
    by less than a factor of two. Beyond these limits, numbers go on from another series, and images are those of
    several echoes.
    """
    counts = {file.elements.whole("ImagesInAcquisition", 0) for file in files}
    if any(file.elements.whole("NumberOfFrames", 1) > 1 for file in files):
        return False
    if len(counts) == 1 and len(files) < min(counts) < 2 * len(files):
        return True
    numbers = sorted({file.elements.whole("InstanceNumber", -1) for file in files})
    complete = len(numbers) == len(files) and _are_consecutive(numbers) and counts != {len(files)}
    return complete and 1 < numbers[0] <= len(files) // 2


def may_lack_every_other(files: Sequence[DicomFile], distance_mm: float) -> bool:
    """Return whether slices lie a whole number of times as far apart as their headers say, as if others were left out.

    Some scanners write the gap for the distance (SpacingBetweenSlices). Then gap and thickness together are the
    distance, and only instance numbers that skip as many slices tell. So it is where slices are as thick as they are
    apart: programs that compress files add a distance of 1 mm.
    """
    elements = files[0].elements
    declared, thickness = (elements.number(name) or 0.0 for name in ("SpacingBetweenSlices", "SliceThickness"))
    times = round(distance_mm / declared) if declared > 0 else 0
    if times < 2 or abs(distance_mm - times * declared) > ROUNDING * distance_mm:
        return False
    numbers = sorted({file.elements.whole("InstanceNumber", -1) for file in files})
    skipped = len(numbers) == len(files) and {b - a for a, b in pairwise(numbers)} == {times}
    filled = (thickness, declared + thickness)
    return skipped or all(abs(distance_mm - length) > ROUNDING * distance_mm for length in filled)


def may_alternate(files: Sequence[DicomFile], distance_mm: float) -> bool:
    """Return whether slices of two acquisitions take turns, as after a repeat under one identifier between the slices.

    Each slice is half as thick again as they are apart, and in the order of their positions (of ``files``), the first
    and the second half of the instance numbers take turns. Packages of one acquisition do so, but do not overlap.
    """
    numbers = [file.elements.whole("InstanceNumber", -1) for file in files]
    thickness = files[0].elements.number("SliceThickness") or 0.0
    if thickness < OVERLAPPING * distance_mm or len(set(numbers)) < len(numbers) or len(files) < FEW:
        return False
    middle = sorted(numbers)[len(numbers) // 2]
    return all((one < middle) != (other < middle) for one, other in pairwise(numbers))


def check_concatenations(files: Sequence[DicomFile], where: str) -> None:
    """Raise ScanError if a file is missing of a multi-frame image that is divided into several (a concatenation).

    Without InConcatenationTotalNumber, which is optional, the last of them may be missing unnoticed. Source: DICOM
    PS3.3 C.7.6.16.2.2.4.
    """
    parts: dict[str, list[DicomFile]] = {}
    for file in files:
        if uid := file.elements.text("ConcatenationUID"):
            parts.setdefault(uid, []).append(file)
    for together in parts.values():
        numbers = {file.elements.whole("InConcatenationNumber", 1) for file in together}
        total = max(*(file.elements.whole("InConcatenationTotalNumber", 0) for file in together), *numbers, 1)
        if len(numbers) < total:
            actual = f"{len(numbers)} of {total} files"
            raise ScanError(
                f"incomplete concatenation: {actual}",
                expected=f"all {total} files of the image",
                found=actual,
                where=where,
            )


def is_numbered_alike(path: Path, files: Sequence[Path]) -> bool:
    """Return whether a file that is not DICOM has the name of a slice, as a page of an error saved by a download has.

    The names beside it in the folder, three at least, differ in their numbers alone, and its number continues them. So
    it is for one that a program has compressed, and for which it stopped on the way.
    """
    path = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    pattern = re.sub(r"\d+", "#", path.name)
    beside = [file for file in files if file.parent == path.parent] if "#" in pattern else []
    alike = len(beside) > 2 and all(re.sub(r"\d+", "#", file.name) == pattern for file in beside)
    return alike and _continues(path, beside)


def possible_slices(
    lost: Sequence[Path], series: Sequence[Sequence[Path]], *, foreign: bool = False
) -> list[tuple[Path, ...]]:
    """Return, for the files of each series, the lost files that may be among its slices; those must be compared.

    They lie in a folder of the series. If several series have files there, their names must continue those of the
    series, and of no more than one other: names such as hashes continue all, so they tell nothing. Of ``foreign`` files
    that are not DICOM, names must be :func:`is_numbered_alike`.
    """
    found: list[list[Path]] = [[] for _ in series]
    places = {path.parent for path in lost}
    here: dict[Path, list[int]] = {}
    for number, files in enumerate(series):
        for folder in {file.parent for file in files} & places:
            here.setdefault(folder, []).append(number)
    for path in lost:
        near = here.get(path.parent, [])
        near = [number for number in near if not foreign or is_numbered_alike(path, series[number])]
        near = near if foreign or len(near) < 2 else [number for number in near if _continues(path, series[number])]
        for number in near if len(near) <= 2 else ():
            found[number].append(path)
    return [*map(tuple, found)]


def _lacks_numbers(files: Sequence[DicomFile]) -> bool:
    """Return whether the instance numbers of a series count its slices, and some are missing."""
    numbers = [file.elements.whole("InstanceNumber", -1) for file in files]
    if len(set(numbers)) < len(numbers) or min(numbers) < 0:
        return False  # they count nothing, so they show nothing
    return min(numbers) > 1 or max(numbers) - min(numbers) >= len(numbers)


def _continues(path: Path, names: Sequence[Path]) -> bool:
    """Return whether a file may belong to the files of a series by its name and folder."""
    folders = {name.parent for name in names}
    if path.parent not in folders and len(folders) == 1:
        return False
    patterns = [re.sub(r"\d+", "#", name.name) for name in names]
    pattern = re.sub(r"\d+", "#", path.name)
    if len(set(patterns)) > len(patterns) / 2 and len(patterns) > 2:
        # Names such as hashes: only their form can be compared.
        return path.suffix in {name.suffix for name in names} and len(path.name) in {len(name.name) for name in names}
    alike = [_numbers(name) for name, one in zip(names, patterns, strict=True) if one == pattern]
    if not alike:
        return False
    own = _numbers(path)
    varying = [place for place in range(len(own)) if len({numbers[place] for numbers in alike}) > 1]
    if any(own[place] != alike[0][place] for place in range(len(own)) if place not in varying):
        # With a single file of this pattern, nothing varies and the last number counts.
        return len(alike) == 1 and own[:-1] == alike[0][:-1] and abs(own[-1] - alike[0][-1]) == 1
    if len(varying) != 1:
        return bool(varying)
    counted = sorted(numbers[varying[0]] for numbers in alike)
    value = own[varying[0]]
    return not _are_consecutive(counted) or _are_consecutive(sorted({*counted, value}))


def _numbers(path: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", path.name)))


def _are_consecutive(numbers: Sequence[int]) -> bool:
    return numbers[-1] - numbers[0] == len(numbers) - 1
