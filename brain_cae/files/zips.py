"""What a zip file may cost, read from its directory before anything is unpacked."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What Python raises for entries that are damaged, encrypted, or packed in another way."""
MIB = 2**20
MAX_RATIO, RATIO_FROM_BYTES = 200, 64 * MIB
"""Deflated pixels reach 20, an empty image 1,000; beyond that, an archive is made to fill a memory or a disk."""


@dataclass(frozen=True)
class Limits:
    """The most that an archive may hold.

    Attributes:
        entries: Number of entries.
        bytes: Size of all entries, unpacked.
        entry_bytes: Size of one entry, unpacked.
    """

    entries: int
    bytes: int
    entry_bytes: int


def excess(entries: Sequence[zipfile.ZipInfo], packed: int, limits: Limits) -> tuple[str, str] | None:
    """Return what was expected and what was found if an archive holds more than it may; None if it does not.

    Args:
        entries: Directory of the archive.
        packed: Size of the archive in bytes.
        limits: What it may hold.
    """
    if any(entry.flag_bits & 1 for entry in entries):
        return "a zip file without a password", "encrypted entries"
    total = sum(entry.file_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    steep = [(entry.file_size, entry.compress_size) for entry in entries] + [(total, packed)]
    if len(entries) > limits.entries:
        return f"at most {limits.entries:,} entries", f"{len(entries):,}"
    if total > limits.bytes:
        return f"at most {limits.bytes // MIB:,} MiB unpacked", f"{total // MIB:,} MiB"
    if largest > limits.entry_bytes:
        return f"entries of at most {limits.entry_bytes // MIB:,} MiB", f"{largest // MIB:,} MiB"
    if any(size > RATIO_FROM_BYTES and size > MAX_RATIO * max(1, small) for size, small in steep):
        return f"entries that unpack to at most {MAX_RATIO} times their size", "more"
    return None
