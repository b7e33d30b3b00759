"""Opens one DICOM file: its header, its series, and whether the file is complete."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import MediaStorageDirectoryStorage

from brain_cae.errors import ScanError
from brain_cae.scans import archives
from brain_cae.scans.elements import Elements
from brain_cae.scans.formats import not_fetched
from brain_cae.scans.raw_header import UNDEFINED, DamagedError, EndOfDataError, RawHeader, has_all_fragments, parse_file

# Bytes that are read first where pixels are not wanted: most headers are smaller, protocols of Siemens take 100 kB.
FIRST, MORE_TIMES = 1 << 15, 16
PREAMBLE = 128


@dataclass(frozen=True)
class DicomFile:
    """One opened file; ``cut``: it ends before its last element, ``pixels``: they were read.

    ``given`` is the header, if pydicom read it.
    """

    path: Path
    given: FileDataset | None
    elements: Elements
    series: str
    cut: bool
    pixels: bool = True

    @property
    def header(self) -> Dataset:
        """The header as a data set of pydicom, with the meta group in ``file_meta``."""
        return self.given if self.given is not None else self.elements.dataset

    @property
    def is_directory(self) -> bool:
        """Whether this is a DICOMDIR, which lists other files and holds no image."""
        return self.elements.text("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage

    @property
    def sop_class(self) -> str:
        """What the file holds: its SOP class, from the header or else from the meta group."""
        return self.elements.text("SOPClassUID") or self.elements.text("MediaStorageSOPClassUID")


def open_dicom(path: Path, *, pixels: bool = True) -> DicomFile:
    """Open one file; raises ScanError (not DICOM, not downloaded, truncated file, damaged header, …).

    Without ``pixels`` only the first part of the file is read.
    """
    try:
        content, size = _read(path, size=0 if pixels else FIRST)
        _check_start(path, content)
        try:
            header = parse_file(content, size)
        except EndOfDataError:  # of the part that was read
            header = _parse_more(path)
    except OSError as error:
        raise ScanError("unreadable file", found=type(error).__name__, where=str(path)) from error
    except (DamagedError, EndOfDataError) as error:
        raise (damaged if _has_prefix(content) else _foreign)(path) from error
    elements = Elements(header)
    if not _has_prefix(content) and not elements.text("SOPClassUID"):
        raise _foreign(path)
    return DicomFile(path, None, elements, elements.text("SeriesInstanceUID"), header.cut or _is_cut(header), pixels)


def _read(path: Path, *, size: int) -> tuple[bytes, int]:
    """Return the first ``size`` bytes of a file, or all with 0, and the number of all."""
    if size:
        return archives.read_start(path, size)
    content = archives.read_bytes(path)
    return content, len(content)


def _parse_more(path: Path) -> RawHeader:
    """Return the header of a file whose header is longer than its first part."""
    try:
        return parse_file(*_read(path, size=FIRST * MORE_TIMES))
    except EndOfDataError:
        return parse_file(*_read(path, size=0))


def _has_prefix(content: bytes) -> bool:
    return content[PREAMBLE : PREAMBLE + 4] == b"DICM"


def _check_start(path: Path, content: bytes) -> None:
    """Raise ScanError if a file does not start as DICOM does."""
    if _has_prefix(content):
        return
    if pointer := not_fetched(content, str(path)):
        raise pointer
    if not content.strip(b"\0"):
        raise truncated(path, f"{len(content)} bytes" if len(content) <= PREAMBLE else "only zeros")
    if len(content) > PREAMBLE and not content[:PREAMBLE].strip(b"\0"):
        raise damaged(path)
    # Exports from the 1990s lack the preamble; the file then starts with group 0008 (or 0002).
    if content[:2] not in (b"\x08\x00", b"\x02\x00"):
        raise _foreign(path)


def _is_cut(header: RawHeader) -> bool:
    """Return whether compressed pixels end too early, as far as the file was read."""
    _, start, length = header.places.get(0x7FE00010, (b"", 0, 0))
    if length != UNDEFINED or len(header.data) < header.size:
        return False
    return not has_all_fragments(header.data, start)


def refuse(file: DicomFile, reason: str, expected: str, actual: str, advice: str | None = None) -> ScanError:
    """Return the error that names one file and the reason why it cannot be used."""
    return ScanError(reason, expected=expected, found=actual, where=str(file.path), advice=advice)


def truncated(path: Path, actual: str = "its end is missing") -> ScanError:
    """Return the error for a file that ends too early."""
    advice = "Copy or export the file again."
    return ScanError("truncated file", expected="a complete file", found=actual, where=str(path), advice=advice)


def miscounted(file: DicomFile, declared: int, actual: str) -> ScanError:
    """Return the error for a file that has another number of frames than its header declares (NumberOfFrames)."""
    reason = f"wrong number of frames: {declared} declared, {actual}"
    return refuse(file, reason, f"{declared} frames (NumberOfFrames)", actual, "Export the series again.")


def damaged(path: Path) -> ScanError:
    """Return the error for a file that starts as DICOM does, but has no header that can be read."""
    return ScanError("damaged header", expected="a DICOM header", found="a damaged or incomplete one", where=str(path))


def _foreign(path: Path) -> ScanError:
    return ScanError("not DICOM", expected="a DICOM file", found="another kind of file", where=str(path))
