"""DICOM files to one volume in patient space, or the named reason why they are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.acquisition import read_acquisition
from brain_cae.scans.frames import DicomFile, Frame, open_dicom, read_frames
from brain_cae.scans.geometry import affine_of, order_slices, plane_of, slice_normal
from brain_cae.scans.volume import Volume, check_values, smallest_type

SPACING_TOLERANCE = 1e-3
# Two echoes of one sequence differ by milliseconds; the same echo written twice by rounding.
ECHO_TOLERANCE_MS = 0.1
# Damage that leaves nobody able to say which series the file was a slice of.
LOST = ("truncated file", "damaged header")


@dataclass(frozen=True)
class Refused:
    """A series, or a file that is none, that was left out: the reason and one of its files."""

    reason: str
    path: Path
    files: int


@dataclass(frozen=True)
class FolderReading:
    """What a folder of DICOM gave: the chosen volume, if any, and what was left out, with reasons."""

    volume: Volume | None
    refused: tuple[Refused, ...]
    path: Path | None = None


def read_series(files: Sequence[Path]) -> Volume:
    """Read one series as a volume, whatever its files are called and in whatever order they come.

    Returns:
        Volume with array (columns, rows, slices), slices ordered along the normal, rescale applied, affine to RAS+ mm.

    Raises:
        ScanError: with one of the reasons of this module, ``frames.py`` and ``geometry.py``; "several series" when the
            files carry more than one SeriesInstanceUID (see :func:`read_folder`).
    """
    opened = [open_dicom(Path(path)) for path in files]
    names = {file.series for file in opened}
    where = str(Path(files[0]).parent) if files else ""
    if not opened:
        raise ScanError("no files", expected="DICOM files of one series", found="none")
    cut = next((file for file in opened if file.cut), None)
    if cut is not None:
        raise ScanError("truncated file", expected="a complete file", found="its end is missing", where=str(cut.path))
    if len(names) > 1:
        found = f"{len(names)} SeriesInstanceUIDs in {len(opened)} files"
        raise ScanError("several series", expected="one series", found=found, where=where)
    return _assemble(opened, where)


def read_folder(files: Sequence[Path]) -> FolderReading:
    """Read the files of a folder that ought to hold one series but may hold more, or strangers.

    Files are split by SeriesInstanceUID; of the series that make a regular volume the one with most slices is taken
    (more voxels, then the smaller UID, break a tie); all others are listed with their reason. Never raises ScanError.
    """
    groups, lost, refused = _split(files)
    regular: list[tuple[Volume, Refused]] = []
    for name in sorted(groups):
        opened = groups.pop(name)
        path = opened[0].path
        try:
            regular.append((_assemble(opened, str(path.parent)), Refused("several series", path, len(opened))))
        except ScanError as error:
            refused.append(Refused(error.reason, path, len(opened)))
    # A file cut so short that its series is unknown may be any series' first or last slice, which no gap shows.
    if lost or not regular:
        return FolderReading(None, (*_name_lost(lost, [other for _, other in regular]), *refused))
    volume, chosen = max(regular, key=lambda one: (one[0].array.shape[2], one[0].array.size))
    others = [other for _, other in regular if other is not chosen]
    return FolderReading(volume, (*refused, *others), chosen.path)


def _split(files: Sequence[Path]) -> tuple[dict[str, list[DicomFile]], list[Path], list[Refused]]:
    """Split files by SeriesInstanceUID; beside the groups: files too damaged to have one, and files of another kind."""
    groups: dict[str, list[DicomFile]] = {}
    lost: list[Path] = []
    refused: list[Refused] = []
    for path in files:
        try:
            file = open_dicom(Path(path))
            groups.setdefault(file.series, []).append(file)
        except ScanError as error:
            if error.reason in LOST:
                lost.append(Path(path))
            else:
                refused.append(Refused(error.reason, Path(path), 1))
    for name in _beginnings(groups):
        lost += [file.path for file in groups.pop(name)]
    return groups, lost, refused


def _name_lost(lost: list[Path], regular: list[Refused]) -> list[Refused]:
    if not lost:
        return []
    return [Refused("truncated file", lost[0], len(lost) + sum(other.files for other in regular))]


def _beginnings(groups: dict[str, list[DicomFile]]) -> list[str]:
    """List the UIDs that are the mere beginning (or nothing) of another one, in files without an image: cut ones."""
    return [
        name
        for name, files in groups.items()
        if any(other != name and other.startswith(name) for other in groups)
        and all(file.elements.data() is None for file in files)
    ]


def _assemble(files: list[DicomFile], where: str) -> Volume:
    frames: list[Frame] = []
    owners: list[DicomFile] = []
    for file in files:
        found = read_frames(file)
        frames += found
        owners += [file] * len(found)
    first = frames[0]
    _check_alike(frames, where)
    positions = np.array([frame.position for frame in frames])
    orientations = np.array([frame.orientation for frame in frames])
    order, distance = order_slices(positions, orientations, where=where)
    array = _stack([frames[number] for number in order])
    check_values(array, where=where)
    spacing_row, spacing_column = first.spacing
    affine = affine_of(
        positions[order[0]],
        orientations[order[0]],
        spacing_row=spacing_row,
        spacing_column=spacing_column,
        distance=distance,
    )
    acquisition = read_acquisition(owners[order[0]].header) | {
        "rows": array.shape[1],
        "columns": array.shape[0],
        "slices": array.shape[2],
        "spacing_row_mm": spacing_row,
        "spacing_column_mm": spacing_column,
        # Rounded to the micrometre: positions are written with so many digits, and equal protocols must compare equal.
        "spacing_slice_mm": round(distance, 3),
        "orientation": plane_of(slice_normal(orientations[order[0]])),
    }
    return Volume(array=array, affine=affine, acquisition=acquisition)


def _check_alike(frames: list[Frame], where: str) -> None:
    shapes = {frame.pixels.shape for frame in frames}
    if len(shapes) > 1:
        found = ", ".join(f"{rows}x{columns}" for rows, columns in sorted(shapes))
        raise ScanError("varying matrix", expected="one matrix size", found=found, where=where)
    orientations = np.array([frame.orientation for frame in frames])
    spacings = np.array([frame.spacing for frame in frames])
    # Stacks in several orientations often differ in more than that; orientation is what explains the rest.
    if np.abs(orientations - orientations[0]).max() < 0.01 and np.ptp(spacings, axis=0).max() > SPACING_TOLERANCE:
        found = f"{spacings.min():.4f} to {spacings.max():.4f} mm"
        raise ScanError("varying spacing", expected="one pixel spacing", found=found, where=where)
    echoes = sorted({frame.echo_time for frame in frames if frame.echo_time is not None})
    if echoes and echoes[-1] - echoes[0] > ECHO_TOLERANCE_MS:
        raise ScanError(
            "mixed echo times",
            expected="one contrast, so one echo time",
            found=f"{echoes[0]:g} to {echoes[-1]:g} ms",
            where=where,
            advice="Export each echo as a series of its own.",
        )


def _stack(frames: list[Frame]) -> np.ndarray:
    """Stack slices as (columns, rows, slices), rescaled; stored slice by slice, which is NIfTI's own order."""
    plain = all(frame.slope == 1 and frame.intercept == 0 for frame in frames)
    stored = frames[0].pixels.dtype.newbyteorder("=")
    if plain:
        stack = np.empty((len(frames), *frames[0].pixels.shape), dtype=stored)
        for number, frame in enumerate(frames):
            stack[number] = frame.pixels
    else:
        stack = np.stack([frame.pixels * np.float64(frame.slope) + frame.intercept for frame in frames])
        whole = all(float(value).is_integer() for frame in frames for value in (frame.slope, frame.intercept))
        stack = stack.astype(np.int64) if whole and stored.kind in "iu" else stack
    return smallest_type(stack).transpose(2, 1, 0)
