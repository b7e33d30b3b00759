"""Assembles the files of one DICOM series to one volume in patient space."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.acquisition import read_acquisition
from brain_cae.scans.extent import check_localiser
from brain_cae.scans.file import DicomFile
from brain_cae.scans.frames import Frame, read_frames
from brain_cae.scans.geometry import affine_of, order_slices, plane_of, slice_normal
from brain_cae.scans.volume import Volume, check_values, smallest_type

SPACING_TOLERANCE = 1e-3
# Two echoes of one sequence differ by milliseconds; the same echo in two files differs only by rounding.
ECHO_TOLERANCE_MS = 0.1


@dataclass(frozen=True)
class Assembly:
    """A series as a volume, and the files that contain a slice a second time."""

    volume: Volume
    copies: tuple[Path, ...]


def assemble(files: list[DicomFile], where: str) -> Assembly:
    """Return one volume from the files of one series in any order; without pixels, its voxels are zeros.

    Raises:
        ScanError: varying matrix, varying spacing, mixed echo times, localiser, and the reasons of ``frames.py``,
            ``geometry.py`` and ``volume.py``.
    """
    pairs, copies = _drop_copies([(frame, file) for file in files for frame in read_frames(file)])
    frames = [frame for frame, _ in pairs]
    first = frames[0]
    _check_alike(frames, where)
    positions = np.array([frame.position for frame in frames])
    orientations = np.array([frame.orientation for frame in frames])
    order, distance = order_slices(positions, orientations, where=where)
    check_localiser(len(frames), distance, where=where)
    if files[0].pixels:
        array = _stack([frames[number] for number in order])
        check_values(array, where=where)
    else:
        array = np.broadcast_to(first.pixels.T[..., None], (*first.pixels.T.shape, len(frames)))
    spacing_row, spacing_column = first.spacing
    affine = affine_of(
        positions[order[0]],
        orientations[order[0]],
        spacing_row=spacing_row,
        spacing_column=spacing_column,
        distance=distance,
    )
    acquisition = read_acquisition(pairs[order[0]][1].header) | {
        "rows": array.shape[1],
        "columns": array.shape[0],
        "slices": array.shape[2],
        "spacing_row_mm": spacing_row,
        "spacing_column_mm": spacing_column,
        # Rounded to micrometres, the precision of positions, so that equal protocols have equal values.
        "spacing_slice_mm": round(distance, 3),
        "orientation": plane_of(slice_normal(orientations[order[0]])),
    }
    return Assembly(Volume(array=array, affine=affine, acquisition=acquisition), copies)


def _drop_copies(pairs: list[tuple[Frame, DicomFile]]) -> tuple[list[tuple[Frame, DicomFile]], tuple[Path, ...]]:
    """Return the slices without exact copies, and the copies.

    A copy has the same position, scaling, echo time and pixels, as after a repeated export. Slices at one position that
    differ in any of these are kept, and the geometry check refuses them.
    """
    if len({frame.position for frame, _ in pairs}) == len(pairs):
        return pairs, ()
    if not pairs[0][1].pixels:
        # Only pixels can tell a copy from another slice at the same position: assume a copy.
        first = {(frame.position, frame.orientation): (frame, file) for frame, file in reversed(pairs)}
        return list(first.values())[::-1], ()
    seen: set[tuple] = set()
    kept: list[tuple[Frame, DicomFile]] = []
    copies: list[Path] = []
    for frame, file in pairs:
        pixels = hashlib.sha256(np.ascontiguousarray(frame.pixels).data).digest()
        facts = (frame.position, frame.orientation, frame.spacing, frame.slope, frame.intercept, frame.echo_time)
        content = (facts, frame.pixels.shape, frame.pixels.dtype.str, pixels)
        if content in seen:
            copies.append(file.path)
        else:
            seen.add(content)
            kept.append((frame, file))
    return kept, tuple(copies)


def _check_alike(frames: list[Frame], where: str) -> None:
    shapes = {frame.pixels.shape for frame in frames}
    if len(shapes) > 1:
        sizes = ", ".join(f"{rows}x{columns}" for rows, columns in sorted(shapes))
        raise ScanError("varying matrix", expected="one matrix size", found=sizes, where=where)
    orientations = np.array([frame.orientation for frame in frames])
    spacings = np.array([frame.spacing for frame in frames])
    # Stacks in several orientations often differ in spacing as well; then the orientation is the reason to report.
    if np.abs(orientations - orientations[0]).max() < 0.01 and np.ptp(spacings, axis=0).max() > SPACING_TOLERANCE:
        limits = f"{spacings.min():.4f} to {spacings.max():.4f} mm"
        raise ScanError("varying spacing", expected="one pixel spacing", found=limits, where=where)
    echoes = sorted({frame.echo_time for frame in frames if frame.echo_time is not None})
    if echoes and echoes[-1] - echoes[0] > ECHO_TOLERANCE_MS:
        raise ScanError(
            "mixed echo times",
            expected="one contrast with one echo time",
            found=f"{echoes[0]:g} to {echoes[-1]:g} ms",
            where=where,
            advice="Export each echo as a separate series.",
        )


def _stack(frames: list[Frame]) -> np.ndarray:
    """Return the rescaled slices as (columns, rows, slices); memory is in slice order, as in a NIfTI file."""
    plain = all(frame.slope == 1 and frame.intercept == 0 for frame in frames)
    stored = np.result_type(*{frame.pixels.dtype.newbyteorder("=") for frame in frames})
    if plain:
        stack = np.empty((len(frames), *frames[0].pixels.shape), dtype=stored)
        for number, frame in enumerate(frames):
            stack[number] = frame.pixels
    else:
        stack = np.stack([frame.pixels * np.float64(frame.slope) + frame.intercept for frame in frames])
        whole = all(float(value).is_integer() for frame in frames for value in (frame.slope, frame.intercept))
        stack = stack.astype(np.int64) if whole and stored.kind in "iu" else stack
    return smallest_type(stack).transpose(2, 1, 0)
