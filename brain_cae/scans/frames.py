"""Reads one DICOM file as frames: pixels with the header values that place them in the patient."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brain_cae.scans.contrast_rules import content_of
from brain_cae.scans.elements import MODALITY_LUT, Elements
from brain_cae.scans.file import DicomFile, miscounted, refuse, truncated
from brain_cae.scans.kind import SEPARABLE, frame_types, kind_of_frame, kind_of_image, refuse_kind
from brain_cae.scans.pixels import padding_of, read_pixels, shape_of, zeros

# Series whose headers are remembered.
SERIES = 64
# Values of FrameType of a Dixon scan, and what is set aside beside others.
WATER, TOGETHER = frozenset({"WATER", "W"}), frozenset({"IN PHASE", "IN_PHASE", "IP"})
IN_PHASE, FIRST_ECHO = "in-phase image", "first of two echoes"
# Of two echoes with these times (ms) the second one is a T2, if it comes later by this factor.
T2_TE_MS, LATER = 65.0, 1.5


@dataclass(frozen=True)
class Frame:
    """One slice: pixels (rows, columns) as stored, position and orientation in LPS+ mm, spacing (row, column) in mm.

    ``slope``, ``intercept`` and ``echo_time`` are None if the header does not give them. An image that is not an
    anatomical one has its ``kind`` (of ``SEPARABLE``); its pixels are zeros, and it may have no position. ``number`` is
    its place in the file, from 1. ``padding`` are the lowest and the highest stored value that its header declares to
    be padding, see :func:`brain_cae.scans.pixels.padding_of`.
    """

    pixels: np.ndarray
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    slope: float | None
    intercept: float | None
    echo_time: float | None
    kind: str = ""
    number: int = 1
    padding: tuple[int, int] | None = None


def read_frames(file: DicomFile) -> list[Frame]:
    """Return the frames of one file: one for a classic slice, many for enhanced multi-frame.

    Raises:
        ScanError: no slice position, no pixel spacing, wrong number of frames, unknown scaling, truncated file, and the
            reasons of ``kind.py`` and ``pixels.py``.
    """
    # Without pixels, their type is not known, by which declared padding is understood.
    key = (file.pixels, file.elements.series_key)
    like = _known.get(key)
    if like is not None and not file.cut and (position := file.elements.lengths("ImagePositionPatient", 3)):
        return [replace(like, position=position, pixels=read_pixels(file)[0] if file.pixels else like.pixels)]
    frames = _read(file)
    if len(frames) == 1 and not frames[0].kind and file.elements.series_key is not None:
        if len(_known) >= SERIES:
            _known.clear()
        _known[key] = replace(frames[0], pixels=zeros((1, *frames[0].pixels.shape))[0])
    return frames


# A slice of each of the last series, without its pixels: of the next one, only the position must be read.
_known: dict[Hashable, Frame] = {}


def _read(file: DicomFile) -> list[Frame]:
    kind = kind_of_image(file)
    # Of a cut file without kind it is unknown what it was.
    if file.cut and not kind:
        raise truncated(file.path)
    if kind and kind not in SEPARABLE:
        raise refuse_kind(file, kind)
    if not kind and file.elements.has(MODALITY_LUT):
        raise refuse(file, "unknown scaling", "a rescale slope and intercept", "a table of values (Modality LUT)")
    count = file.elements.whole("NumberOfFrames", 1)
    groups = file.elements.items("PerFrameFunctionalGroupsSequence")
    shared = file.elements.items("SharedFunctionalGroupsSequence")[:1]
    if not groups and count > 1 and not kind:
        raise refuse(file, "no slice position", "a position for each frame", f"{count} frames without positions")
    if groups and len(groups) != count:
        raise miscounted(file, count, f"functional groups of {len(groups)}")
    places = [[item, *shared, file.elements] for item in groups] or [[file.elements]]
    kinds = [kind or kind_of_frame(place[:-1]) for place in places]
    if strange := next((one for one in kinds if one and one not in SEPARABLE), ""):
        raise refuse_kind(file, strange)
    kinds = beside_others(kinds, places) if groups else kinds
    pixels = zeros((len(places), *shape_of(file)[1:])) if all(kinds) else read_pixels(file)
    numbers = range(1, len(places) + 1)
    return [_place(file, *frame) for frame in zip(pixels, places, kinds, numbers, strict=False)]


def beside_others(kinds: Sequence[str], places: Sequence[list[Elements]]) -> list[str]:
    """Return the kinds of the frames of one file; a frame that could be taken has one beside others.

    Of a Dixon scan, fat and opposed phase have one beside others, and images in phase beside water. Of a dual echo, the
    first has one beside a T2.

    Args:
        kinds: Kind of each frame by itself, see :func:`brain_cae.scans.kind.kind_of_frame`.
        places: Of each frame its functional groups, those shared by all, and the header.
    """
    types = [frame_types(place[:-1]) for place in places]
    found = [kind or next(filter(None, map(content_of, one)), "") for kind, one in zip(kinds, types, strict=True)]
    found = found if "" in found else list(kinds)
    values = [{value.upper() for one in known for value in one[2:]} for known in types]
    if any(not kind and known & WATER for kind, known in zip(found, values, strict=True)):
        found = [kind or (IN_PHASE if known & TOGETHER else "") for kind, known in zip(found, values, strict=True)]
    echoes = [None if kind else _echo_time(place) for kind, place in zip(found, places, strict=True)]
    times = sorted({echo for echo in echoes if echo})
    if len(times) == 2 and times[1] >= max(T2_TE_MS, LATER * times[0]):
        found = [FIRST_ECHO if echo == times[0] else kind for kind, echo in zip(found, echoes, strict=True)]
    return found


def _place(file: DicomFile, pixels: np.ndarray, places: list[Elements], kind: str, number: int) -> Frame:
    position = _numbers(places, "ImagePositionPatient", 3, "PlanePositionSequence")
    orientation = _numbers(places, "ImageOrientationPatient", 6, "PlaneOrientationSequence")
    spacing = _numbers(places, "PixelSpacing", 2, "PixelMeasuresSequence")
    slope = _numbers(places, "RescaleSlope", 1, "PixelValueTransformationSequence")
    intercept = _numbers(places, "RescaleIntercept", 1, "PixelValueTransformationSequence")
    if not slope and not intercept:
        slope, intercept = _real_world(places)
    if not kind:
        _check_placed(file, position, orientation, spacing)
    return Frame(
        pixels=pixels,
        position=position,
        orientation=orientation,
        spacing=spacing,
        slope=slope[0] if slope and slope[0] else None,
        intercept=intercept[0] if intercept else None,
        echo_time=_echo_time(places),
        kind=kind,
        number=number,
        padding=None if kind else padding_of(file, pixels.dtype),
    )


def _check_placed(
    file: DicomFile, position: tuple[float, ...], orientation: tuple[float, ...], spacing: tuple[float, ...]
) -> None:
    if not position or not orientation:
        raise refuse(
            file,
            "no slice position",
            "position (3 numbers) and orientation (6 numbers) of the slice",
            f"{_shown(file, 'ImagePositionPatient')}; {_shown(file, 'ImageOrientationPatient')}",
        )
    if not spacing and file.elements.is_empty("PixelSpacing") and file.elements.lengths("ImagerPixelSpacing", 2):
        raise refuse(file, "not MR", "PixelSpacing, in the patient", "only ImagerPixelSpacing, on a detector of X-rays")
    if not spacing or not all(0 < length < 1000 for length in spacing):
        raise refuse(file, "no pixel spacing", "two lengths above 0 mm", _shown(file, "PixelSpacing"))


def _shown(file: DicomFile, name: str) -> str:
    """Return the name of an element with its value, for a message: numbers as they are written, no other text."""
    written = "\\".join(file.elements.texts(name))
    if not written.strip("\\"):
        return f"no {name}"
    return f"{name} {written[:80]}" if set(written) <= set("0123456789+-.,eE\\ ") else f"{name} is not a number"


def _real_world(places: list[Elements]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return slope and intercept to real-world values, which Philips may write for each slice in place of a rescale."""
    items = (item for place in places for item in place.items("RealWorldValueMappingSequence"))
    item = next((item for item in items if item.number("RealWorldValueSlope")), None)
    return ((), ()) if item is None else (item.numbers("RealWorldValueSlope"), item.numbers("RealWorldValueIntercept"))


def _echo_time(places: list[Elements]) -> float | None:
    numbers = next((one for place in places if (one := place.numbers("EchoTime"))), ())
    if not numbers and len(places) > 1:
        items = (item for place in places for item in place.items("MREchoSequence"))
        numbers = next((one for item in items if (one := item.numbers("EffectiveEchoTime"))), ())
    return numbers[0] if numbers else None


def _numbers(places: list[Elements], name: str, count: int, group: str) -> tuple[float, ...]:
    """Return a value from the functional groups of the frame, else from the shared ones, else from the header."""
    for place in places:
        values = place.lengths(name, count)
        if not values and len(places) > 1:
            values = next((numbers for item in place.items(group) if (numbers := item.lengths(name, count))), ())
        if values:
            return values
    return ()
