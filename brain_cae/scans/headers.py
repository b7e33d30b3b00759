"""What one file of a tree of DICOM says about its series, from the first part of its header.

Reading stops before the pixels, and before the large private elements of vendors: of 350,000 files only some kilobytes
each are read. Nothing here holds a name, a date or a free text of the header.
"""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.uid import EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage, MediaStorageDirectoryStorage

from brain_cae.errors import ScanError
from brain_cae.scans import archives
from brain_cae.scans.acquisition import read_acquisition
from brain_cae.scans.contrast_agent import has_agent
from brain_cae.scans.contrast_rules import Physics, content_of
from brain_cae.scans.descriptions import hints_of, names_other_part
from brain_cae.scans.elements import Elements
from brain_cae.scans.file import DicomFile, open_dicom
from brain_cae.scans.formats import POINTER
from brain_cae.scans.frames import beside_others
from brain_cae.scans.kind import (
    MR_IMAGES,
    SEPARABLE,
    check_kind,
    frame_types,
    is_derived,
    is_single_shot,
    kind_of,
    kind_of_frame,
)
from brain_cae.scans.raw_header import DamagedError, EndOfDataError, RawHeader, parse_file
from brain_cae.scans.silence import silence
from brain_cae.scans.values import items_of, numbers_of, text_of, texts_of, values_of

# Columns, the last element that is needed; the pixels and the vendors' protocol blocks come later.
LAST = 0x00280030
# Bytes of an entry of an archive that are unpacked for its header, and of any file that are read for its identifiers.
HEAD, START = 2**17, 2**14
ENDLESS = 2**62
PATIENT, STUDY, DESCRIPTIONS = 0x00100020, 0x0020000D, (0x0008103E, 0x00181030)
IMAGE, DIRECTORY, NOT_DICOM, DAMAGED, UNREADABLE, NO_SERIES, TRUNCATED, NOT_FETCHED = range(8)
STATUS = (
    "image", "DICOMDIR", "not DICOM", "damaged header", "unreadable file", "no series", "truncated file",
    "not downloaded",
)  # fmt: skip
"""What a file is; the numbers above are places in this list."""
LOST = (DAMAGED, UNREADABLE, TRUNCATED, NOT_FETCHED)
"""What may have been an image."""

