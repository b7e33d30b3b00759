"""One entry of the import store: a volume and the JSON file beside it.

``<key>.nii`` holds the voxels. ``<key>.json``, written last, holds the acquisition, or the reason why the series was
refused. The key is a hash of both: what is read again gets the same one. ``seen/<hash>`` stores the key for files with
unchanged path, size and time, so that they are not read again.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from brain_cae.errors import ScanError
from brain_cae.files.atomic import whole, write_bytes, write_pieces
from brain_cae.files.special import is_special
from brain_cae.files.system_errors import where_allowed
from brain_cae.scans import archives
from brain_cae.scans.completeness import is_numbered_alike
from brain_cae.scans.dicom import NOT_DICOM, FolderReading, Refused, read_folder
from brain_cae.scans.extent import check_size
from brain_cae.scans.formats import is_half, is_kind, is_nifti, nifti_files, unread_format
from brain_cae.scans.nifti import read_nifti, unusual
from brain_cae.scans.silence import silence
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.volume import Volume, content_hash

# Increase this whenever the same files would give a different volume, column or reason.
VERSION = "14"
# Folder of the store with the keys of unchanged files.
SEEN = "seen"
MEASURED_COLUMNS = ("shift_mm", "rotation_deg", "overlap_before", "overlap", "coverage_mm", "looks_like")
"""What the preparation measures: movement of a scan onto the reference scan (mean in mm, degrees) and overlap of the
foregrounds (Dice), extent of the head that it covers (mm), and the contrast that it shows."""
REPORT_COLUMNS = ("subject", "modality", "series_hash", "status", "reason", "path", *MEASURED_COLUMNS)
# These depend on the machine, not on the files: the next import tries again.
TRANSIENT_REASONS = ("missing decoder", "unreadable file", "unreadable folder", "not enough memory")
NOT_READ = "not read"
CHANGED = "changed during the import"


@dataclass(frozen=True)
class Outcome:
    """The result of one location: its index row, if imported, and its report lines."""

    row: dict[str, Any] | None
    lines: tuple[dict[str, str], ...]


def known_outcome(location: SeriesLocation, store: Path) -> Outcome | None:
    """Return the outcome that the store holds for a location; None if its files must be read."""
    if not location.files:
        return _missing(location)
    try:
        key = (store / SEEN / _stamp(location)).read_text(encoding="ascii")
        entry = _read_entry(store, key)
    except (OSError, ValueError):  # also a file that a crash of the machine has damaged
        return None
    return _outcome(location, entry, store, key) if entry else None


def import_location(location: SeriesLocation, store: Path) -> Outcome:
    """Import one location and return its outcome; problems with its files go to the report and raise no exception.

    Only a store that cannot be written to (StorageError) stops the import.
    """
    if (refused := _not_files(location)) is not None:
        return refused
    try:
        stamp = _stamp(location)
        volume, entry = _describe(location, pixels=True)
        _open_all(location, entry)
        # What mixes two states of the files must not stay in the store.
        if _stamp(location) != stamp:
            return Outcome(None, (_line("refused", CHANGED, location.files[0]),))
    except OSError as error:
        return _unreadable(location, error)
    if entry["reason"] in TRANSIENT_REASONS:
        return _outcome(location, entry, store, "")
    key, entry = _keep(volume, entry, store)
    with where_allowed():  # it saves time alone
        write_bytes(store / SEEN / stamp, key.encode())
    return _outcome(location, entry, store, key)


def inspect_location(location: SeriesLocation) -> Outcome:
    """Return the outcome of one location as far as its headers show it; nothing is written.

    The row's path is that of the first file, and its hash is a placeholder. Problems that only the voxels show (damaged
    values, copies) are not detected.
    """
    if not location.files:
        return _missing(location)
    if (refused := _not_files(location)) is not None:
        return refused
    _, entry = _describe(location, pixels=False)
    try:
        _open_all(location, entry)
    except OSError as error:
        return _unreadable(location, error)
    return as_inspected(_outcome(location, entry | {"series_hash": NOT_READ}, Path(), ""), location)


def as_inspected(outcome: Outcome, location: SeriesLocation) -> Outcome:
    """Return an outcome as :func:`inspect_location` gives it, also if an import has read more."""
    if outcome.row is None:
        return outcome
    path = str(location.shown(location.files[0]))
    lines = tuple(line | {"series_hash": line["series_hash"] and NOT_READ} for line in outcome.lines)
    return Outcome(outcome.row | {"path": path, "series_hash": NOT_READ}, lines)


def _missing(location: SeriesLocation) -> Outcome:
    # The report also lists the scans that the source skipped; "no files" would contradict those lines.
    return Outcome(None, (_line("missing", "no usable scan" if location.left_out else "no files"),))


def _not_files(location: SeriesLocation) -> Outcome | None:
    """Return the refusal of a location if one of its paths is not a file: to open a named pipe would wait for ever."""
    special = next((path for path in location.files if is_special(path)), None)
    return None if special is None else Outcome(None, (refusal("not a file", location.shown(special)),))


def _open_all(location: SeriesLocation, entry: Mapping[str, Any]) -> None:
    """Raise OSError if a file of a location that was read cannot be opened."""
    # Without complaint, every file of a DICOM series was opened; of NIfTI, files beside the scan were not.
    if entry["reason"] or entry["left_out"] or _is_one_nifti(location.files):
        for path in location.files:
            archives.read_start(path, 0)


def _unreadable(location: SeriesLocation, error: OSError) -> Outcome:
    path = Path(error.filename or location.files[0])
    kind = "unreadable folder" if is_kind(path, Path.is_dir) else "unreadable file"
    reason = "no such file" if isinstance(error, FileNotFoundError) else kind
    place = location.files[0] if location.aliases else path
    return Outcome(None, (_line("refused", reason, location.shown(place)),))


def _describe(location: SeriesLocation, *, pixels: bool) -> tuple[Volume | None, dict[str, Any]]:
    """Read a location; return its volume, if any, and its entry. Nothing is written."""
    with silence():
        reading = _read(location, pixels=pixels)
    volume, refused, path = reading.volume, list(reading.refused), reading.path
    reason, notes = "", "; ".join(reading.notes)
    if volume is None:
        main = max(refused, key=lambda one: one.weight, default=Refused("no image", location.files[0], 0))
        refused = [one for one in refused if one is not main]
        reason, path = main.reason, main.path
    left_out = [{"reason": one.reason, "file": _name(one.path, location)} for one in refused]
    file = _name(path, location) if path else ""
    entry: dict[str, Any] = {"version": VERSION, "reason": reason, "file": file, "left_out": left_out, "notes": notes}
    if volume is not None:
        entry["acquisition"] = _plain(volume.acquisition)
    return volume, entry


def _keep(volume: Volume | None, entry: dict[str, Any], store: Path) -> tuple[str, dict[str, Any]]:
    """Write a volume, if any, then its entry, completed with hash and size of the volume; return key and entry.

    What the store has stays: files that were moved or renamed are the same scan.
    """
    facts = entry
    if volume is not None:
        entry["series_hash"] = content_hash(volume.array, volume.affine)
        # The hash is that of the voxels in any order.
        form = [str(volume.array.dtype), volume.affine.tolist()]
        facts = entry | {"file": form, "left_out": [one["reason"] for one in entry["left_out"]]}
    key = hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()[:32]
    if (known := _read_entry(store, key)) is not None:
        return key, known
    if volume is not None:
        entry["bytes"] = _write_volume(volume, store / f"{key}.nii")
    write_bytes(store / f"{key}.json", json.dumps(entry, indent=1, allow_nan=False).encode())
    return key, entry


def _read(location: SeriesLocation, *, pixels: bool) -> FolderReading:
    files = location.files
    unread = [Refused(reason, path, 1) for path in files if (reason := unread_format(path))]
    if not unread:
        return _read_known(files, location, pixels=pixels)
    known = [path for path in files if path not in {one.path for one in unread}]
    reading = _read_known(known, location, pixels=pixels) if known else FolderReading(None, ())
    slices = [one for one in unread if is_numbered_alike(one.path, known)]
    if slices:
        reading = replace(reading, volume=None, path=None, notes=())
        # The main reason is that of most files.
        unread = [replace(slices[0], files=len(location.files)), *(one for one in unread if one is not slices[0])]
    return replace(reading, refused=(*reading.refused, *unread))


def _read_known(files: Sequence[Path], location: SeriesLocation, *, pixels: bool) -> FolderReading:
    try:
        if _is_one_nifti(files):
            return _only_nifti(files, pixels=pixels)
        reading = read_folder(files, location.chosen, pixels=pixels, modality=location.modality)
        # A converter may leave NIfTI files beside the DICOM files, which then win. Without DICOM, NIfTI is the scan.
        volumes = any(is_nifti(path) or is_half(path) for path in files)
        if volumes and all(one.reason == NOT_DICOM for one in reading.refused) and reading.volume is None:
            return _only_nifti(files, pixels=pixels)
        return _of_head_size(reading)
    except ScanError as error:
        return FolderReading(None, (Refused(error.reason, files[0], len(files)),))
    except MemoryError:
        return FolderReading(None, (Refused("not enough memory", files[0], len(files)),))
    except Exception as error:
        # A bug here or in a library must cost one series, not a thousand; the report names series and exception.
        return FolderReading(None, (Refused(f"cannot be read ({type(error).__name__})", files[0], len(files)),))


def _is_one_nifti(files: Sequence[Path]) -> bool:
    """Return whether the files are one NIfTI scan, in one file or as a pair, and nothing else."""
    scans = [path for path in files if is_nifti(path)]
    return len(scans) == 1 and set(files) <= set(nifti_files(scans[0]))


def _only_nifti(files: Sequence[Path], *, pixels: bool) -> FolderReading:
    """Read the only NIfTI scan among the files; an .img without its header is refused as half of a pair."""
    scans = [path for path in files if is_nifti(path)] or [path for path in files if is_half(path)]
    if len(scans) > 1:
        return FolderReading(None, (Refused("several NIfTI files", scans[0], len(scans)),))
    volume = read_nifti(scans[0], pixels=pixels)
    return FolderReading(volume, (), scans[0], unusual(volume))


def _of_head_size(reading: FolderReading) -> FolderReading:
    """Return the reading of a DICOM series, or its refusal if no head fits into it."""
    if reading.volume is None or reading.path is None:
        return reading
    try:
        check_size(reading.volume.array.shape, reading.volume.affine, where=str(reading.path))
    except ScanError as error:
        return FolderReading(
            None, (Refused(error.reason, reading.path, reading.volume.array.shape[2]), *reading.refused)
        )
    return reading


def _outcome(location: SeriesLocation, entry: dict[str, Any], store: Path, key: str) -> Outcome:
    folder, known, aliases = _folder(location.files), set(location.files), set(location.aliases.values())

    def place(file: str) -> Path | str:
        if location.aliases:
            return file if file in aliases else location.shown(location.files[0])
        # The files may have been moved or renamed since the entry was written.
        if len(location.files) == 1:
            return location.files[0]
        return path if (path := folder / file) in known else folder

    others = tuple(_line("refused", one["reason"], place(one["file"])) for one in entry["left_out"])
    if entry["reason"]:
        return Outcome(None, (_line("refused", entry["reason"], place(entry["file"])), *others))
    acquisition = _acquisition(entry["acquisition"], location.acquisition)
    row = acquisition | {
        "subject": location.subject,
        "session": location.session,
        "source": location.source,
        "site": location.site,
        "label": location.label,
        "age": acquisition.get("age", math.nan) if location.age is None else location.age,
        "sex": location.sex or acquisition.get("sex", ""),
        "modality": location.modality,
        "path": str((store / f"{key}.nii").absolute()),
        "brain_mask_path": _mask(location.brain_mask),
        "lesion_mask_path": _mask(location.lesion_mask),
        "skull": location.skull,
        "stripped_by": _stripped_by(location),
        "sequence": acquisition.get("sequence", "unknown"),
        "dimensionality": acquisition.get("dimensionality", "unknown"),
        "series_hash": entry["series_hash"],
    }
    return Outcome(
        row, (_line("imported", entry.get("notes", ""), place(entry["file"]), entry["series_hash"]), *others)
    )


def _stripped_by(location: SeriesLocation) -> str:
    """Return by what a scan was stripped before any tool is called, see ``STRIPPED_BY``."""
    if location.skull == "stripped":
        return "delivered"
    return "mask" if _mask(location.brain_mask) else ""


def _acquisition(header: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the acquisition from the headers, completed by the source where the headers give no value."""
    known = {name: math.nan if value is None else value for name, value in header.items()}
    return known | {name: value for name, value in source.items() if header.get(name) in (None, "", "unknown")}


