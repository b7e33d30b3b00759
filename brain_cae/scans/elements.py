"""Values of a DICOM header, read directly from the bytes of its file. Malformed values count as absent.

Of the numbers that place a slice, a decimal comma is understood where it cannot mean anything else.
"""

import math
import struct
from collections.abc import Hashable, Iterable
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.valuerep import TEXT_VR_DELIMS

from brain_cae.scans.raw_header import PIXELS, UNDEFINED, DamagedError, EndOfDataError, Place, RawHeader, read_items
from brain_cae.scans.tags import BLOCKS, PRIVATE, SEQUENCES, TAGS

# Format of a value by its representation; all others are text. Each element may have those of its kind only.
FORMATS = {b"US": "H", b"SS": "h", b"SL": "i", b"UL": "I", b"FL": "f", b"FD": "d"}
SIZES = {b"US": 2, b"SS": 2, b"SL": 4, b"UL": 4, b"FL": 4, b"FD": 8}
KINDS = {"short": (b"US", b"SS"), "long": (b"SL", b"UL"), "double": (b"FD", b"FL"), "decimal": (), "text": ()}
# What differs between the slices of a series: all other elements that are read decide about a slice as about the next.
SLICE = ("InstanceNumber", "ImagePositionPatient", "AcquisitionDate", "AcquisitionTime")
# Begins a change of the character set (ISO 2022).
ESCAPE = b"\x1b"
# Programs that write UTF-8 often name another character set, or none; texts in these are hardly ever valid UTF-8.
LATIN = frozenset({"", "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 148"})
CHARACTERS, MODALITY_LUT = 0x00080005, 0x00283000
_SERIES = (
    *(tag for name, (tag, _) in TAGS.items() if name not in SLICE),
    *SEQUENCES.values(),
    CHARACTERS,
    MODALITY_LUT,
    *sorted({group << 16 | block for group, *_ in PRIVATE.values() for block in BLOCKS}),
    *(group << 16 | block << 8 | low for group, _, low, _ in PRIVATE.values() for block in BLOCKS),
)
# Bytes; no value that is needed is longer.
LONGEST = 4096
# Series whose numbers are remembered.
SERIES = 64
BINARY = frozenset(b"US SS UL SL FL FD OB OW OF OD OL OV AT SQ SV UV".split())

_Elements = dict[BaseTag, DataElement | RawDataElement]


