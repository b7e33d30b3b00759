"""Opens one DICOM file: its header, its series, and whether the file is complete."""

import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from brain_cae.errors import ScanError
from brain_cae.scans.elements import Elements

# Bytes; all values that place or describe a slice are smaller.
LARGE = 4096
LARGEST_INFLATED = 4 * 2**30
"""Bytes of a deflated file when inflated, which pydicom does in memory: the largest volume with 32 bits per voxel."""


@dataclass(frozen=True)
class DicomFile:
    """One file as pydicom opened it; ``cut``: it ends before its last element, ``pixels``: they were read."""

    path: Path
    header: FileDataset
    elements: Elements
    series: str
    cut: bool
    pixels: bool = True

    @property
    def is_directory(self) -> bool:
        """Whether this is a DICOMDIR, which lists other files and holds no image."""
        meta = getattr(self.header, "file_meta", {})
        return str(meta.get("MediaStorageSOPClassUID", "")) == MediaStorageDirectoryStorage


def open_dicom(path: Path, *, pixels: bool = True) -> DicomFile:
    """Open one file; raises ScanError (not DICOM, truncated file, damaged header, unreadable file, too large).

    Without ``pixels`` large values stay on disk.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _check_inflated(path)
            header = dcmread(path, defer_size=None if pixels else LARGE)
        except ScanError:
            raise
        except InvalidDicomError:
            header = _open_without_preamble(path)
        except EOFError as error:
            raise truncated(path) from error
        except OSError as error:
            raise ScanError("unreadable file", found=type(error).__name__, where=str(path)) from error
        except Exception as error:
            # A damaged header can fail anywhere in the parser, so the kind of exception tells nothing.
            raise ScanError(
                "damaged header", expected="a DICOM header", found="a damaged or incomplete one", where=str(path)
            ) from error
    elements = Elements(header)
    cut = elements.is_cut() or any("end of file" in str(warning.message).lower() for warning in caught)
    cut = cut or elements.end() > path.stat().st_size
    series = elements.text("SeriesInstanceUID")
    return DicomFile(path=path, header=header, elements=elements, series=series, cut=cut, pixels=pixels)


def _check_inflated(path: Path) -> None:
    """Raise ScanError ("too large") if a deflated file holds more than ``LARGEST_INFLATED``; other files pass."""
    with path.open("rb") as stream:
        if DeflatedExplicitVRLittleEndian.encode() not in stream.read(1024):
            return
        # The preamble of 132 bytes, then 12 that say how long the rest of the meta information is.
        stream.seek(144 + int(read_file_meta_info(path).FileMetaInformationGroupLength))
        inflater, packed, length = zlib.decompressobj(-zlib.MAX_WBITS), stream.read(), 0
    while packed and length <= LARGEST_INFLATED:
        length += len(inflater.decompress(packed, 1 << 24))
        packed = inflater.unconsumed_tail
    if length > LARGEST_INFLATED:
        size = f"more than {LARGEST_INFLATED // 2**30} GiB when inflated"
        raise ScanError(f"too large: {size}", expected="a file of one scan", found=size, where=str(path))


def _open_without_preamble(path: Path) -> FileDataset:
    with path.open("rb") as stream:
        start = stream.read(132)
    if len(start) < 132 and not start[:128].strip(b"\0"):
        raise truncated(path, f"{len(start)} bytes")
    refusal = ScanError("not DICOM", expected="a DICOM file", found="another kind of file", where=str(path))
    # Exports from the 1990s lack the preamble; the file then starts with group 0008 (or 0002).
    if start[:2] not in (b"\x08\x00", b"\x02\x00"):
        raise refusal
    try:
        header = dcmread(path, force=True)
    except Exception as error:
        raise refusal from error
    if not Elements(header).text("SOPClassUID"):
        raise refusal
    return header


def refuse(file: DicomFile, reason: str, expected: str, actual: str, advice: str | None = None) -> ScanError:
    """Return the error that names one file and the reason why it cannot be used."""
    return ScanError(reason, expected=expected, found=actual, where=str(file.path), advice=advice)


def truncated(path: Path, actual: str = "its end is missing") -> ScanError:
    """Return the error for a file that ends too early."""
    advice = "Copy or export the file again."
    return ScanError("truncated file", expected="a complete file", found=actual, where=str(path), advice=advice)
