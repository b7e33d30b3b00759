"""One DICOM file as frames: pixels with the few header values that place them in the patient."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from brain_cae.errors import ScanError
from brain_cae.scans.elements import Elements

IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
BYTE_ORDER = {IMPLICIT_LITTLE: "<", EXPLICIT_LITTLE: "<", EXPLICIT_BIG: ">"}
PLANNING = ("LOCALIZER", "LOCALISER", "SCOUT")


@dataclass(frozen=True)
class Frame:
    """One slice: pixels (rows, columns) as stored, position and orientation in LPS+ mm, spacing (row, column) in mm."""

    pixels: np.ndarray
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    slope: float
    intercept: float
    echo_time: float | None


@dataclass(frozen=True)
class DicomFile:
    """One file as pydicom opened it; ``cut`` when it ended before its last element did."""

    path: Path
    header: FileDataset
    elements: Elements
    series: str
    cut: bool


def open_dicom(path: Path) -> DicomFile:
    """Read one file; raises ScanError (not DICOM, truncated file, damaged header, unreadable file)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            header = dcmread(path)
        except InvalidDicomError:
            header = _open_bare(path)
        except EOFError as error:
            raise _truncated(path) from error
        except OSError as error:
            raise ScanError("unreadable file", found=type(error).__name__, where=str(path)) from error
        except Exception as error:
            # A damaged header can fail anywhere in the parser; which way it fails tells nobody anything.
            raise ScanError(
                "damaged header", expected="a DICOM header", found="none that ends", where=str(path)
            ) from error
    elements = Elements(header)
    cut = elements.is_cut() or any("end of file" in str(warning.message).lower() for warning in caught)
    return DicomFile(path=path, header=header, elements=elements, series=elements.text("SeriesInstanceUID"), cut=cut)


def _open_bare(path: Path) -> FileDataset:
    with path.open("rb") as stream:
        start = stream.read(132)
    if len(start) < 132 and not start[:128].strip(b"\0"):
        raise _truncated(path, f"{len(start)} bytes")
    refusal = ScanError("not DICOM", expected="a DICOM file", found="another kind of file", where=str(path))
    # Exports of the nineties lack the preamble; a data set then starts with group 0008 (or 0002) itself.
    if start[:2] not in (b"\x08\x00", b"\x02\x00"):
        raise refusal
    try:
        header = dcmread(path, force=True)
    except Exception as error:
        raise refusal from error
    if not Elements(header).text("SOPClassUID"):
        raise refusal
    return header


def read_frames(file: DicomFile) -> list[Frame]:
    """Read the frames of one file: one for a classic slice, many for enhanced multi-frame.

    Raises:
        ScanError: not MR, mosaic, localiser, colour image, no pixel data, no slice position, no pixel spacing,
            truncated file, unreadable pixel data, missing decoder.
    """
    if file.cut:
        raise _truncated(file.path)
    check_kind(file)
    count = file.elements.whole("NumberOfFrames", 1)
    groups = file.elements.items("PerFrameFunctionalGroupsSequence")
    if not groups and count > 1:
        raise _refuse(file, "no slice position", "a position for each frame", f"{count} frames without any")
    if groups and len(groups) != count:
        raise _refuse(file, "truncated file", f"{count} frames", f"functional groups of {len(groups)}")
    pixels = read_pixels(file)
    if not groups:
        return [_place(file, pixels[0], [file.elements])]
    shared = file.elements.items("SharedFunctionalGroupsSequence")[:1]
    return [_place(file, frame, [item, *shared, file.elements]) for frame, item in zip(pixels, groups, strict=True)]


def check_kind(file: DicomFile) -> None:
    """Raise ScanError when the file is no slice of a structural MR image."""
    modality = file.elements.text("Modality")
    kinds = [part.upper() for part in file.elements.texts("ImageType")]
    if modality and modality != "MR":
        raise _refuse(file, "not MR", "Modality MR", "another modality")
    if "MOSAIC" in kinds:
        raise _refuse(file, "mosaic", "one slice per image", "all slices of a time point tiled into one image")
    if any(kind in PLANNING for kind in kinds):
        raise _refuse(file, "localiser", "a scan of the whole brain", "a planning image")
    if file.elements.whole("SamplesPerPixel", 1) != 1:
        raise _refuse(file, "colour image", "one value per pixel", "several")


