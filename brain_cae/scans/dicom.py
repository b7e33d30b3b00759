"""Selects and reads one series among the DICOM files of a scan."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from brain_cae.errors import ScanError
from brain_cae.scans.assembly import Assembly, Slice, assemble
from brain_cae.scans.completeness import (
    drop_cut_copies,
    is_numbered_alike,
    is_repeated,
    may_alternate,
    may_be_slice,
    may_lack_every_other,
    may_lack_slices,
)
from brain_cae.scans.contrast_rules import SCOUT_TE_MS, SCOUT_TR_MS, UNIFORM, content_of
from brain_cae.scans.division import divide
from brain_cae.scans.extent import has_head_size
from brain_cae.scans.file import DicomFile, open_dicom, truncated
from brain_cae.scans.headers import PATIENT, is_elsewhere
from brain_cae.scans.identity import place_of
from brain_cae.scans.kind import OBJECTS, OTHER_OBJECT, frame_types, is_derived, is_echo_planar, object_of
from brain_cae.scans.parts import join_parts
from brain_cae.scans.scattered import have_repeated_numbers, join_scattered
from brain_cae.scans.times import MILLISECONDS, SECONDS
from brain_cae.scans.volume import Volume
from brain_cae.scans.wanted import UNSEEN, Seen, contrasts_of, fit

# Files without content, and damage, after which it is unknown which series the file belongs to.
EMPTY = ("truncated file", "not downloaded")
LOST = (*EMPTY, "damaged header", "unreadable file")
SCATTERED, PARTS = "a series UID in every file", "one volume under several series UIDs"
IN_SECONDS, IN_NO_UNIT = "times in seconds", "times of unknown unit"
CONTRASTS, PATIENTS = "series of several contrasts", "series of several patients"
DATES = "series of several dates"
SHORTER = "the first or the last slices may be missing"
BETWEEN = "slices between the others may be missing"
ALTERNATING = "slices of two acquisitions may alternate"
NOT_CHOSEN = "another series was taken"
COPY = "identical copy"
SET_ASIDE = "set aside"
NOT_DICOM = "not DICOM"


@dataclass(frozen=True)
class Refused:
    """A series, or other files, that were left out: the reason and one of the files."""

    reason: str
    path: Path
    files: int

    @property
    def weight(self) -> tuple[bool, int]:
        """Rank as the main reason when no series could be read: series before other files, then the largest."""
        others = (NOT_DICOM, COPY, NOT_CHOSEN, SET_ASIDE, OTHER_OBJECT, *OBJECTS.values())
        return not self.reason.startswith(others), self.files


@dataclass(frozen=True)
class FolderReading:
    """The volume that was read from the files of one scan, if any, and what was left out, with reasons.

    ``notes`` say what is unusual about the volume's headers and how it was read nevertheless. ``slices`` say where each
    slice of the volume comes from.
    """

    volume: Volume | None
    refused: tuple[Refused, ...]
    path: Path | None = None
    notes: tuple[str, ...] = ()
    slices: tuple[Slice, ...] = ()


Rank = tuple[bool, bool, bool, int, bool, bool, bool, int, int, float, str, str, str, float, str]


@dataclass(frozen=True)
class _Candidate:
    """A regular series, and its contrast."""

    assembly: Assembly
    opened: list[DicomFile]
    notes: tuple[str, ...]
    seen: Seen = UNSEEN

    @property
    def path(self) -> Path:
        return self.opened[0].path

    @property
    def files(self) -> int:
        return len(self.opened)


# So many criteria of the rank say which series is wanted; by the others, any of them might be.
TELLING = 7
# The advantage of the series that was taken, for each value of the rank. The report stores these words.
ADVANTAGES = (
    "has the size of a head", "shows the head", "is an ordinary image", "has the contrast that is wanted",
    "leaves no doubt about it", "is original", "is no fast scout", "has more slices", "has more voxels",
    "has the higher number", "was acquired later", "has the later UID", "has the later ImageType",
    "has the shorter echo time", "has the later path",
)  # fmt: skip


def read_series(files: Sequence[Path]) -> Volume:
    """Return one series as a volume; names and order of its files do not matter.

    Returns:
        Volume with array (columns, rows, slices), slices ordered along the normal, rescale applied, affine to RAS+ mm.

    Raises:
        ScanError: for the reasons of ``assembly.py`` and the modules it calls; "several series" if the files have
            more than one SeriesInstanceUID (see :func:`read_folder`).
    """
    opened = [file for path in files if not (file := open_dicom(Path(path))).is_directory]
    if not opened:
        raise ScanError("no files", expected="DICOM files of one series", found="none")
    where = str(opened[0].path.parent)
    cut = next((file for file in opened if file.cut), None)
    if cut is not None:
        raise truncated(cut.path)
    names = {file.series for file in opened}
    if len(names) > 1:
        actual = f"{len(names)} SeriesInstanceUIDs in {len(opened)} files"
        raise ScanError("several series", expected="one series", found=actual, where=where)
    return assemble(opened, where).volume


def read_folder(
    files: Sequence[Path], chosen: Path | None = None, *, pixels: bool = True, modality: str = ""
) -> FolderReading:
    """Return one series from files that may hold several series or other files. Never raises ScanError.

    Files are grouped by SeriesInstanceUID, in any folder; several series under one identifier are divided
    (``division.py``), slices that each have their own are joined where they can be one series (``scattered.py``), and
    so are series that are parts of one volume (``parts.py``). Of the series that form a regular volume, one is taken:
    one of a head's size before others, one of the head before other parts of the body, ordinary images before fat and
    echo-planar ones and the like, one of the wanted ``modality`` before other contrasts, without doubt if possible,
    original before derived, any before a fast scout, then the one with the most slices, most voxels, the highest
    SeriesNumber, the one acquired last. ``chosen``, a file or a folder, restricts this to series with a file there. A
    note says if the others are of another contrast or date, or if the files are those of several patients.
    Objects without an image, and images of another kind under the same UID (such as the phase), are set aside.
    Everything else is listed with its reason; a DICOMDIR is ignored. If a lost file may have been a slice of the
    series, of which no other export has a copy, nothing is taken (``completeness.py``). Without ``pixels`` only headers
    are read: the volume has the right shape but holds zeros, and no series is refused for its values.
    """
    groups, lost, refused = _split(files, pixels)
    # Of files without any identifier, only the series number tells whose they are.
    groups = divide({name: opened for name, opened in groups.items() if name}) | {"": groups.get("", [])}
    groups = {name: opened for name, opened in groups.items() if opened}
    joined = dict.fromkeys(join_scattered(groups), SCATTERED)
    joined |= dict.fromkeys(join_parts(groups), PARTS)
    if set(groups) == {""}:
        groups = divide(_by_number(groups[""]))
    refused += _remove_others(groups, chosen)
    if chosen is not None and not groups:
        refused.append(Refused("the chosen file is no image", chosen, len(files)))
    patients = {file.elements.plain(PATIENT) for opened in groups.values() for file in opened} - {""}
    candidates, more = _candidates(groups, joined)
    refused += more
    best, equals, worse = _best(candidates, modality)
    refused += worse
    lost_reasons = [Refused(reason, path, 1) for reason, path, _ in lost]
    if lost and (best is None or any(_may_be_slice_of(best, path, empty) for _, path, empty in lost)):
        first = Refused(lost[0][0], lost[0][1], len(lost) + sum(one.files for one in candidates))
        return FolderReading(None, (first, *lost_reasons[1:], *refused))
    refused += lost_reasons
    if best is None:
        return FolderReading(None, tuple(refused))
    names = {one.seen.contrast.name for one in equals}
    dates = {one.opened[0].elements.text("StudyDate") for one in equals} - {""}
    found = ((CONTRASTS, len(names) > 1), (DATES, len(dates) > 1), (PATIENTS, len(patients) > 1))
    said = (*best.notes, *(note for note, holds in found if holds))
    return FolderReading(best.assembly.volume, tuple(refused), best.path, said, best.assembly.slices)


def _candidates(
    groups: dict[str, list[DicomFile]], joined: Mapping[str, str]
) -> tuple[list[_Candidate], list[Refused]]:
    """Return the series that form a regular volume, and what was left out; the groups are emptied to save memory."""
    candidates: list[_Candidate] = []
    refused: list[Refused] = []
    for name in sorted(groups):
        opened = groups.pop(name)
        try:
            assembly = _assemble(opened, joined.get(name, ""))
        except ScanError as error:
            named = next((file.path for file in opened if str(file.path) == error.where), opened[0].path)
            refused.append(Refused(error.reason, named, len(opened)))
            continue
        refused += [Refused(COPY, copy, len(assembly.copies)) for copy in assembly.copies[:1]]
        refused += _counted([(f"{SET_ASIDE}: {kind}", path) for kind, path in assembly.set_aside])
        candidates.append(_Candidate(assembly, opened, _notes(assembly, opened, joined.get(name, ""))))
    return candidates, refused


def _best(candidates: list[_Candidate], modality: str) -> tuple[_Candidate | None, list[_Candidate], list[Refused]]:
    """Return the best series, those that were as good with it, and the others with the reason."""
    if len(candidates) < 2:
        return next(iter(candidates), None), candidates, []
    seen = contrasts_of([one.opened for one in candidates])
    candidates = [replace(one, seen=known) for one, known in zip(candidates, seen, strict=True)]
    ranks = {id(one): _rank(one, modality) for one in candidates}
    best = max(candidates, key=lambda one: ranks[id(one)])
    rank, slices = ranks[id(best)], best.assembly.volume.array.shape[2]
    refused = []
    for one in candidates:
        if one is not best:
            pairs = zip(ADVANTAGES, rank, ranks[id(one)], strict=True)
            advantage = next(text for text, first, second in pairs if first != second)
            refused.append(Refused(f"{NOT_CHOSEN}: it {advantage}", one.path, one.files))
    # A series of less than half as many slices is no scan of the same brain that could have been meant.
    as_good = [one for one in candidates if ranks[id(one)][:TELLING] == rank[:TELLING]]
    return best, [one for one in as_good if 2 * one.assembly.volume.array.shape[2] >= slices], refused


def _may_be_slice_of(best: _Candidate, path: Path, empty: bool) -> bool:
    """Return whether the volume may lack a slice that was lost, and that no other export has."""
    used = {part.path for part in best.assembly.slices} | {path for _, path in best.assembly.set_aside}
    return may_be_slice(path, best.opened, empty=empty) and not is_repeated(path, best.opened, used)


def _by_number(files: list[DicomFile]) -> dict[str, list[DicomFile]]:
    """Return files without any SeriesInstanceUID by their series number, which is left to tell series apart."""
    groups: dict[str, list[DicomFile]] = {}
    for file in files:
        groups.setdefault(file.elements.text("SeriesNumber"), []).append(file)
    return groups


def _assemble(opened: list[DicomFile], joined: str) -> Assembly:
    """Return the volume of a series; of one that was joined, a refusal says so."""
    try:
        if joined == SCATTERED and have_repeated_numbers(opened):
            raise ScanError("repeated instance numbers", where=str(opened[0].path))
        return assemble(opened, str(opened[0].path.parent))
    except ScanError as error:
        if not joined:
            raise
        raise ScanError(f"{joined}: {error.reason}", found=error.found, where=error.where) from error


def _notes(assembly: Assembly, opened: list[DicomFile], joined: str) -> tuple[str, ...]:
    unit = {MILLISECONDS: "", SECONDS: IN_SECONDS}.get(assembly.unit, IN_NO_UNIT)
    # Other images of the series have numbers, too.
    plain = not (joined or assembly.set_aside or assembly.copies)
    shorter = SHORTER if plain and may_lack_slices(opened) else ""
    distance = assembly.volume.acquisition["spacing_slice_mm"]
    between = BETWEEN if plain and may_lack_every_other(opened, distance) else ""
    paths = {file.path: file for file in opened}
    ordered = [paths[one.path] for one in assembly.slices if one.path in paths]
    alternating = ALTERNATING if plain and len(paths) == len(ordered) and may_alternate(ordered, distance) else ""
    return tuple(filter(None, (joined, unit, shorter, between, alternating)))


def _counted(named: Sequence[tuple[str, Path]]) -> list[Refused]:
    """Return one line for each reason, with the first of its files and their number."""
    paths: dict[str, list[Path]] = {}
    for reason, path in named:
        paths.setdefault(reason, []).append(path)
    return [Refused(reason, found[0], len(found)) for reason, found in paths.items()]


def _remove_others(groups: dict[str, list[DicomFile]], chosen: Path | None) -> list[Refused]:
    """Remove the groups without a file at or below ``chosen``, and return them as refused."""
    if chosen is None:
        return []
    others = [name for name, opened in groups.items() if not any(file.path.is_relative_to(chosen) for file in opened)]
    return [Refused(f"{NOT_CHOSEN}: it was chosen", (o := groups.pop(name))[0].path, len(o)) for name in others]


def _rank(candidate: _Candidate, modality: str) -> Rank:
    """Return the rank of a series, by ``ADVANTAGES``; the largest is the best."""
    first, volume = candidate.assembly.first, candidate.assembly.volume
    tr, te = (volume.acquisition.get(name) or math.nan for name in ("repetition_time_ms", "echo_time_ms"))
    scout = tr < SCOUT_TR_MS and te < SCOUT_TE_MS
    number = first.elements.number("SeriesNumber") or 0.0
    fits = has_head_size(volume.array.shape, volume.affine)
    groups = first.elements.items("SharedFunctionalGroupsSequence")
    groups = [*groups, *first.elements.items("PerFrameFunctionalGroupsSequence")[:1]]
    types = (first.elements.texts("ImageType"), *frame_types(groups))
    ordinary = all(content_of(one) in ("", UNIFORM) for one in types) and not is_echo_planar(first.elements)
    return (
        fits,
        not is_elsewhere(first.header),
        ordinary,
        *fit(candidate.seen, modality),
        not is_derived(first),
        not scout,
        volume.array.shape[2],
        volume.array.size,
        number,
        *place_of(first.elements),
        str(candidate.path),
    )


Lost = tuple[str, Path, bool]
"""The reason why a file was lost, the file, and whether it is empty."""


def _split(files: Sequence[Path], pixels: bool) -> tuple[dict[str, list[DicomFile]], list[Lost], list[Refused]]:
    """Return files grouped by SeriesInstanceUID, files too damaged to have one, and files without an image."""
    groups: dict[str, list[DicomFile]] = {}
    lost: list[Lost] = []
    others: list[tuple[str, Path]] = []
    for path in files:
        try:
            file = open_dicom(path, pixels=pixels)
        except ScanError as error:
            if error.reason in LOST:
                lost.append((error.reason, path, error.reason in EMPTY))
            else:
                others.append((error.reason, path))
            continue
        if file.elements.has_pixels():
            groups.setdefault(file.series, []).append(file)
        elif file.is_directory:
            continue
        elif kind := object_of(file):
            others.append((kind, path))
        elif file.series:
            groups.setdefault(file.series, []).append(file)
        else:
            lost.append(("truncated file", path, False))
    series = [[file.path for file in opened] for opened in groups.values()]
    for reason, path in [*others]:
        if reason == NOT_DICOM and any(is_numbered_alike(path, files) for files in series):
            others.remove((reason, path))
            lost.append(("damaged header", path, True))
    others += [("truncated file", path) for path in drop_cut_copies(groups)]
    return groups, lost, _counted(others)
