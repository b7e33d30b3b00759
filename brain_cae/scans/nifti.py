"""Reads a NIfTI file, or a pair of header and image, as a checked volume."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.volumeutils import apply_read_scaling, array_from_file

from brain_cae.errors import ScanError
from brain_cae.scans.extent import check_localiser, check_size, check_voxels
from brain_cae.scans.formats import GZIP, is_half, nifti_files, unpacked
from brain_cae.scans.geometry import plane_of_affine
from brain_cae.scans.nifti_header import LONGEST, NiftiHeader, cut, read_header
from brain_cae.scans.overflow import check_overflow
from brain_cae.scans.padding import without_padding
from brain_cae.scans.volume import Volume, check_values, has_repeated_planes, smallest_type

GZIP_LIMIT = 1100
"""Upper limit of the compression ratio of gzip, which is about 1030."""
FEW_VALUES = 16
"""A mask or a map of tissues has at most so many values, and an image hundreds."""
SAMPLES = 100_000
"""Number of evenly spaced voxels of an image that have more."""


@dataclass(frozen=True)
class NiftiVolume(Volume):
    """A volume and what is unusual about its header, for the report."""

    doubts: tuple[str, ...] = ()


def read_nifti(path: Path, *, pixels: bool = True) -> NiftiVolume:
    """Return the volume of one NIfTI scan in the file's axis order; trailing axes of length 1 are dropped.

    NIfTI-1 or NIfTI-2, one file or a pair (``path`` is either half), compressed or not, whatever the ending says.
    Without ``pixels`` only the header is read: the volume has the right shape but holds zeros, and no value is checked.
    No memory is allocated for voxels before the size of the scan has been compared with that of a head and of the file.

    Returns:
        Volume with array (X, Y, Z), affine to RAS+ mm. Acquisition describes only the grid: NIfTI stores no TR or TE.

    Raises:
        ScanError: unreadable file, truncated file, damaged compression, half of a pair, single slice, unusable
            vox_offset, unusable scaling, and the reasons of ``nifti_header.py``, ``extent.py``, ``overflow.py`` and
            ``volume.py``.
    """
    where = str(path)
    with _faults(where):
        header, image = _open_header(path)
        _check_slices(header.shape, where)
        spacing = np.linalg.norm(header.affine[:3, :3], axis=0)
        for count, distance in zip(header.shape, spacing, strict=True):
            check_localiser(count, float(distance), where=where)
        check_size(header.shape, header.affine, where=where, unit=header.unit)
        if pixels:
            array = _voxels(header, image)
        else:
            _start(header, image)
            array = np.broadcast_to(np.zeros((), dtype=header.dtype), header.shape)
    lengths = [round(float(length), 4) for length in spacing]
    acquisition: dict[str, Any] = {
        "rows": array.shape[1],
        "columns": array.shape[0],
        "slices": array.shape[2],
        "spacing_row_mm": lengths[1],
        "spacing_column_mm": lengths[0],
        "spacing_slice_mm": lengths[2],
        "orientation": plane_of_affine(header.affine),
    }
    doubts = ("another voxel size in pixdim",) if header.other_size else ()
    return NiftiVolume(array=array, affine=header.affine, acquisition=acquisition, doubts=doubts)


def unusual(volume: NiftiVolume) -> tuple[str, ...]:
    """Return what is unusual about a volume that was read from NIfTI, for the report: it may be no scan, or lie wrong.

    A volume without values, as read from its header, is not looked at for these.
    """
    array, affine = volume.array, volume.affine
    found = []
    if any(array.strides):
        step = max(1, array.size // SAMPLES)
        few = len(np.unique(array.ravel(order="K")[::step])) <= FEW_VALUES and len(np.unique(array)) <= FEW_VALUES
        found += ["as few values as a mask"] if few else []
        found += ["slices that are copies of others"] if not few and has_repeated_planes(array) else []
    upright = (affine[:3, :3] != 0).sum() == 3
    return (*found, *volume.doubts, *(["first voxel at the origin"] if upright and not affine[:3, 3].any() else []))


def read_values(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the scaled voxels (X, Y, Z) of any NIfTI file, and its affine (4, 4) to RAS+ mm.

    Files are read as by :func:`read_nifti`, but may be smaller than a head, and may hold any value: a mask does.

    Raises:
        ScanError: unreadable file, truncated file, damaged compression, half of a pair, unusable vox_offset, too large,
            and the reasons of ``nifti_header.py``.
    """
    with _faults(str(path)):
        header, image = _open_header(path)
        return _scaled(header, _raw(header, image)), header.affine


@contextmanager
def _faults(where: str) -> Iterator[None]:
    """Raise ScanError in place of what reading a file raises."""
    try:
        yield
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ScanError(
            "damaged compression", expected="a file that gzip can unpack", found=str(error), where=where
        ) from error
    except EOFError as error:
        raise cut(where) from error
    except OSError as error:
        raise ScanError("unreadable file", found=type(error).__name__, where=where) from error


def _check_slices(shape: tuple[int, ...], where: str) -> None:
    if min(shape) < 2:
        shown = " x ".join(map(str, shape))
        raise ScanError("single slice", expected="at least 2 slices", found=f"{shown} voxels", where=where)


