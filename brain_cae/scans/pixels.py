"""Reads the stored pixels of one DICOM file in any supported encoding."""

import warnings

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from brain_cae.scans.extent import check_voxels
from brain_cae.scans.file import DicomFile, refuse, truncated

IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
BYTE_ORDER = {IMPLICIT_LITTLE: "<", EXPLICIT_LITTLE: "<", DEFLATED: "<", EXPLICIT_BIG: ">"}


def read_pixels(file: DicomFile) -> np.ndarray:
    """Return stored pixels (frames, rows, columns) without rescaling; uncompressed ones are a view of the file's bytes.

    For a file that was opened without pixels, return zeros, which take no memory.

    Raises:
        ScanError: no pixel data, too large, truncated file, unreadable pixel data, missing decoder, values beyond the
            stored bits.
    """
    if file.cut:
        raise truncated(file.path)
    elements = file.elements
    element = elements.data()
    rows, columns = elements.whole("Rows", 0), elements.whole("Columns", 0)
    shape = (max(elements.whole("NumberOfFrames", 1), 1), rows, columns)
    if element is None or not rows or not columns:
        raise refuse(file, "no pixel data", "an image", "only a header")
    check_voxels(shape, where=str(file.path))
    syntax = _syntax(file.header)
    if syntax not in BYTE_ORDER and not file.pixels:
        return _zeros(shape)
    if syntax not in BYTE_ORDER:
        return _stored_bits(file, _decode(file, syntax, shape))
    name, data = element
    kind = "f" if name != "PixelData" else "i" if elements.whole("PixelRepresentation", 0) else "u"
    size = {"FloatPixelData": 4, "DoubleFloatPixelData": 8}.get(name, elements.whole("BitsAllocated", 16) // 8)
    if kind != "f" and size not in (1, 2, 4):
        raise refuse(file, "unreadable pixel data", "8, 16 or 32 bits per pixel", f"{size * 8} bits")
    count = shape[0] * rows * columns
    length = len(data) if file.pixels else elements.data_size()
    if length < count * size:
        raise truncated(file.path, f"{length} of {count * size} bytes of pixels")
    if not file.pixels:
        return _zeros(shape)
    pixels = np.frombuffer(data, dtype=f"{BYTE_ORDER[syntax]}{kind}{size}", count=count).reshape(shape)
    return pixels if kind == "f" else _stored_bits(file, pixels)


def _zeros(shape: tuple[int, int, int]) -> np.ndarray:
    return np.broadcast_to(np.zeros((), dtype=np.int16), shape)


def _stored_bits(file: DicomFile, pixels: np.ndarray) -> np.ndarray:
    """Return the values of the stored bits (for example 12 of 16), nearly always the pixels as they are."""
    allocated = pixels.dtype.itemsize * 8
    stored = file.elements.whole("BitsStored", allocated)
    if not 0 < stored < allocated or not pixels.size:
        return pixels
    signed = pixels.dtype.kind == "i"
    low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if signed else (0, 2**stored - 1)
    if low <= pixels.min() and pixels.max() <= high:
        return pixels
    bare = pixels.view(pixels.dtype.str.replace("i", "u"))
    if not (signed and bare.max() < 2**stored) and not file.elements.has_overlay_in_pixels():
        raise refuse(
            file,
            "values beyond the stored bits",
            f"values of {stored} bits (BitsStored)",
            f"{pixels.min()} to {pixels.max()}",
            "The header contradicts the pixel data; export the series again.",
        )
    bare = bare & np.array(2**stored - 1, bare.dtype)
    # The highest stored bit is the sign; the bits above it have no meaning.
    return bare.astype(np.int32) - ((bare >> (stored - 1)).astype(np.int32) << stored) if signed else bare


def _decode(file: DicomFile, syntax: str, shape: tuple[int, int, int]) -> np.ndarray:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            array = file.header.pixel_array
        except Exception as error:
            # Each decoder raises different exceptions; only a missing decoder needs other advice.
            if "missing dependencies" in str(error):
                name = UID(syntax).name
                raise refuse(file, "missing decoder", "a decoder for the compression", name) from error
            raise refuse(file, "unreadable pixel data", "complete compressed pixels", type(error).__name__) from error
    # A decoder that runs out of bytes may fill up with zeros and only warn.
    if array.size != np.prod(shape) or any("frame" in str(one.message).lower() for one in caught):
        raise truncated(file.path, f"{array.size} of {np.prod(shape)} pixels")
    return array.reshape(shape)


def _syntax(header: FileDataset) -> str:
    syntax = str(header.file_meta.get("TransferSyntaxUID", "")) if hasattr(header, "file_meta") else ""
    if syntax:
        return syntax
    implicit, little = header.original_encoding
    return EXPLICIT_BIG if not little else IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE
