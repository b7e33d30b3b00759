"""DICOM files that belong to one scan: which series they hold, and which of these is taken."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brain_cae.errors import ScanError
from brain_cae.scans.assembly import assemble
from brain_cae.scans.file import DicomFile, open_dicom, truncated
from brain_cae.scans.kind import is_derived
from brain_cae.scans.volume import Volume

# Damage that leaves nobody able to say which series the file was a slice of.
LOST = ("truncated file", "damaged header")
NOT_CHOSEN = "another series was taken"
COPY = "identical copy"
STRANGER = "not DICOM"


@dataclass(frozen=True)
class Refused:
    """A series, or files that are none, that were left out: the reason and one of the files."""

    reason: str
    path: Path
    files: int

    @property
    def weight(self) -> tuple[bool, int]:
        """How likely this is what was meant, when nothing could be taken: a series before strangers, the largest."""
        return not self.reason.startswith((STRANGER, COPY, NOT_CHOSEN)), self.files


@dataclass(frozen=True)
class FolderReading:
    """What the files of one scan gave: the volume that was taken, if any, and what was left out, with reasons."""

    volume: Volume | None
    refused: tuple[Refused, ...]
    path: Path | None = None


@dataclass(frozen=True)
class _Candidate:
    """A regular series: ``rank`` decides, larger is better (see :func:`read_folder`)."""

    volume: Volume
    rank: tuple[bool, bool, int, int, float, str]
    path: Path
    files: int


# What each value of the rank says of the series that won by it.
ADVANTAGES = (
    "is original", "is no fast scout", "has more slices", "has more voxels", "has the higher number",
    "has the later UID",
)  # fmt: skip
# The scout from which scanners plan is a volume of many slices; no contrast of a brain is taken with times so short.
SCOUT_TR_MS, SCOUT_TE_MS = 5.0, 2.0


def read_series(files: Sequence[Path]) -> Volume:
    """Read one series as a volume, whatever its files are called and in whatever order they come.

    Returns:
        Volume with array (columns, rows, slices), slices ordered along the normal, rescale applied, affine to RAS+ mm.

    Raises:
        ScanError: with one of the reasons of ``assembly.py`` and what it calls; "several series" when the files carry
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
        found = f"{len(names)} SeriesInstanceUIDs in {len(opened)} files"
        raise ScanError("several series", expected="one series", found=found, where=where)
    return assemble(opened, where).volume


def read_folder(files: Sequence[Path], chosen: Path | None = None, *, pixels: bool = True) -> FolderReading:
    """Read files that ought to hold one series but may hold more, or strangers. Never raises ScanError.

    Files are split by SeriesInstanceUID, wherever they lie. Of the series that make a regular volume one is taken: an
    original one before one computed from others, any before a fast scout, then the one with most slices, most voxels,
    the highest SeriesNumber, the last UID. ``chosen``, a file or a folder, leaves only the series with a file there.
    Everything else is listed with its reason; a table of contents (DICOMDIR) is passed over. Without ``pixels`` headers
    alone are read: the volume has its shape and zeros, and nothing is refused for its values.
    """
    groups, lost, refused = _split(files, pixels)
    refused += _leave(groups, chosen)
    if chosen is not None and not groups:
        refused.append(Refused("the chosen file is no image", chosen, len(files)))
    best: _Candidate | None = None
    regular = 0
    for name in sorted(groups):
        opened = groups.pop(name)
        path = opened[0].path
        try:
            assembly = assemble(opened, str(path.parent))
        except ScanError as error:
            named = next((file.path for file in opened if str(file.path) == error.where), path)
            refused.append(Refused(error.reason, named, len(opened)))
            continue
        regular += len(opened)
        refused += [Refused(COPY, copy, len(assembly.copies)) for copy in assembly.copies[:1]]
        best, worse = _better(best, _Candidate(assembly.volume, _rank(opened, assembly.volume), path, len(opened)))
        refused += worse
    # A file cut so short that its series is unknown may be any series' first or last slice, which no gap shows.
    if lost:
        return FolderReading(None, (Refused("truncated file", lost[0], len(lost) + regular), *refused))
    if best is None:
        return FolderReading(None, tuple(refused))
    return FolderReading(best.volume, tuple(refused), best.path)


def _leave(groups: dict[str, list[DicomFile]], chosen: Path | None) -> list[Refused]:
    """Take out the groups without any file that is, or lies in, ``chosen``."""
    if chosen is None:
        return []
    left = [name for name, opened in groups.items() if not any(file.path.is_relative_to(chosen) for file in opened)]
    return [Refused(f"{NOT_CHOSEN}: it was chosen", (o := groups.pop(name))[0].path, len(o)) for name in left]


def _rank(opened: list[DicomFile], volume: Volume) -> tuple[bool, bool, int, int, float, str]:
    first = opened[0]
    tr, te = (volume.acquisition.get(name) or math.nan for name in ("repetition_time_ms", "echo_time_ms"))
    scout = tr < SCOUT_TR_MS and te < SCOUT_TE_MS
    number = first.elements.number("SeriesNumber") or 0.0
    return not is_derived(first), not scout, volume.array.shape[2], volume.array.size, number, first.series


def _better(best: _Candidate | None, new: _Candidate) -> tuple[_Candidate, list[Refused]]:
    """Give the better of two, and the other with what it lacks."""
    if best is None:
        return new, []
    winner, other = (new, best) if new.rank > best.rank else (best, new)
    pairs = zip(ADVANTAGES, winner.rank, other.rank, strict=True)
    why = next(advantage for advantage, one, two in pairs if one != two)
    return winner, [Refused(f"{NOT_CHOSEN}: it {why}", other.path, other.files)]


def _split(files: Sequence[Path], pixels: bool) -> tuple[dict[str, list[DicomFile]], list[Path], list[Refused]]:
    """Split files by SeriesInstanceUID; beside the groups: files too damaged to have one, and files of another kind."""
    groups: dict[str, list[DicomFile]] = {}
    lost: list[Path] = []
    strangers: dict[str, list[Path]] = {}
    for path in files:
        try:
            file = open_dicom(Path(path), pixels=pixels)
            if not file.is_directory:
                groups.setdefault(file.series, []).append(file)
        except ScanError as error:
            if error.reason in LOST:
                lost.append(Path(path))
            else:
                strangers.setdefault(error.reason, []).append(Path(path))
    for name in _beginnings(groups):
        lost += [file.path for file in groups.pop(name)]
    return groups, lost, [Refused(reason, paths[0], len(paths)) for reason, paths in strangers.items()]


def _beginnings(groups: dict[str, list[DicomFile]]) -> list[str]:
    """List the UIDs that are the mere beginning (or nothing) of another one, in files without an image: cut ones."""
    return [
        name
        for name, files in groups.items()
        if any(other != name and other.startswith(name) for other in groups)
        and all(file.elements.data() is None for file in files)
    ]
