"""Checks the header of a compressed image before it is decoded.

Decoders believe it: they allocate what it declares, and some end the process where a value makes no sense.
Sources: ISO/IEC 10918-1, annex B (JPEG), 14495-1 (JPEG-LS) and 15444-1, annex A (JPEG 2000).
"""

import struct

JPEG, JPEG_2000, JP2 = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
# Start of frame, in JPEG and JPEG-LS; start of scan, after which the pixels follow.
FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
SCAN = 0xDA
# Tables, applications' data and comments, which may come before.
OTHERS = frozenset((0xC4, 0xCC, 0xDB, 0xDD, 0xF8, 0xFE, *range(0xE0, 0xF0)))
HUFFMAN_TABLE, JPEG_LS = 0xC4, 0xF7


def problem_of(stream: bytes, *, rows: int, columns: int, bits: int) -> str:
    """Return what is wrong with the header of one compressed image of a single component; ``""`` if nothing is.

    Args:
        stream: The compressed image.
        rows: Rows that the DICOM header declares.
        columns: Columns.
        bits: Bits allocated to a pixel; an image may use fewer.
    """
    if stream[: len(JP2)] == JP2:
        start = stream.find(JPEG_2000)
        stream = stream[start:] if start > 0 else b""
    try:
        if stream[:4] == JPEG_2000:
            found = _jpeg_2000(stream)
        elif stream[:2] == JPEG:
            found = _jpeg(stream)
        else:
            return "no start of an image"
    except (struct.error, IndexError):
        return "an incomplete header"
    if found is None:
        return "a damaged header"
    height, width, components, precision = found
    if (height, width, components) != (rows, columns, 1) or not 2 <= precision <= bits:
        return f"{height}x{width} pixels of {precision} bits, {components} components"
    return ""


def _jpeg_2000(stream: bytes) -> tuple[int, int, int, int] | None:
    length, _, *sizes, components, depth, across, down = struct.unpack_from(">HH8IHBBB", stream, 4)
    width, height, left, top, tile_width, tile_height, tile_left, tile_top = sizes
    usual = length == 38 + 3 * components and (across, down) == (1, 1) and not any((left, top, tile_left, tile_top))
    # Of many tiny tiles, each costs a decoder some kilobytes.
    if not usual or tile_width * tile_height < min(width * height, 1024):
        return None
    return height, width, components, (depth & 0x7F) + 1


def _jpeg(stream: bytes) -> tuple[int, int, int, int] | None:
    at, found = 2, None
    markers: set[int] = set()
    while stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        if marker in FRAMES:
            if found is not None:
                return None
            precision, height, width, components = struct.unpack_from(">BHHB", stream, at + 4)
            found = height, width, components, precision
        if marker == SCAN:
            return found if markers & {HUFFMAN_TABLE, JPEG_LS} else None
        if marker not in FRAMES | OTHERS:
            return None
        markers.add(marker)
        at += 2 + length
    return None