def _open_header(path: Path) -> tuple[NiftiHeader, Path]:
    """Return the header of a scan, and the file with its voxels."""
    pair, files = is_half(path), nifti_files(path)
    if pair and len(files) < 2:
        path.stat()  # a file that does not exist is reported as such
        raise ScanError(
            "half of a pair", expected="a .hdr and an .img of one name", found=f"only {path.name}", where=str(path)
        )
    with unpacked(files[0]) as stream:
        block = stream.read(LONGEST)
    if not block:
        raise cut(str(path), "an empty file")
    return read_header(block, where=str(path), pair=pair), files[-1]


def _voxels(header: NiftiHeader, image: Path) -> np.ndarray:
    """Return the scaled voxels (X, Y, Z) as int16 or float32, with the intensity of air in place of padding."""
    raw = _raw(header, image)
    with np.errstate(all="ignore"):
        array = smallest_type(_scaled(header, raw))
    array = without_padding(array)
    try:
        check_values(array, where=str(image))
    except ScanError as fault:
        if _is_beyond(raw):
            scaling = f"values from {raw.min():g} to {raw.max():g}"
        elif not (_is_scaled(header) and _has_image(raw)):
            raise
        else:
            scaling = f"slope {header.slope:g}, intercept {header.intercept:g}"
        raise ScanError(
            f"unusable scaling: {scaling}",
            expected="values that numbers of single precision hold",
            found=f"{scaling}, which give a {fault.reason} image",
            where=str(image),
        ) from fault
    if _is_scaled(header):
        check_overflow((array - np.float32(header.intercept)) / np.float32(header.slope), where=str(image))
    return array


def _is_scaled(header: NiftiHeader) -> bool:
    return (header.slope, header.intercept) != (1, 0)


def _raw(header: NiftiHeader, image: Path) -> np.ndarray:
    """Return the voxels (X, Y, Z) as stored."""
    try:
        return _stored(header, image, _start(header, image, quick=True))
    except gzip.BadGzipFile:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        return _stored(header, image, _start(header, image))


def _scaled(header: NiftiHeader, raw: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return apply_read_scaling(raw, np.float64(header.slope), np.float64(header.intercept))


def _stored(header: NiftiHeader, image: Path, start: int) -> np.ndarray:
    """Return the voxels (X, Y, Z) as stored; raises OSError without a number if the file ends before the last one."""
    with unpacked(image) as stream:
        # Not mapped into memory: a file that another program cuts short in the meantime would end the process.
        raw = array_from_file(header.shape, header.dtype, stream, offset=start, mmap=False)
        if isinstance(stream, gzip.GzipFile):
            # The checksum is compared at the end, so damaged voxels would not be noticed before.
            _unpack_rest(stream)
    return raw


def _unpack_rest(stream: gzip.GzipFile) -> int:
    """Read to the end and return the number of bytes; as in gzip, other bytes may follow a complete file."""
    length = 0
    try:
        # read1 returns what was unpacked before it meets such bytes; read would lose it.
        while part := stream.read1(1 << 20):
            length += len(part)
    except gzip.BadGzipFile as error:
        if not str(error).startswith("Not a gzipped file"):
            raise
    return length


def _is_beyond(raw: np.ndarray) -> bool:
    """Return whether there is an image, of values that are too large or too small for single precision."""
    low, high = raw.min(), raw.max()
    peak, limits = max(abs(low), abs(high)), np.finfo(np.float32)
    return bool(np.isfinite(peak) and low < high and not limits.tiny <= peak <= limits.max)


def _has_image(raw: np.ndarray) -> bool:
    low, high = raw.min(), raw.max()
    limit = np.finfo(np.float32).max
    return bool(-limit <= low < high <= limit)


def _start(header: NiftiHeader, image: Path, *, quick: bool = False) -> int:
    """Return the byte where the voxels start.

    ``quick`` believes the header of a compressed file; otherwise the file is unpacked where its length is not known.

    Raises:
        ScanError: unusable vox_offset, too large.
        EOFError: The file cannot hold so many voxels.
    """
    offset, size, length = header.offset, header.size, image.stat().st_size
    with image.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(-min(4, length), os.SEEK_END)
        # A compressed file ends with its length when unpacked; one of several parts does not.
        length_at_end = int.from_bytes(file.read(), "little")
    longest = length * GZIP_LIMIT if packed else length
    if size > longest:
        raise EOFError
    check_voxels(header.shape, where=str(image))
    plausible = offset.is_integer() and header.starts[0] <= offset <= longest - size
    if packed and plausible and (quick or length_at_end == (int(offset) + size) % 2**32):
        return int(offset)
    if packed:
        with gzip.open(image) as stream:
            length = _unpack_rest(stream)
    if plausible and offset + size <= length:
        return int(offset)
    # The header is wrong about the start. Where nothing follows the voxels, the length of the file gives it.
    if length - size in header.starts:
        return length - size
    if length - size < header.starts[-1]:
        raise EOFError
    raise ScanError(
        f"unusable vox_offset: {offset:g}",
        expected=f"the byte where voxels start, {header.starts[0]} or more",
        found=f"{offset:g}, with {size} bytes of voxels in {length} bytes",
        where=str(image),
    )
