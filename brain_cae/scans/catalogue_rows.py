"""Rows of the catalogue: what was read of each file, in pieces in the store."""

import json
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from brain_cae.files.atomic import whole
from brain_cae.scans.headers import IMAGE, STATUS

ROW = np.dtype(
    [
        ("file", "S21"), ("size", "i8"), ("changed", "i8"), ("status", "i1"), ("frames", "i4"), ("diffusion", "?"),
        ("apart", "?"), ("agent", "?"), ("dated", "?"), ("number", "i4"), ("serial", "i4"), ("echo", "f4"),
        ("repetition", "f4"), ("place", "f8"), ("plane", "f4", 6), ("type", "S12"), ("day", "S12"), ("patient", "S14"),
        ("study", "S18"), ("series", "S15"), ("uid", "S16"),
    ]
)  # fmt: skip
READ = (
    "status", "frames", "diffusion", "apart", "agent", "dated", "number", "serial", "echo", "repetition", "place",
    "plane", "type", "day", "patient", "study", "series", "uid",
)  # fmt: skip
"""Columns that come from the file itself."""


@dataclass
class Known:
    """Rows by file, and facts by series, of what was read before."""

    rows: dict[bytes, np.void] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def kind_of_row(row: np.void) -> str:
    """Return the key of the facts of a file: all that may divide its series."""
    series, kind, day = (row[name].decode() for name in ("series", "type", "day"))
    flags = "".join(f" {name}" for name in ("apart", "agent") if row[name])
    return f"{series} {row['serial']} {kind} {day} {row['echo']:g} {row['repetition']:g}{flags}"


def load(folder: Path | None) -> Known:
    """Return what the pieces of a folder hold; nothing without a folder."""
    known = Known()
    for path in sorted(folder.glob("*.npz")) if folder else []:
        for rows, facts in _piece(path):
            known.rows.update(zip(rows["file"].tolist(), rows, strict=True))
            known.facts |= facts
    # A row without the facts of its kind is of no use.
    known.rows = {
        file: row for file, row in known.rows.items() if row["status"] != IMAGE or kind_of_row(row) in known.facts
    }
    return known


def _piece(path: Path) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Yield rows and facts of a piece; nothing if it is damaged: its files are read again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            rows, facts = stored["rows"], json.loads(bytes(stored["facts"]).decode())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return
    if rows.dtype == ROW:
        yield rows, facts


def save(folder: Path, rows: np.ndarray, facts: dict[str, Any]) -> None:
    """Write rows, and facts by series, as a piece."""
    # A file that the system refuses to open may be readable next time.
    kept = rows[rows["status"] != STATUS.index("unreadable file")]
    content = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    with whole(folder / f"{secrets.token_hex(8)}.npz") as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, rows=kept, facts=content)