MULTI_FRAME = (EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
CODES = ("SE", "GR", "IR", "EP", "RM")
SEQUENCES = {
    "SE": r"tse|fse|frfse|spc|cube|tir\d|flair|\bse\d|hst",
    "GR": r"\*?t?fl[23]d|spgr|fgre|gre|ffe|tfe|mprage|bravo",
    "IR": r"flair|tir\d|spcir|tfl3d|mprage|bravo|fir",
    "EP": r"ep2d|epi|epfid|epse|ep_b|dwi",
}
# Values of ImageType, of Philips and of the standard, for which the magnetisation is inverted before.
INVERTED = frozenset({"M_IR", "IR", "FLUID_ATTENUATED"})
# Of two positions that differ, the sums with these weights differ too.
PLACE = (1.0, math.sqrt(2), math.sqrt(3))
# Words of ImageType for maps and sums of a perfusion with contrast agent; blood flow is measured without one, too.
BOLUS_MAPS = frozenset({"PBP", "GBP", "TTP", "MTT", "RELMTT", "TMAX", "CBV", "RCBV", "RELCBV", "LEAKAGE", "RLEAKAGE"})
VARIANTS = ("SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP")


@dataclass(frozen=True)
class FileHeader:
    """Of one file: what it is, its identifiers and date (not to be written), its frames, whether b is above 0.

    ``uid`` is empty where ``series`` stands in for it. ``number`` is the instance number and ``serial`` that of the
    series, ``echo`` and ``repetition`` the times as written, ``place`` a number that only images at one position share;
    each is 0 if it is unknown. ``type`` is ImageType, ``plane`` the orientation, and ``day`` the date of the study. A
    file that is ``apart`` may lie in the series of an anatomical image without being one: it does not describe that
    series. ``agent``: a classic image names a contrast agent, which may be recorded in a part of its series only.
    ``dated``: a date stands in for ``study``.
    """

    status: int
    patient: str = ""
    study: str = ""
    series: str = ""
    frames: int = 1
    diffusion: bool = False
    header: FileDataset | None = None
    uid: str = ""
    number: int = 0
    apart: bool = False
    echo: float = 0.0
    serial: int = 0
    type: str = ""
    place: float = 0.0
    plane: tuple[float, ...] = (0.0,) * 6
    repetition: float = 0.0
    day: str = ""
    agent: bool = False
    dated: bool = False


@dataclass(frozen=True)
class SeriesFacts:
    """What a series is, in numbers and codes alone; ``thickness`` is the larger of thickness and distance (mm)."""

    physics: Physics
    derived: bool = False
    number: float = math.nan
    rows: int = 0
    columns: int = 0
    thickness: float = math.nan


def identify(path: Path) -> FileHeader:
    """Return what one file is, of an ordinary image without its header: with pydicom that takes five times as long."""
    header = first_part(path)
    if header is not None:
        elements = Elements(header)
        if elements.text("SeriesInstanceUID") and not _is_directory(elements):
            return image_header(elements)
    return read_header(path)


def first_part(path: Path) -> RawHeader | None:
    """Return the header of an ordinary file from its first part; None if it may go on behind that."""
    try:
        start, _ = archives.read_start(path, START)
        header = parse_file(start, ENDLESS, partial=True)
    except (OSError, ScanError, DamagedError, EndOfDataError):
        return None
    # Elements are in the order of their tags: one behind the last that is needed shows that no other is missing.
    return header if start[128:132] == b"DICM" and max(header.places, default=0) > LAST else None


def _is_directory(elements: Elements) -> bool:
    return elements.text("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage


def read_header(path: Path) -> FileHeader:
    """Return what one file is, with its header. Never raises: what cannot be read has a status."""
    file = _read(path, HEAD)
    # What is missing in a rare entry lies behind long elements.
    missing = file.status in (DAMAGED, NO_SERIES, TRUNCATED) or (
        file.header is not None and "Columns" not in file.header
    )
    return _read(path, -1) if missing else file


def _read(path: Path, head: int) -> FileHeader:
    prefixed = False
    try:
        with archives.opened(path, head) as stream:
            start = stream.read(132)
            prefixed = start[128:] == b"DICM"
            if not prefixed and start[:2] not in (b"\x08\x00", b"\x02\x00"):
                return FileHeader(_foreign(start + stream.read(START)))
            stream.seek(0)
            header = _partial(stream)
    except OSError:
        return FileHeader(UNREADABLE)
    except InvalidDicomError:
        return FileHeader(TRUNCATED if prefixed else NOT_DICOM)
    except ScanError:
        return FileHeader(UNREADABLE)
    except Exception:  # a damaged header can fail anywhere in the parser
        return FileHeader(DAMAGED)
    if str(header.file_meta.get("MediaStorageSOPClassUID", "")) == MediaStorageDirectoryStorage:
        return FileHeader(DIRECTORY)
    elements = Elements(header)
    if not elements.text("SeriesInstanceUID"):
        if elements.text("SOPClassUID") in MR_IMAGES:
            return image_header(elements, header) if elements.whole("Columns", 0) else FileHeader(TRUNCATED)
        if elements.text("SOPClassUID") or elements.plain(STUDY) or elements.plain(PATIENT):
            return FileHeader(NO_SERIES)
        return FileHeader(TRUNCATED if prefixed else NOT_DICOM)
    return image_header(elements, header)


def _foreign(start: bytes) -> int:
    """Return what a file is that does not start as DICOM does."""
    if POINTER.match(start):
        return NOT_FETCHED
    # Zeros alone, or nothing: the content was lost.
    return NOT_DICOM if start.strip(b"\0") else TRUNCATED


def image_header(elements: Elements, header: FileDataset | None = None) -> FileHeader:
    """Return what an image says of itself."""
    uid = elements.text("SeriesInstanceUID")
    patient, study = (elements.plain(tag) for tag in (PATIENT, STUDY))
    types = elements.texts("ImageType")
    position = elements.lengths("ImagePositionPatient", 3)
    frames = max(1, elements.whole("NumberOfFrames", 1))
    return FileHeader(
        IMAGE,
        patient,
        # Where an anonymiser removed the identifiers, date and number tell studies, and the series of a study, apart.
        study or f"date {elements.text('StudyDate')}",
        uid or f"number {elements.text('SeriesNumber')}",
        frames=frames,
        diffusion=(elements.number("DiffusionBValue") or 0.0) > 0,
        header=header,
        uid=uid,
        number=max(0, elements.whole("InstanceNumber", 0)),
        echo=max(0.0, elements.number("EchoTime") or 0.0),
        repetition=max(0.0, elements.number("RepetitionTime") or 0.0),
        apart=elements.whole("Columns", 0) < 1 or kind_of(types) in SEPARABLE,
        serial=max(0, elements.whole("SeriesNumber", 0)),
        type="\\".join(types),
        day=elements.text("StudyDate"),
        agent=frames == 1 and has_agent(elements),
        dated=not study,
        # Rounded to 0.01 mm, since exports cut the last digits of positions.
        place=sum(round(value, 2) * weight for value, weight in zip(position, PLACE, strict=False)),
        plane=elements.lengths("ImageOrientationPatient", 6) or (0.0,) * 6,
    )


def facts_of(path: Path, header: FileDataset) -> SeriesFacts:
    """Return what a header says about its series."""
    return series_facts(DicomFile(path, header, Elements(header), "", cut=False, pixels=False))


def series_facts(file: DicomFile) -> SeriesFacts:
    """Return what a file says about its series.

    An enhanced file is opened again for its functional groups, and one of Philips or GE for private elements.
    """
    with silence():
        groups: list[Elements] = []
        number = 0
        if file.elements.text("Manufacturer").upper().startswith(("PHILIPS", "GE")):
            with suppress(ScanError):
                file = open_dicom(file.path, pixels=False)
        if file.elements.text("SOPClassUID") in MULTI_FRAME:
            try:
                file = open_dicom(file.path, pixels=False)
            except ScanError:
                return SeriesFacts(Physics(kind="damaged header"))
            shared = file.elements.items("SharedFunctionalGroupsSequence")
            frames = file.elements.items("PerFrameFunctionalGroupsSequence")
            # Phase and magnitude may take turns in one file: a frame that is taken says what the series is.
            places = [[one, *shared, file.elements] for one in frames]
            kinds = beside_others([kind_of_frame(place[:-1]) for place in places], places)
            number = kinds.index("") if "" in kinds else 0
            groups = [*shared, *frames[number : number + 1]]
        return _facts(file, groups, number)


def _facts(file: DicomFile, groups: Sequence[Elements], frame: int) -> SeriesFacts:
    header, elements = file.header, file.elements
    known = read_acquisition(header, frame)
    places = [header, *(item for group in groups for name in _NESTED for item in items_of(group.dataset, name))]
    contrasts = [value for place in places for value in texts_of(place, "AcquisitionContrast")]
    image_type = [*texts_of(header, "ImageType"), *contrasts]
    options = {value for place in places for value in texts_of(place, "ScanOptions")}
    variants = tuple(value for value in texts_of(header, "SequenceVariant") if value in VARIANTS)
    words = {word for value in image_type for word in re.split(r"[\s_]+", value)}
    bolus = not BOLUS_MAPS.isdisjoint(words)
    # Spins that a pulse labels take the place of a contrast agent, however the perfusion is called.
    hints = [hint for hint in _hints(header) if hint != "bolus" or "ASL" not in words]
    # GE sets AngioFlag for flow compensation too, so it says nothing about a spin echo.
    angiogram = "Y" in texts_of(header, "AngioFlag") or any(
        "YES" in texts_of(item, "TimeOfFlightContrast") for item in places
    )
    physics = Physics(
        tr=known["repetition_time_ms"],
        te=known["echo_time_ms"],
        ti=known["inversion_time_ms"],
        flip=known["flip_angle_deg"],
        codes=_codes(header, known["sequence"], places, image_type),
        variants=variants,
        three_d=known["dimensionality"] == "3D",
        spacing=min((value for place in places for value in numbers_of(place, "PixelSpacing")), default=math.nan),
        inversions=max(len({*numbers_of(place, "InversionTimes")}) for place in places),
        agent=has_agent(elements, groups),
        flow=angiogram or "MTC" in variants or bool(options & {"FC", "MT", "FLOW COMP", "TONE"}),
        kind=_kind(file, groups) or next(filter(None, map(content_of, (image_type, *frame_types(groups)))), ""),
        hints=(*hints, *(["bolus"] if bolus else [])),
        elsewhere=is_elsewhere(header),
    )
    names = ("SliceThickness", "SpacingBetweenSlices")
    thickness = [value for name in names for place in places for value in numbers_of(place, name)]
    number = elements.number("SeriesNumber")
    return SeriesFacts(
        physics=physics,
        # The number of a map of a perfusion is that of the perfusion, or higher.
        derived=is_derived(file) and not bolus,
        number=math.nan if number is None else number,
        rows=elements.whole("Rows", 0),
        columns=elements.whole("Columns", 0),
        thickness=max(thickness, default=math.nan),
    )


_NESTED = (
    "PixelMeasuresSequence", "MRTimingAndRelatedParametersSequence", "MRModifierSequence", "MREchoSequence",
    "MRImageFrameTypeSequence", "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
)  # fmt: skip


def _kind(file: DicomFile, groups: Sequence[Elements]) -> str:
    try:
        check_kind(file, groups)
    except ScanError as error:
        return error.reason
    return ""


def _codes(header: Dataset, sequence: str, places: Sequence[Dataset], image_type: Sequence[str]) -> tuple[str, ...]:
    """Return the values of ScanningSequence; an enhanced file has other elements for the same.

    ImageType and AcquisitionContrast (``image_type``) may name an inversion of which the time is missing. GE writes RM
    (research mode) for many; there the pulse sequence's name, a word of the scanner, says what it is.
    """
    written = [value for place in (header, *places) for value in texts_of(place, "ScanningSequence")]
    # Some writers separate them by a comma.
    codes = [code for value in written for code in re.split(r"\W+", value) if code in CODES]
    sequences = " ".join([*values_of(header, "SequenceName"), *values_of(header, "PulseSequenceName")]).lower()
    if not set(codes) - {"RM"}:
        codes += [code for code, pattern in SEQUENCES.items() if re.search(pattern, sequences)]
    elif re.search(SEQUENCES["EP"], sequences):
        codes.append("EP")
    elif "SE" in codes and re.search(r"flair|tir\d", sequences):
        codes.append("IR")
    pulse = "".join(texts_of(header, "EchoPulseSequence")[:1])
    if not codes:
        codes = [code for word, code in (("SPIN", "SE"), ("GRADIENT", "GR")) if pulse in (word, "BOTH")]
        codes += ["IR"] if sequence == "IR" else []
    codes += ["IR"] if INVERTED.intersection(image_type) else []
    if "YES" in texts_of(header, "EchoPlanarPulseSequence") or is_single_shot(Elements(header)):
        codes.append("EP")
    return tuple(dict.fromkeys(codes))


def is_elsewhere(header: Dataset) -> bool:
    """Return whether the header names another part of the body than the head.

    The description is believed before BodyPartExamined, which is often that of the whole examination, and so is
    ProtocolName of GE.
    """
    series, protocol = _descriptions(header)
    part = text_of(header, "BodyPartExamined")
    return (
        names_other_part(series, protocol, part)
        if _is_of_ge(header)
        else names_other_part(f"{series} {protocol}", part)
    )


def _hints(header: Dataset) -> tuple[str, ...]:
    """Return what the description names. ProtocolName adds to it, but with GE, which names the whole examination."""
    series, protocol = _descriptions(header)
    return (hints_of(series) or hints_of(protocol)) if _is_of_ge(header) else hints_of(series, protocol)


def _is_of_ge(header: Dataset) -> bool:
    return text_of(header, "Manufacturer").upper().startswith("GE")


def _descriptions(header: Dataset) -> list[str]:
    return [Elements(header).plain(tag) for tag in DESCRIPTIONS]


def _partial(stream: Any) -> FileDataset:
    header = read_partial(stream, stop_when=lambda tag, vr, length: int.__gt__(tag, LAST), force=True)
    if not len(header) and not len(header.file_meta):
        raise InvalidDicomError
    return header