class Elements:
    """Read-only view of one data set: a file, an item of a sequence, or a data set of pydicom."""

    def __init__(self, source: RawHeader | Dataset) -> None:
        self._source = source
        self._items: dict[str, list[Elements]] = {}
        self._raw: dict[BaseTag, Any] = dict(source.items()) if isinstance(source, Dataset) else {}

    @cached_property
    def dataset(self) -> Dataset:
        """The same elements as a data set of pydicom, which converts a value when it is asked for it."""
        if isinstance(self._source, Dataset):
            return self._source
        raw = self._source
        meta = FileMetaDataset(_raw_elements(raw, raw.meta, little=True))
        return FileDataset(
            "",
            _raw_elements(raw, raw.places, little=self.is_little),
            file_meta=meta,
            is_implicit_VR=not raw.explicit,
            is_little_endian=self.is_little,
        )

    @cached_property
    def series_key(self) -> Hashable | None:
        """What the header says but for number, position and time of the slice, and the size of its pixels.

        Headers of one key differ in no other value that is read. None of a header that was read in another way.
        """
        raw, pixels = self._source, self._pixel_place()
        if not isinstance(raw, RawHeader) or raw.layout is None or pixels is None:
            return None
        return raw.order, raw.syntax, pixels[0], pixels[2], raw.layout.values(raw.data, _SERIES)

    def texts(self, name: str) -> list[str]:
        """Return the parts of a text element; empty if it is absent."""
        vr, value = self._value(name)
        if isinstance(value, bytes):
            if not value or vr in BINARY:
                return []
            return list(_ascii_parts(value)) if value.isascii() else _parts(self._decode(value))
        if value is None:
            return []
        return [str(value)] if isinstance(value, str | int | float) else [str(part) for part in value]

    def text(self, name: str) -> str:
        """Return the first part of a text element, ``""`` if it is absent."""
        return "".join(self.texts(name)[:1])

    def plain(self, tag: int) -> str:
        """Return a short text as a whole, in the character set of the file; ``""`` if it is absent."""
        _, value = self._at(tag)
        if isinstance(value, bytes):
            return (value.decode() if value.isascii() and ESCAPE not in value else self._decode(value)).strip(" \0")
        return "" if value is None else str(value).strip(" \0")

    @cached_property
    def _alike(self) -> dict[str, tuple[float, ...]]:
        """Numbers by name that were read from headers of the same series, or from this one."""
        key = self.series_key
        if key is None:
            return {}
        if key not in _numbers_of and len(_numbers_of) >= SERIES:
            _numbers_of.clear()
        return _numbers_of.setdefault(key, {})

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return the numbers of an element; empty if it is absent, malformed, or has the representation of another."""
        if name in SLICE:
            return self._read_numbers(name)
        if name not in self._alike:
            self._alike[name] = self._read_numbers(name)
        return self._alike[name]

    def _read_numbers(self, name: str) -> tuple[float, ...]:
        vr, value = self._value(name)
        if value is None:
            return ()
        if not isinstance(value, bytes):
            return _converted(value)
        kind = (TAGS.get(name) or PRIVATE[name])[-1]
        allowed = KINDS[kind]
        if not allowed:
            return () if vr in BINARY else decimals(value)
        if vr in (b"", b"UN"):
            vr = allowed[0]
        if vr in allowed:
            return self._unpacked(vr, value)
        return () if vr in BINARY else decimals(value)

    def lengths(self, name: str, count: int) -> tuple[float, ...]:
        """Return the ``count`` numbers of an element that decides the geometry or the values; empty without them.

        Decimal commas (``0,5\\0,5``) and commas between values (``0.5,0.5``) are understood if the number of values
        fits. So is a text of numbers in any representation, and numbers in floating point.
        """
        vr, value = self._value(name)
        if not isinstance(value, bytes):
            numbers = _converted(value) if value is not None else ()
        else:
            # Some writers end the last number as the others, with a backslash.
            numbers = decimals(value) or decimals(value.rstrip(b" \0\\")) or with_commas(value, count)
            if not numbers and vr in (b"FL", b"FD"):
                numbers = self._unpacked(vr, value)
        return numbers if len(numbers) == count else ()

    def number(self, name: str) -> float | None:
        """Return the first number of an element, None if there is none."""
        return next(iter(self.numbers(name)), None)

    def single(self, name: str) -> float | None:
        """Return the first number of an element, or the one number that has a decimal comma; None if there is none."""
        vr, value = self._value(name)
        has_text = isinstance(value, bytes) and vr not in BINARY
        return next(iter(self.numbers(name) or (with_commas(value, 1) if has_text else ())), None)

    def whole(self, name: str, otherwise: int) -> int:
        """Return the first number of an element as an integer, or ``otherwise``."""
        number = self.number(name)
        return int(number) if number is not None and abs(number) < 2**31 else otherwise

    def is_empty(self, name: str) -> bool:
        """Return whether an element is absent or has no content."""
        _, value = self._value(name)
        return value is None or (isinstance(value, bytes) and not value.strip(b" \0\\"))

    def has(self, tag: int) -> bool:
        """Return whether there is an element with content, of any length."""
        if isinstance(self._source, RawHeader):
            return self._source.places.get(tag, (b"", 0, 0))[2] > 0
        return bool(self._at(tag)[1])

    def data(self) -> tuple[str, memoryview] | None:
        """Return name and bytes of the pixel element, as far as they were read; None without one."""
        place = self._pixel_place()
        if place is None or not isinstance(self._source, RawHeader):
            return None
        name, start, length = place
        stop = None if length == UNDEFINED else start + length
        return name, memoryview(self._source.data)[start:stop]

    def has_fragments(self) -> bool:
        """Return whether the pixel element is divided into fragments, as compressed pixels are."""
        return (self._pixel_place() or ("", 0, 0))[2] == UNDEFINED

    def data_size(self) -> int:
        """Return the number of pixel bytes that the header declares, read or left on disk; 0 if it does not say."""
        length = (self._pixel_place() or ("", 0, 0))[2]
        return 0 if length == UNDEFINED else length

    @property
    def is_little(self) -> bool:
        """Whether the low byte of a number comes first."""
        if isinstance(self._source, RawHeader):
            return self._source.order == "<"
        return self._source.original_encoding[1] is not False

    @property
    def syntax(self) -> str:
        """The transfer syntax, ``""`` if the file names none."""
        return self._source.syntax if isinstance(self._source, RawHeader) else ""

    def has_pixels(self) -> bool:
        """Return whether there is an element of pixels, complete or not."""
        return self._pixel_place() is not None

    def has_overlay_in_pixels(self) -> bool:
        """Return whether unused bits of the pixels hold an overlay (retired, but written by older scanners)."""
        values = (self._at((group << 16) | 0x0102)[1] for group in range(0x6000, 0x6020, 2))
        return any(any(value) if isinstance(value, bytes) else value for value in values)

    def items(self, sequence: str) -> list["Elements"]:
        """Return the items of a sequence; empty if it is absent or malformed."""
        if sequence not in self._items:
            tag = SEQUENCES.get(sequence) or self._private(sequence)
            self._items[sequence] = self._read_items(tag) if tag else []
        return self._items[sequence]

    def _is_of(self, tag: int, owner: str) -> bool:
        return self.plain(tag).upper() == owner.upper()

    def _read_items(self, tag: int) -> list["Elements"]:
        if isinstance(self._source, RawHeader):
            if tag not in self._source.places:
                return []
            try:
                return [Elements(item) for item in read_items(self._source, tag)]
            except (EndOfDataError, DamagedError):
                return []
        try:
            return [Elements(item) for item in self._source.get(BaseTag(tag), DataElement(tag, "SQ", [])).value or ()]
        except Exception:  # pydicom converts the whole sequence, which can fail anywhere in its parser
            return []

    def _value(self, name: str) -> tuple[bytes, Any]:
        return self._at(TAGS[name][0] if name in TAGS else self._private(name))

    def _private(self, name: str) -> int:
        """Return the number of a private element; 0, which no header has, if its owner has no block."""
        group, owner, low, _ = PRIVATE[name]
        known = self._source.places if isinstance(self._source, RawHeader) else self._raw
        there = (block for block in BLOCKS if (tag := group << 16 | block) in known and self._is_of(tag, owner))
        block = next(there, None)
        return 0 if block is None else group << 16 | block << 8 | low

    def _at(self, tag: int) -> tuple[bytes, Any]:
        """Return the representation of an element and its value: bytes, or what pydicom made of them; None without."""
        if isinstance(self._source, RawHeader):
            raw = self._source
            place = (raw.meta if tag < 0x00030000 else raw.places).get(tag)
            if place is None or place[2] > LONGEST:
                return b"", None
            return place[0], raw.data[place[1] : place[1] + place[2]]
        element = self._raw.get(BaseTag(tag))
        return (b"", None) if element is None else ((element.VR or "").encode(), element.value)

    def _pixel_place(self) -> tuple[str, int, int] | None:
        if isinstance(self._source, RawHeader):
            places = self._source.places
            return next(((name, *places[tag][1:]) for tag, name in PIXELS.items() if tag in places), None)
        return next(((name, 0, 0) for tag, name in PIXELS.items() if BaseTag(tag) in self._raw), None)

    def _unpacked(self, vr: bytes, value: bytes) -> tuple[float, ...]:
        order = "<" if self.is_little else ">"
        format_ = FORMATS[vr]
        count, rest = divmod(len(value), SIZES[vr])
        if rest or not count:
            return ()
        return _finite(tuple(map(float, struct.unpack(f"{order}{count}{format_}", value))))

    def _decode(self, value: bytes) -> str:
        _, names = self._at(CHARACTERS)
        try:
            named = names.decode("ascii").split("\\") if isinstance(names, bytes) else _listed(names)
            named = [part.strip(" \0") for part in named]
            if LATIN.issuperset(named):
                with suppress(UnicodeDecodeError):
                    return value.decode()
            encodings = convert_encodings(named)
            return decode_bytes(value, encodings, TEXT_VR_DELIMS)
        except Exception:  # an unknown or a wrong character set
            return value.decode("latin-1")


_numbers_of: dict[Hashable, dict[str, tuple[float, ...]]] = {}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value or ("",)]


# Nearly all values of a series are the same in each of its files.
@lru_cache(maxsize=4096)
def _ascii_parts(value: bytes) -> tuple[str, ...]:
    return tuple(_parts(value.decode("ascii")))


def _parts(text: str) -> list[str]:
    return [part.strip(" \0") for part in text.split("\\")]


@lru_cache(maxsize=4096)
def decimals(value: bytes) -> tuple[float, ...]:
    """Return the numbers of a text of numbers; empty if one of its parts is not a finite number."""
    try:
        numbers = tuple(map(float, value.rstrip(b" \0").split(b"\\")))
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) and b"_" not in value else ()


def with_commas(value: bytes, count: int) -> tuple[float, ...]:
    """Return ``count`` numbers of a text with commas; empty if the commas could mean something else.

    ``0,5\\0,5`` has decimal commas, ``0.5,0.5`` and ``1,0,0,0,1,0`` have commas between values, ``0,5,0,5`` has both.
    But ``4,5`` may be one number or two.
    """
    text = value.strip(b" \0")
    parts = text.split(b"\\")
    if len(parts) == count and b"." not in text and all(part.count(b",") <= 1 for part in parts):
        return decimals(text.replace(b",", b"."))
    parts = text.split(b",")
    if b"\\" in text:
        return ()
    if len(parts) == count and (count > 2 or b"." in text):
        return decimals(b"\\".join(parts))
    if len(parts) == 2 * count and count > 1 and b"." not in text:
        return decimals(b"\\".join(b".".join(pair) for pair in zip(parts[::2], parts[1::2], strict=True)))
    return ()


def _converted(value: Any) -> tuple[float, ...]:
    try:
        values = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
        return _finite(tuple(map(float, values)))
    except (TypeError, ValueError):
        return ()


def _finite(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return numbers if all(map(math.isfinite, numbers)) else ()


def _raw_elements(
    raw: RawHeader, places: dict[int, Place], *, little: bool
) -> dict[BaseTag, DataElement | RawDataElement]:
    elements: dict[BaseTag, DataElement | RawDataElement] = {}
    for number, (vr, start, length) in places.items():
        tag, content = BaseTag(number), raw.data[start : None if length == UNDEFINED else start + length]
        elements[tag] = RawDataElement(
            tag, vr.decode("latin-1") or None, length, content, start, not raw.explicit, little, is_raw=True
        )
    return elements
