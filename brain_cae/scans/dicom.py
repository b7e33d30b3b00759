"""Selects and reads one series among the DICOM files of a scan."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brain_cae.errors import ScanError
from brain_cae.scans.assembly import assemble
from brain_cae.scans.extent import has_head_size
from brain_cae.scans.file import DicomFile, open_dicom, truncated
from brain_cae.scans.kind import is_derived
from brain_cae.scans.volume import Volume

# Damage after which it is unknown which series the file belongs to.
LOST = ("truncated file", "damaged header")
NOT_CHOSEN = "another series was taken"
COPY = "identical copy"
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
        return not self.reason.startswith((NOT_DICOM, COPY, NOT_CHOSEN)), self.files


@dataclass(frozen=True)
class FolderReading:
    """The volume that was read from the files of one scan, if any, and what was left out, with reasons."""

    volume: Volume | None
    refused: tuple[Refused, ...]
    path: Path | None = None


@dataclass(frozen=True)
class _Candidate:
    """A regular series; the one with the largest ``rank`` is taken (see :func:`read_folder`)."""

    volume: Volume
    rank: tuple[bool, bool, bool, int, int, float, str]
    path: Path
    files: int


# The advantage of the series that was taken, for each value of the rank. The report stores these words.
ADVANTAGES = (
    "has the size of a head", "is original", "is no fast scout", "has more slices", "has more voxels",
    "has the higher number", "has the later UID",
)  # fmt: skip
# Planning scouts can be volumes of many slices; no brain contrast is acquired with times this short.
SCOUT_TR_MS, SCOUT_TE_MS = 5.0, 2.0


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


def read_folder(files: Sequence[Path], chosen: Path | None = None, *, pixels: bool = True) -> FolderReading:
    """Return one series from files that may hold several series or other files. Never raises ScanError.

    Files are grouped by SeriesInstanceUID, in any folder. Of the series that form a regular volume, one is taken:
    one of a head's size before others, original before derived, any before a fast scout, then the one with the most
    slices, most voxels, the highest SeriesNumber, the last UID. ``chosen``, a file or a folder, restricts this to
    series with a file there. Everything else is listed with its reason; a DICOMDIR is ignored. Without ``pixels`` only
    headers are read: the volume has the right shape but holds zeros, and no series is refused for its values.
    """
    groups, lost, refused = _split(files, pixels)
    refused += _remove_others(groups, chosen)
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
    # A file cut so short that its series is unknown may be the first or last slice of any series; no gap shows that.
    if lost:
        return FolderReading(None, (Refused("truncated file", lost[0], len(lost) + regular), *refused))
    if best is None:
        return FolderReading(None, tuple(refused))
    return FolderReading(best.volume, tuple(refused), best.path)


def _remove_others(groups: dict[str, list[DicomFile]], chosen: Path | None) -> list[Refused]:
    """Remove the groups without a file at or below ``chosen``, and return them as refused."""
    if chosen is None:
        return []
    others = [name for name, opened in groups.items() if not any(file.path.is_relative_to(chosen) for file in opened)]
    return [Refused(f"{NOT_CHOSEN}: it was chosen", (o := groups.pop(name))[0].path, len(o)) for name in others]


def _rank(opened: list[DicomFile], volume: Volume) -> tuple[bool, bool, bool, int, int, float, str]:
    first = opened[0]
    tr, te = (volume.acquisition.get(name) or math.nan for name in ("repetition_time_ms", "echo_time_ms"))
    scout = tr < SCOUT_TR_MS and te < SCOUT_TE_MS
    number = first.elements.number("SeriesNumber") or 0.0
    fits = has_head_size(volume.array.shape, volume.affine)
    return fits, not is_derived(first), not scout, volume.array.shape[2], volume.array.size, number, first.series


def _better(best: _Candidate | None, new: _Candidate) -> tuple[_Candidate, list[Refused]]:
    """Return the better of two candidates, and the other one with the reason."""
    if best is None:
        return new, []
    winner, other = (new, best) if new.rank > best.rank else (best, new)
    pairs = zip(ADVANTAGES, winner.rank, other.rank, strict=True)
    advantage = next(text for text, first, second in pairs if first != second)
    return winner, [Refused(f"{NOT_CHOSEN}: it {advantage}", other.path, other.files)]


def _split(files: Sequence[Path], pixels: bool) -> tuple[dict[str, list[DicomFile]], list[Path], list[Refused]]:
    """Return files grouped by SeriesInstanceUID, files too damaged to have one, and files that are not DICOM."""
    groups: dict[str, list[DicomFile]] = {}
    lost: list[Path] = []
    others: dict[str, list[Path]] = {}
    for path in files:
        try:
            file = open_dicom(Path(path), pixels=pixels)
            if not file.is_directory:
                groups.setdefault(file.series, []).append(file)
        except ScanError as error:
            if error.reason in LOST:
                lost.append(Path(path))
            else:
                others.setdefault(error.reason, []).append(Path(path))
    for name in _cut_names(groups):
        lost += [file.path for file in groups.pop(name)]
    return groups, lost, [Refused(reason, paths[0], len(paths)) for reason, paths in others.items()]


def _cut_names(groups: dict[str, list[DicomFile]]) -> list[str]:
    """Return the UIDs that are empty or the start of another UID, in files without pixels: these files were cut."""
    return [
        name
        for name, files in groups.items()
        if any(other != name and other.startswith(name) for other in groups)
        and all(file.elements.data() is None for file in files)
    ]