def _read_entry(store: Path, key: str) -> dict[str, Any] | None:
    """Return an entry; None if it is absent or damaged, or if its volume is truncated."""
    try:
        entry = json.loads((store / f"{key}.json").read_text(encoding="utf-8"))
        if not entry["reason"] and (store / f"{key}.nii").stat().st_size != entry["bytes"]:
            return None
    except (OSError, ValueError, KeyError):
        return None
    return entry


def _write_volume(volume: Volume, target: Path) -> int:
    image = nibabel.Nifti1Image(volume.array, volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner")
    data = image.header.copy()
    data["vox_offset"], data["scl_slope"], data["scl_inter"] = 352, 1, 0
    with whole(target) as aside, aside.open("wb") as stream:
        stream.write(data.binaryblock + b"\0\0\0\0")
        # NIfTI's first axis runs fastest; for volumes from DICOM the transpose is contiguous and nothing is copied.
        write_pieces(stream, np.ascontiguousarray(volume.array.T).data)
        return stream.tell()


def _stamp(location: SeriesLocation) -> str:
    digest = hashlib.sha256(f"{VERSION}\0{location.modality}\0{location.chosen or ''}".encode(errors="surrogateescape"))
    for path in location.files:
        known = archives.status(path)
        digest.update(f"\n{path.absolute()}\0{known.size}\0{known.changed}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _folder(files: Sequence[Path]) -> Path:
    """Return the deepest folder that contains all files of a scan."""
    folders = {path.parent for path in files}
    return next(iter(folders)) if len(folders) == 1 else Path(os.path.commonpath(folders))


def _name(path: Path, location: SeriesLocation) -> str:
    """Return the name of a file in an entry: its path within the scan, or the one that may be written."""
    if location.aliases:
        return location.aliases.get(path, "")
    folder = _folder(location.files)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""


def _plain(acquisition: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in acquisition.items()
    }


def _mask(path: Path | None) -> str:
    return str(path.absolute()) if path is not None and path.is_file() else ""


def refusal(reason: str, path: Path) -> dict[str, str]:
    """Return the report line for files that were not used."""
    return _line("refused", reason, path)


def _line(status: str, reason: str, path: Path | str = "", series_hash: str = "") -> dict[str, str]:
    return {"series_hash": series_hash, "status": status, "reason": reason, "path": str(path)}
