"""Mutates small DICOM series, for tests that any input gives a volume or a named reason."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmread, uid

from .synthesise import transcode, voxels, write_enhanced, write_series

UNDEFINED = b"\xff\xff\xff\xff"
# Values that are no numbers, or have no meaning as a length or a position.
HOSTILE = (
    b"", b"0", b"-1", b"NaN", b"inf", b"-inf", b"1e400", b"1_0", b"0,5\\0,5", b"1\\", b"\\\\\\", b"text", b"\xff" * 8,
    b"1e300\\1e300\\1e300", b"1e-300\\1e-300", b"99999999999999999999", b"\0" * 16, b"65535\\65535",
    b"\\".join([b"1"] * 400),
)  # fmt: skip
VRS = (b"DS", b"IS", b"FD", b"FL", b"US", b"SS", b"UL", b"UN", b"SQ", b"OB", b"OW", b"LO", b"UI", b"AT", b"zz", b"ZZ")
LONG = (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT")
KINDS = ("explicit", "implicit", "big endian", "deflated", "RLE", "JPEG 2000", "JPEG lossless", "enhanced")


def make_series(folder: Path, kind: str) -> list[bytes]:
    """Return the files of a small series: classic slices in a transfer syntax, or one enhanced file."""
    stack = voxels((4, 32, 32)).astype(np.uint16)
    if kind == "enhanced":
        folder.mkdir(parents=True)
        return [write_enhanced(folder / "one", stack).read_bytes()]
    paths = write_series(folder, stack)
    syntaxes = {
        "big endian": uid.ExplicitVRBigEndian, "deflated": uid.DeflatedExplicitVRLittleEndian, "RLE": uid.RLELossless,
        "JPEG 2000": uid.JPEG2000Lossless, "JPEG lossless": uid.JPEGLosslessSV1,
    }  # fmt: skip
    for path in paths:
        if kind in syntaxes:
            transcode(path, syntaxes[kind])
        elif kind == "implicit":
            _to_implicit(path)
    return [path.read_bytes() for path in paths]


def _to_implicit(path: Path) -> None:
    header = dcmread(path)
    header.walk(lambda item, element: None)
    header.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    header.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=True)


def mutate(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Return a file with one to three mutations, and their names."""
    done = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        name = chance.choice(list(MUTATIONS))
        content = MUTATIONS[name](content, chance)
        done.append(name)
    return content, ", ".join(done)


def elements_of(content: bytes) -> list[tuple[int, int, int]]:
    """Return start, start of the value, and end of each element of an explicit little endian file."""
    found, at = [], 132
    while at + 12 <= len(content):
        long = content[at + 4 : at + 6] in LONG
        start = at + (12 if long else 8)
        length = int.from_bytes(content[at + 8 : at + 12] if long else content[at + 6 : at + 8], "little")
        if start + length > len(content):
            break
        found.append((at, start, start + length))
        at = start + length
    return found


def _element(chance: random.Random, content: bytes) -> tuple[int, int, int]:
    found = elements_of(content)
    if not found:
        place = min(132, len(content))
        return place, place, place
    return chance.choice(found)


def _flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 6) if changed else 0):
        changed[chance.randrange(min(len(changed), 900))] = chance.randrange(256)
    return bytes(changed)


def _flip_anywhere(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 6) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _flip_stream(content: bytes, chance: random.Random) -> bytes:
    """Change bytes at the start of the pixels, where compressed images have their header."""
    start = content.rfind(b"\xe0\x7f\x10\0") + 20
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if start < len(changed):
            changed[start + chance.randrange(min(80, len(changed) - start))] = chance.randrange(256)
    return bytes(changed)


def _truncate(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _drop(content: bytes, chance: random.Random) -> bytes:
    at, _, end = _element(chance, content)
    return content[:at] + content[end:]


def _value(content: bytes, chance: random.Random) -> bytes:
    at, start, end = _element(chance, content)
    value = chance.choice(HOSTILE)
    value += b" " * (len(value) % 2)
    if start - at < 8:
        return content
    length = len(value).to_bytes(4 if start - at == 12 else 2, "little")
    return content[: start - len(length)] + length + value + content[end:]


def _representation(content: bytes, chance: random.Random) -> bytes:
    at, start, end = _element(chance, content)
    vr, value = chance.choice(VRS), content[start:end]
    head = (
        vr + b"\0\0" + len(value).to_bytes(4, "little")
        if vr in LONG
        else vr + (len(value) & 0xFFFF).to_bytes(2, "little")
    )
    return content[: at + 4] + head + value + content[end:]


def _length(content: bytes, chance: random.Random) -> bytes:
    at, start, _ = _element(chance, content)
    size = 4 if start - at == 12 else 2
    value = chance.choice((0, 1, 3, 7, 255, 65535, 2**31, 2**32 - 2, 2**32 - 1)) & (256**size - 1)
    return content[: start - size] + value.to_bytes(size, "little") + content[start:]


def _nest(content: bytes, chance: random.Random) -> bytes:
    at, _, _ = _element(chance, content)
    depth = chance.choice((1, 5, 40, 3000))
    item = b"\xfe\xff\x00\xe0" + UNDEFINED
    return content[:at] + (b"\x08\x00\x40\x11SQ\0\0" + UNDEFINED + item) * depth + content[at:]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    at, _, end = _element(chance, content)
    return content[:end] + content[at:end] * chance.choice((1, 3, 2000)) + content[end:]


def _fill(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + bytes(len(content) - start)


def _insert(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.randint(1, 40)) + content[at:]


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bytes flipped": _flip,
    "bytes flipped anywhere": _flip_anywhere,
    "bytes of a compressed header flipped": _flip_stream,
    "truncated": _truncate,
    "element dropped": _drop,
    "hostile value": _value,
    "another representation": _representation,
    "another length": _length,
    "nested sequences": _nest,
    "element repeated": _repeat,
    "filled with zeros": _fill,
    "bytes inserted": _insert,
}
