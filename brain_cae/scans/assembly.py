"""Assembles the files of one DICOM series to one volume in patient space."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.acquisition import read_acquisition, times_of
from brain_cae.scans.completeness import check_concatenations
from brain_cae.scans.extent import check_localiser
from brain_cae.scans.file import DicomFile, open_dicom, truncated
from brain_cae.scans.frames import Frame, read_frames
from brain_cae.scans.geometry import ANGLE_TOLERANCE, affine_of, order_slices, plane_of, slice_normal
from brain_cae.scans.kind import refuse_kind
from brain_cae.scans.padding import without_padding
from brain_cae.scans.times import MILLISECONDS
from brain_cae.scans.volume import Volume, check_values, smallest_type

SPACING_TOLERANCE = 1e-3
# Two echoes of one sequence differ by milliseconds; the same echo in two files differs only by rounding.
ECHO_TOLERANCE_MS = 0.1
# Of the echo time, in case it is in seconds.
ECHO_TOLERANCE = 0.05
# Positions of the magnitude and the phase of one slice agree but for rounding.
SAME_PLACE_MM = 0.1
# Of a page: the cosine of its angle with the slices across which it lies, and the slices beside which there may be one.
PAGE, ACROSS, SLICES_BESIDE_PAGE = "a page among the slices", 0.5, 10

Pair = tuple[Frame, DicomFile]


@dataclass(frozen=True)
class Slice:
    """Where one slice of a volume comes from: its file, and the number of its frame there, from 1.

    ``position`` (3) and ``orientation`` (6) are those of its header, in LPS+ mm.
    """

    path: Path
    frame: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]


@dataclass(frozen=True)
class Assembly:
    """A series as a volume.

    ``copies`` are files that contain a slice a second time, ``set_aside`` images of another kind, each with the kind.
    ``first`` is the file of the first slice, and ``unit`` that of its times. ``slices`` are in the order of the volume.
    """

    volume: Volume
    copies: tuple[Path, ...]
    set_aside: tuple[tuple[str, Path], ...]
    first: DicomFile
    unit: str = MILLISECONDS
    slices: tuple[Slice, ...] = ()


def assemble(files: list[DicomFile], where: str) -> Assembly:
    """Return one volume from the files of one series in any order; without pixels, its voxels are zeros.

    Raises:
        ScanError: incomplete concatenation, varying matrix, varying spacing, mixed echo times, unknown scaling,
            localiser, and the reasons of ``frames.py``, ``geometry.py`` and ``volume.py``.
    """
    check_concatenations(files, where)
    images, others = _separate([(frame, file) for file in files for frame in read_frames(file)])
    images, pages = _without_page(images)
    pairs, copies = _drop_copies(images)
    frames = [frame for frame, _ in pairs]
    first = frames[0]
    _check_alike(frames, where)
    positions = np.array([frame.position for frame in frames])
    orientations = np.array([frame.orientation for frame in frames])
    order, distance = order_slices(positions, orientations, where=where)
    check_localiser(len(frames), distance, where=where)
    if files[0].pixels:
        ordered = [frames[number] for number in order]
        array = without_padding(_stack(ordered), _declared_padding(ordered))
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
    lowest, source = pairs[order[0]]
    acquisition = read_acquisition(source.elements, lowest.number - 1) | {
        "rows": array.shape[1],
        "columns": array.shape[0],
        "slices": array.shape[2],
        "spacing_row_mm": spacing_row,
        "spacing_column_mm": spacing_column,
        # Rounded to micrometres, the precision of positions, so that equal protocols have equal values.
        "spacing_slice_mm": round(distance, 3),
        "orientation": plane_of(slice_normal(orientations[order[0]])),
    }
    return Assembly(
        volume=Volume(array=array, affine=affine, acquisition=acquisition),
        copies=copies,
        set_aside=tuple(dict.fromkeys((frame.kind or PAGE, file.path) for frame, file in (*others, *pages))),
        first=source,
        unit=times_of(source.elements).unit,
        slices=tuple(
            Slice(file.path, frame.number, frame.position, frame.orientation)
            for frame, file in (pairs[number] for number in order)
        ),
    )


def _separate(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return the anatomical images, and those of another kind, such as the phase that belongs to a magnitude.

    Raises:
        ScanError: the kind of the others, if there is no anatomical image, or if one of the others may be a slice of
            the volume: it has the matrix and the orientation of the images, and a position that none of them has.
    """
    images = [pair for pair in pairs if not pair[0].kind]
    others = [pair for pair in pairs if pair[0].kind]
    if not others:
        return images, others
    if not images:
        raise refuse_kind(others[0][1], others[0][0].kind)
    first, places = images[0][0], np.array([frame.position for frame, _ in images])
    for frame, file in others:
        if file.cut and not frame.position:
            raise truncated(file.path)
        if not frame.position or len(frame.orientation) != 6 or frame.pixels.shape != first.pixels.shape:
            continue
        parallel = np.abs(np.subtract(frame.orientation, first.orientation)).max() <= ANGLE_TOLERANCE
        if parallel and np.linalg.norm(places - frame.position, axis=1).min() > SAME_PLACE_MM:
            raise refuse_kind(file, frame.kind)
    return images, others


