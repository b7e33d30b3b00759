"""Reads the stored pixels of one DICOM file in any supported encoding."""

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from pydicom.encaps import generate_frames, parse_fragments
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from brain_cae.errors import ScanError
from brain_cae.scans.codestream import problem_of
from brain_cae.scans.extent import check_voxels
from brain_cae.scans.file import DicomFile, miscounted, refuse, truncated
from brain_cae.scans.raw_header import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
BYTE_ORDER = {"": "<", IMPLICIT_LITTLE: "<", EXPLICIT_LITTLE: "<", DEFLATED: "<", EXPLICIT_BIG: ">"}
STREAMS = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes)
STREAM_STARTS = (b"\xff\xd8", b"\xff\x4f")
# A frame of zeros is compressed to a thousandth and less; two bytes of RLE stand for 128 at most.
COMPRESSED_TIMES, RLE_TIMES, SMALL_BYTES = 1000, 64, 1 << 26


def read_pixels(file: DicomFile) -> np.ndarray:
    """Return stored pixels (frames, rows, columns) without rescaling; uncompressed ones are a view of the file's bytes.

    For a file that was opened without pixels, return zeros, which take no memory.

    Raises:
        ScanError: no pixel data, too large, wrong number of frames, truncated file, unreadable pixel data, missing
            decoder, values beyond the stored bits.
    """
    if file.cut:
        raise truncated(file.path)
    elements = file.elements
    element = elements.data()
    if element is None:
        raise refuse(file, "no pixel data", "an image", "only a header")
    shape = shape_of(file)
    check_voxels(shape, where=str(file.path))
    count, syntax = math.prod(shape), elements.syntax
    if syntax in BYTE_ORDER or _is_uncompressed(file, count):
        return _uncompressed(file, shape, *element)
    _check_compressed(file, count, syntax)
    return _stored_bits(file, _decode(file, syntax, shape)) if file.pixels else zeros(shape)


