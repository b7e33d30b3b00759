"""Finds the elements of a DICOM file in its bytes, without copying or converting any value.

pydicom builds an object for each of the 100 to 300 elements of a header, which takes ten times as long as reading the
file; the import needs about 40 of them. Nothing is allocated by what a header declares: lengths are compared with the
size of the file, and nesting is limited. Source: DICOM PS3.5, sections 7.1, 7.5 and 8, and PS3.10, section 7.1.
"""

import struct
import zlib
from dataclasses import dataclass, field, replace

from brain_cae.scans.layout import PREAMBLE, Layout, Place

UNDEFINED = 0xFFFFFFFF
PIXELS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
EXPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
TRANSFER_SYNTAX = 0x00020010
# Sequences in real headers are nested up to six deep.
DEEPEST = 32
# Bytes that a deflated file may grow to, at least and as a multiple of its size.
INFLATED, INFLATED_TIMES = 1 << 26, 100
# Layouts that are remembered: the slices of a series have a few.
LAYOUTS = 16

_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_HEADS = {order: struct.Struct(f"{order}HH2sH").unpack_from for order in "<>"}
_LENGTHS = {order: struct.Struct(f"{order}I").unpack_from for order in "<>"}
_ITEMS = {order: struct.Struct(f"{order}HHI").unpack_from for order in "<>"}


class EndOfDataError(Exception):
    """The bytes end within an element."""


class DamagedError(Exception):
    """The bytes are not a data set."""


@dataclass
class RawHeader:
    """Where the values of one data set lie in ``data``: ``places`` by tag; those of the meta group in ``meta``.

    ``order`` is ``<`` or ``>``, ``syntax`` the transfer syntax (``""`` if the file names none), ``size`` the number of
    bytes of the whole file, and ``cut`` says whether they end before the last element. ``layout`` is that of a file
    with pixels, None where it was not recorded.
    """

    data: bytes
    places: dict[int, Place]
    explicit: bool = True
    order: str = "<"
    size: int = 0
    cut: bool = False
    syntax: str = ""
    meta: dict[int, Place] = field(default_factory=dict)
    layout: Layout | None = None


def parse_file(data: bytes, size: int, *, partial: bool = False) -> RawHeader:
    """Return the elements of a file up to its pixels; ``data`` are its first bytes, ``size`` is the number of all.

    With ``partial``, the elements that start within ``data`` are enough; the value of the last may go on behind it.

    Raises:
        EndOfDataError: ``data`` ends within the header, although the file does not.
        DamagedError: what follows the preamble is not a data set.
    """
    known = _remembered(data)
    if known is not None:
        return _uncut(
            RawHeader(
                data, known.places, known.explicit, known.order, size, False, known.syntax, known.meta, known.layout
            )
        )
    prefixed = data[PREAMBLE : PREAMBLE + 4] == b"DICM"
    at = PREAMBLE + 4 if prefixed else 0
    meta: dict[int, Place] = {}
    if data[at : at + 2] == b"\x02\0":
        try:
            at = _read_meta(data, at, size, meta)
        except EndOfDataError:
            header = RawHeader(data, {}, size=size, cut=True, meta=meta)
            return header if partial else _ended(header)
    syntax = _text(data, meta.get(TRANSFER_SYNTAX))
    if syntax == DEFLATED:
        # The meta group stays in front, so that its values are found where they were.
        data = data[:at] + _inflate(data, at, size)
        size = len(data)
    # What the bytes show goes before what the syntax says: some writers convert one and keep the other.
    order = ">" if data[at : at + 1] == b"\0" and data[at + 1 : at + 2] not in (b"\0", b"") else "<"
    explicit = data[at + 4 : at + 6] in _SHORT | _LONG
    header = RawHeader(data, {}, explicit, order, size, syntax=syntax, meta=meta)
    try:
        _read_elements(data, at, size, explicit, order, header.places, 0)
    except EndOfDataError:
        header.cut = True
        return header if partial else _ended(header)
    if prefixed and syntax != DEFLATED and _pixels(header.places):
        _remember(header)
    return _uncut(header)


# Headers of the last layouts, without their bytes, the latest first. Replaced as a whole, so that threads may share it.
_known: tuple[RawHeader, ...] = ()


def _remember(header: RawHeader) -> None:
    global _known
    header.layout = Layout(header.data, header.meta | header.places, fixed=(TRANSFER_SYNTAX,))
    _known = (replace(header, data=b""), *_known[: LAYOUTS - 1])


def _remembered(data: bytes) -> RawHeader | None:
    """Return a header whose elements lie where those of a file with these first bytes lie; None without."""
    global _known
    for number, header in enumerate(_known):
        if header.layout is not None and header.layout.fits(data):
            if number:
                _known = (header, *_known[:number], *_known[number + 1 :])
            return header
    return None


def _uncut(header: RawHeader) -> RawHeader:
    """Return a header up to its pixels, marked as cut if the file ends before these do."""
    ends = [start + length for _, start, length in _pixels(header.places) if length != UNDEFINED]
    header.cut = any(end > header.size for end in ends)
    return header