def _without_page(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return the slices, and a page among them that is none, as reformatting adds one with planning lines.

    It lies across all others, or it alone has another matrix, and lies between them.
    """
    alike = len({(frame.orientation, frame.pixels.shape) for frame, _ in pairs}) == 1
    if alike or len(pairs) <= SLICES_BESIDE_PAGE:
        return pairs, []
    orientations = np.array([frame.orientation for frame, _ in pairs])
    normals = np.cross(orientations[:, :3], orientations[:, 3:])
    pages = np.flatnonzero((np.abs(normals @ normals.T) < ACROSS).sum(axis=1) == len(pairs) - 1)
    shapes = [frame.pixels.shape for frame, _ in pairs]
    odd = [number for number, shape in enumerate(shapes) if shapes.count(shape) == 1]
    if not len(pages) and len(odd) == 1 and len(set(shapes)) == 2:
        along = np.array([frame.position for frame, _ in pairs]) @ normals[odd[0]]
        others = np.delete(along, odd[0])
        pages = np.array(odd if others.min() <= along[odd[0]] <= others.max() else [], int)
    if len(pages) != 1:
        return pairs, []
    return [pair for number, pair in enumerate(pairs) if number != pages[0]], [pairs[pages[0]]]


def _drop_copies(pairs: list[Pair]) -> tuple[list[Pair], tuple[Path, ...]]:
    """Return the slices without exact copies, and the copies.

    A copy has the same position, scaling, echo time and pixels, as after a repeated export; that may have added a slope
    of 1 and an intercept of 0, or have converted a multi-frame file to slices. Slices at one position that
    differ in any of these are kept, and the geometry check refuses them.
    """
    if len({_place(frame)[0] for frame, _ in pairs}) == len(pairs):
        return pairs, ()
    if not pairs[0][1].pixels:
        if _differ(pairs):
            return pairs, ()
        first = {_place(frame)[:2]: (frame, file) for frame, file in reversed(pairs)}
        return list(first.values())[::-1], ()
    seen: set[tuple] = set()
    kept: list[Pair] = []
    copies: list[Path] = []
    for frame, file in pairs:
        content = _content(frame)
        if content in seen:
            copies.append(file.path)
        else:
            seen.add(content)
            kept.append((frame, file))
    return kept, tuple(copies)


def _differ(pairs: list[Pair]) -> bool:
    """Return whether slices whose pixels were not read are no copies: those at one place in the middle are compared."""
    places: dict[tuple, list[Pair]] = {}
    for frame, file in pairs:
        places.setdefault(_place(frame)[:2], []).append((frame, file))
    repeated = [places[place] for place in sorted(places) if len(places[place]) > 1]
    if not repeated:
        return False
    together = repeated[len(repeated) // 2]
    whole = (read_frames(open_dicom(file.path))[frame.number - 1] for frame, file in together)
    return len({_content(frame) for frame in whole}) > 1


def _content(frame: Frame) -> tuple:
    # As one type, exact for all: archives store the same values in another order of bytes, or as unsigned.
    pixels = hashlib.sha256(np.ascontiguousarray(frame.pixels, dtype="<f8").data).digest()
    scaling = (frame.slope or 1.0, frame.intercept or 0.0)
    return _place(frame), scaling, frame.echo_time, frame.pixels.shape, pixels


def _place(frame: Frame) -> tuple[tuple[float, ...], ...]:
    """Return position, orientation and spacing, rounded to 0.01 mm and less: exports cut their last digits."""
    return _rounded(frame.position, 2), _rounded(frame.orientation, 4), _rounded(frame.spacing, 4)


@lru_cache(maxsize=256)  # the slices of a series have one orientation and spacing
def _rounded(numbers: tuple[float, ...], digits: int) -> tuple[float, ...]:
    return tuple(round(number, digits) for number in numbers)


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
    _check_scaling(frames, where)
    echoes = sorted({frame.echo_time for frame in frames if frame.echo_time is not None})
    if echoes and echoes[-1] - echoes[0] > min(ECHO_TOLERANCE_MS, ECHO_TOLERANCE * abs(echoes[-1])):
        raise ScanError(
            "mixed echo times",
            expected="one contrast with one echo time",
            found=f"{echoes[0]:g} to {echoes[-1]:g} ms",
            where=where,
            advice="Export each echo as a separate series.",
        )


def _check_scaling(frames: list[Frame], where: str) -> None:
    """Without scaling in all slices the stored values are taken; in some, these would be on another scale."""
    for name, neutral in (("slope", 1.0), ("intercept", 0.0)):
        values = {getattr(frame, name) for frame in frames}
        if None in values and values - {None, neutral}:
            count = sum(getattr(frame, name) is None for frame in frames)
            raise ScanError(
                "unknown scaling",
                expected=f"a rescale {name} in every slice, or in none",
                found=f"none that can be used in {count} of {len(frames)} slices",
                where=where,
            )


def _stack(frames: list[Frame]) -> np.ndarray:
    """Return the rescaled slices as (columns, rows, slices); memory is in slice order, as in a NIfTI file."""
    slopes = [1.0 if frame.slope is None else frame.slope for frame in frames]
    intercepts = [frame.intercept or 0.0 for frame in frames]
    stored = np.result_type(*{frame.pixels.dtype.newbyteorder("=") for frame in frames})
    if set(slopes) == {1.0} and set(intercepts) == {0.0}:
        stack = np.empty((len(frames), *frames[0].pixels.shape), dtype=stored)
        for number, frame in enumerate(frames):
            stack[number] = frame.pixels
    else:
        scaled = zip(frames, slopes, intercepts, strict=True)
        stack = np.stack([frame.pixels * np.float64(slope) + intercept for frame, slope, intercept in scaled])
        whole = all(value.is_integer() for value in (*slopes, *intercepts))
        exact = whole and stored.kind in "iu" and np.abs(stack).max() < 2**53
        stack = stack.astype(np.int64) if exact else stack
    return smallest_type(stack).transpose(2, 1, 0)


def _declared_padding(frames: list[Frame]) -> np.ndarray | None:
    """Return where the slices have a value that their headers declare to be padding; None without such a header."""
    if not any(frame.padding for frame in frames):
        return None
    planes = []
    for frame in frames:
        low, high = frame.padding or (1, 0)  # a range without values
        planes.append((frame.pixels >= low) & (frame.pixels <= high))
    return np.stack(planes).transpose(2, 1, 0)