def _uncompressed(file: DicomFile, shape: tuple[int, int, int], name: str, data: memoryview) -> np.ndarray:
    """Return pixels (frames, rows, columns) from the bytes ``data`` of the pixel element ``name``."""
    elements, count = file.elements, math.prod(shape)
    if elements.has_fragments():
        compressed = "compressed ones, in fragments"
        raise refuse(file, "unreadable pixel data", "uncompressed pixels, by the transfer syntax", compressed)
    kind = "f" if name != "PixelData" else "i" if elements.whole("PixelRepresentation", 0) else "u"
    length = elements.data_size()
    size = {"FloatPixelData": 4, "DoubleFloatPixelData": 8}.get(name, 0) or _pixel_size(file, length / count)
    # Pixels end with at most one byte that is added for an even length.
    frames, rest = divmod(length, math.prod(shape[1:]) * size)
    if rest < 2 and frames != shape[0]:
        raise miscounted(file, shape[0], f"pixels of {frames}")
    order = BYTE_ORDER.get(elements.syntax, "<") if elements.syntax else "<" if elements.is_little else ">"
    in_words = size == 1 and order == ">" and _are_words(file)
    needed = count * size + (count % 2 if in_words else 0)
    if length < needed:
        raise truncated(file.path, f"{length} of {needed} bytes of pixels")
    if not file.pixels:
        return zeros(shape)
    if in_words:
        data = np.frombuffer(data, np.uint16, count=needed // 2).byteswap().data
    pixels = np.frombuffer(data, dtype=f"{order}{kind}{size}", count=count).reshape(shape)
    if kind == "f":
        return pixels
    if (
        kind == "u"
        and elements.number("PixelRepresentation") is None
        and pixels.max() > np.iinfo(pixels.dtype).max // 2
    ):
        raise refuse(file, "unreadable pixel data", "signed or unsigned pixels", "no usable PixelRepresentation")
    return _stored_bits(file, pixels)


def shape_of(file: DicomFile) -> tuple[int, int, int]:
    """Return frames, rows and columns that the header declares; raises ScanError ("unreadable pixel data") without."""
    elements = file.elements
    rows, columns = elements.whole("Rows", 0), elements.whole("Columns", 0)
    if rows < 1 or columns < 1:
        raise refuse(file, "unreadable pixel data", "numbers of rows and columns above 0", f"{rows} and {columns}")
    return max(elements.whole("NumberOfFrames", 1), 1), rows, columns


def padding_of(file: DicomFile, kind: np.dtype) -> tuple[int, int] | None:
    """Return the lowest and the highest stored value that the header declares to be padding, as pixels of this type.

    None without PixelPaddingValue. Scanners write it as a signed number for unsigned pixels and the reverse, so only
    its bits count. Source: DICOM PS3.3 C.7.5.1.1.2.
    """
    value = file.elements.number("PixelPaddingValue")
    if value is None or kind.kind not in "iu":
        return None
    limit = file.elements.number("PixelPaddingRangeLimit")
    bits = file.elements.whole("BitsAllocated", 8 * kind.itemsize)
    ends = [int(one) % 2**bits for one in (value, value if limit is None else limit)]
    low, high = sorted(end - 2**bits if kind.kind == "i" and end >= 2 ** (bits - 1) else end for end in ends)
    return low, high


@lru_cache(maxsize=64)
def zeros(shape: tuple[int, int, int]) -> np.ndarray:
    """Return pixels (frames, rows, columns) that are 0 and take no memory."""
    return np.broadcast_to(np.zeros((), dtype=np.int16), shape)


def _pixel_size(file: DicomFile, bytes_per_pixel: float) -> int:
    """Return the bytes of a pixel, by BitsAllocated or, without a usable value, by the length of the pixels."""
    bits = file.elements.whole("BitsAllocated", int(8 * bytes_per_pixel))
    if bits not in (8, 16, 32):
        raise refuse(file, "unreadable pixel data", "8, 16 or 32 bits per pixel", f"{bits} bits")
    return bits // 8


def _are_words(file: DicomFile) -> bool:
    """Return whether pixels are stored as words of 16 bits, of which big endian swaps the bytes; see DICOM PS3.5 8.1.2.

    Two pixels of 8 bits share a word.
    """
    return file.header.get_item("PixelData").VR == "OW"


def _is_uncompressed(file: DicomFile, count: int) -> bool:
    """Return whether pixels have the length of uncompressed ones: some programs that decompress keep the old syntax."""
    needed = count * file.elements.whole("BitsAllocated", 16) // 8
    return not file.elements.has_fragments() and file.elements.data_size() in (needed, needed + needed % 2)


def _check_compressed(file: DicomFile, count: int, syntax: str) -> None:
    """Raise ScanError if the compressed bytes cannot hold so many pixels: a decoder allocates them first."""
    stored = len(file.elements.data()[1]) if file.pixels else 0  # type: ignore[index]
    most = max(SMALL_BYTES, (RLE_TIMES if syntax == RLELossless else COMPRESSED_TIMES) * stored)
    if file.pixels and 2 * count > most:
        raise refuse(file, "unreadable pixel data", f"at most {most // 2} pixels", f"{count} pixels by the header")


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
    padding = padding_of(file, pixels.dtype)
    if padding and all(padding[0] <= value <= padding[1] for value in _beyond(pixels, low, high)):
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


def _beyond(pixels: np.ndarray, low: int, high: int) -> Sequence[int]:
    """Return the lowest and the highest of the pixels that are not between two values; there is one at least."""
    outside = pixels[(pixels < low) | (pixels > high)]
    return int(outside.min()), int(outside.max())


def _check_streams(file: DicomFile, shape: tuple[int, int, int]) -> None:
    """Raise ScanError if a compressed frame contradicts the header of the file or itself."""
    frames, rows, columns = shape
    bits = file.elements.whole("BitsAllocated", 16)
    for stream in generate_frames(bytes(file.elements.data()[1]), number_of_frames=frames):  # type: ignore[index]
        problem = problem_of(stream, rows=rows, columns=columns, bits=bits)
        if problem:
            raise refuse(file, "unreadable pixel data", f"{rows}x{columns} pixels of {bits} bits at most", problem)


def _check_frames(file: DicomFile, declared: int, syntax: str) -> None:
    """Raise ScanError if there are more or fewer compressed frames than the header declares."""
    content = bytes(file.elements.data()[1])  # type: ignore[index]
    fragments = [content[start + 8 : start + 10] for start in parse_fragments(content)[1][1:]]
    # A frame of RLE is one fragment. Of other kinds, each starts with a mark, and may go on in more fragments.
    frames = len(fragments) if syntax == RLELossless else sum(start in STREAM_STARTS for start in fragments)
    if frames and frames != declared:
        raise miscounted(file, declared, f"pixels of {frames}")


def _decode(file: DicomFile, syntax: str, shape: tuple[int, int, int]) -> np.ndarray:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if shape[0] > 1:
                _check_frames(file, shape[0], syntax)
            if syntax in STREAMS:
                _check_streams(file, shape)
            array = file.header.pixel_array
        except ScanError:
            raise
        except Exception as error:
            # Each decoder raises different exceptions; only a missing decoder needs other advice.
            if any(words in str(error) for words in ("missing dependencies", "does not support")):
                name = UID(syntax).name
                raise refuse(file, "missing decoder", "a decoder for the compression", name) from error
            raise refuse(file, "unreadable pixel data", "complete compressed pixels", type(error).__name__) from error
    # A decoder that runs out of bytes may fill up with zeros and only warn.
    if array.size != np.prod(shape) or any("frame" in str(one.message).lower() for one in caught):
        raise truncated(file.path, f"{array.size} of {np.prod(shape)} pixels")
    return array.reshape(shape)