def read_items(header: RawHeader, tag: int) -> list[RawHeader]:
    """Return the items of a sequence; raises EndOfDataError or DamagedError."""
    vr, at, length = header.places[tag]
    end = min(at + length, len(header.data))
    explicit = header.explicit and vr != b"UN"  # of unknown representation, a value is always implicit
    items = []
    while at + 8 <= end:
        group, number, size = _ITEMS[header.order](header.data, at)
        if (group, number) != (0xFFFE, 0xE000):
            break
        places: dict[int, Place] = {}
        if size == UNDEFINED:
            at = _read_elements(header.data, at + 8, end, explicit, header.order, places, 1)
        elif at + 8 + size > end:
            raise EndOfDataError
        else:
            _read_elements(header.data, at + 8, at + 8 + size, explicit, header.order, places, 1)
            at += 8 + size
        items.append(RawHeader(header.data, places, explicit, header.order, header.size))
    return items


def has_all_fragments(data: bytes, at: int) -> bool:
    """Return whether encapsulated pixels that start at ``at`` go on to the mark of their end."""
    while at + 8 <= len(data):
        group, number, length = _ITEMS["<"](data, at)
        if group != 0xFFFE or number != 0xE000:
            return (group, number) == (0xFFFE, 0xE0DD)
        at += 8 + length
    return False


def _ended(header: RawHeader) -> RawHeader:
    if len(header.data) < header.size:
        raise EndOfDataError
    return header


def _pixels(places: dict[int, Place]) -> list[Place]:
    return [places[tag] for tag in PIXELS if tag in places]


def _text(data: bytes, place: Place | None) -> str:
    return data[place[1] : place[1] + place[2]].strip(b" \0").decode("latin-1") if place else ""


def _inflate(data: bytes, at: int, size: int) -> bytes:
    if len(data) < size:
        raise EndOfDataError
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data[at:], max(INFLATED, INFLATED_TIMES * size))
    except zlib.error as error:
        raise DamagedError from error
    if inflater.unconsumed_tail:
        raise DamagedError
    return content


def _read_meta(data: bytes, at: int, size: int, places: dict[int, Place]) -> int:
    while data[at : at + 2] == b"\x02\0":
        if at + 12 > len(data):
            raise EndOfDataError
        _, number, vr, length = _HEADS["<"](data, at)
        start = at + 8
        if vr in _LONG:
            start, length = at + 12, _LENGTHS["<"](data, at + 8)[0]
        at = start + length
        if at > size:
            raise EndOfDataError
        places[0x00020000 | number] = (vr, start, length)
    return at


def _read_elements(
    data: bytes, at: int, end: int, explicit: bool, order: str, places: dict[int, Place], depth: int
) -> int:
    """Add the elements of a data set to ``places`` and return where it ends: after its pixels, if it has some."""
    limit = min(end, len(data))
    short, read = (_SHORT if explicit else frozenset()), _HEADS[order]
    while at < end:
        # This loop takes most of the time; a call of _read_head would double it.
        group, number, vr, length = read(data, at) if at + 8 <= limit else (0, 0, b"", 0)
        start = at + 8
        if vr not in short:
            group, number, vr, start, length = _read_head(data, at, limit, explicit, order)
        tag = group << 16 | number
        if group == 0xFFFE:
            if depth and number == 0xE00D:
                return start
            raise DamagedError
        if tag in PIXELS and not depth:
            places[tag] = (vr, start, length)
            return start
        if not tag:  # zeros, as after a full disk
            raise EndOfDataError
        if length == UNDEFINED:
            stop = _end_of_sequence(data, start, end, explicit and vr != b"UN", order, depth + 1)
            places[tag] = (vr, start, stop - start)
            at = stop
        else:
            at = start + length
            if at > end:
                raise EndOfDataError
            places[tag] = (vr, start, length)
    return at


def _read_head(data: bytes, at: int, limit: int, explicit: bool, order: str) -> tuple[int, int, bytes, int, int]:
    """Return group, number, representation, start of the value and its length."""
    if at + 8 > limit:
        raise EndOfDataError
    group, number, vr, length = _HEADS[order](data, at)
    if explicit:
        if vr in _SHORT:
            return group, number, vr, at + 8, length
        if vr in _LONG:
            if at + 12 > limit:
                raise EndOfDataError
            return group, number, vr, at + 12, _LENGTHS[order](data, at + 8)[0]
        if vr.isalpha() and vr.isupper():  # a representation of a later edition of the standard, or damage
            return group, number, vr, at + 8, length
    # Implicit, or the mark of an item.
    return group, number, b"", at + 8, _LENGTHS[order](data, at + 4)[0]


def _end_of_sequence(data: bytes, at: int, end: int, explicit: bool, order: str, depth: int) -> int:
    if depth > DEEPEST:
        raise DamagedError
    limit = min(end, len(data))
    while True:
        if at + 8 > limit:
            raise EndOfDataError
        group, number, length = _ITEMS[order](data, at)
        at += 8
        if group != 0xFFFE or number not in (0xE000, 0xE0DD):
            raise DamagedError
        if number == 0xE0DD:
            return at
        if length == UNDEFINED:
            at = _read_elements(data, at, end, explicit, order, {}, depth)
        else:
            at += length
            if at > end:
                raise EndOfDataError