def read_pixels(file: DicomFile) -> np.ndarray:
    """Read stored pixels (frames, rows, columns) without rescaling; uncompressed ones are a view of the file's bytes.

    Raises:
        ScanError: no pixel data, truncated file, unreadable pixel data, missing decoder.
    """
    if file.cut:
        raise _truncated(file.path)
    elements = file.elements
    found = elements.data()
    rows, columns = elements.whole("Rows", 0), elements.whole("Columns", 0)
    shape = (max(elements.whole("NumberOfFrames", 1), 1), rows, columns)
    if found is None or not rows or not columns:
        raise _refuse(file, "no pixel data", "an image", "a header only")
    syntax = _syntax(file.header)
    if syntax not in BYTE_ORDER:
        return _decode(file, syntax, shape)
    name, data = found
    kind = "f" if name != "PixelData" else "i" if elements.whole("PixelRepresentation", 0) else "u"
    size = {"FloatPixelData": 4, "DoubleFloatPixelData": 8}.get(name, elements.whole("BitsAllocated", 16) // 8)
    if kind != "f" and size not in (1, 2, 4):
        raise _refuse(file, "unreadable pixel data", "8, 16 or 32 bits per pixel", f"{size * 8} bits")
    count = shape[0] * rows * columns
    if len(data) < count * size:
        raise _truncated(file.path, f"{len(data)} of {count * size} bytes of pixels")
    return np.frombuffer(data, dtype=f"{BYTE_ORDER[syntax]}{kind}{size}", count=count).reshape(shape)


def _decode(file: DicomFile, syntax: str, shape: tuple[int, int, int]) -> np.ndarray:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            array = file.header.pixel_array
        except Exception as error:
            # Each decoder fails in its own way; a missing one is the only case with another cure.
            if "missing dependencies" in str(error):
                name = UID(syntax).name
                raise _refuse(file, "missing decoder", "a decoder for the compression", name) from error
            raise _refuse(file, "unreadable pixel data", "complete compressed pixels", type(error).__name__) from error
    # A decoder that runs out of bytes may fill up with zeros and only warn.
    if array.size != np.prod(shape) or any("frame" in str(one.message).lower() for one in caught):
        raise _truncated(file.path, f"{array.size} of {np.prod(shape)} pixels")
    return array.reshape(shape)


def _syntax(header: FileDataset) -> str:
    syntax = str(header.file_meta.get("TransferSyntaxUID", "")) if hasattr(header, "file_meta") else ""
    if syntax:
        return syntax
    implicit, little = header.original_encoding
    return EXPLICIT_BIG if not little else IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE


def _place(file: DicomFile, pixels: np.ndarray, places: list[Elements]) -> Frame:
    position = _numbers(places, "ImagePositionPatient", "PlanePositionSequence")
    orientation = _numbers(places, "ImageOrientationPatient", "PlaneOrientationSequence")
    spacing = _numbers(places, "PixelSpacing", "PixelMeasuresSequence")
    if len(position) != 3 or len(orientation) != 6 or not np.isfinite(position + orientation).all():
        raise _refuse(file, "no slice position", "position and orientation of the slice", "none or part of them")
    if len(spacing) != 2 or not all(0 < length < 1000 for length in spacing):
        raise _refuse(file, "no pixel spacing", "two lengths above 0 mm", str(list(spacing)))
    slope = _numbers(places, "RescaleSlope", "PixelValueTransformationSequence")
    intercept = _numbers(places, "RescaleIntercept", "PixelValueTransformationSequence")
    echo = _numbers(places, "EchoTime") or _numbers(places, "EffectiveEchoTime", "MREchoSequence")
    return Frame(
        pixels=pixels,
        position=position,
        orientation=orientation,
        spacing=spacing,
        slope=slope[0] if slope else 1.0,
        intercept=intercept[0] if intercept else 0.0,
        echo_time=echo[0] if echo else None,
    )


def _numbers(places: list[Elements], name: str, group: str = "") -> tuple[float, ...]:
    """Look a value up in the frame's own group, then in the shared one, then in the header itself."""
    for place in places:
        values = place.numbers(name)
        if not values and group and len(places) > 1:
            values = next((found for item in place.items(group) if (found := item.numbers(name))), ())
        if values:
            return values
    return ()


def _refuse(file: DicomFile, reason: str, expected: str, found: str) -> ScanError:
    return ScanError(reason, expected=expected, found=found, where=str(file.path))


def _truncated(path: Path, found: str = "its end is missing") -> ScanError:
    advice = "Copy or export the file again."
    return ScanError("truncated file", expected="a complete file", found=found, where=str(path), advice=advice)
