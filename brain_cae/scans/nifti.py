"""Reads a NIfTI file as a checked volume."""

import gzip
import os
import zlib
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from brain_cae.errors import ScanError
from brain_cae.scans.geometry import plane_of_affine
from brain_cae.scans.padding import without_padding
from brain_cae.scans.volume import Volume, check_values, smallest_type

SUFFIXES = (".nii", ".nii.gz")
GZIP_LIMIT = 1100
"""Upper limit of the compression ratio of gzip, which is about 1030."""


def is_nifti(path: Path) -> bool:
    """Return whether the file name has an ending of NIfTI."""
    return path.name.lower().endswith(SUFFIXES)


def read_nifti(path: Path, *, pixels: bool = True) -> Volume:
    """Return the volume of one NIfTI file in the file's axis order; trailing axes of length 1 are dropped.

    Without ``pixels`` only the header is read: the volume has the right shape but holds zeros, and no value is checked.

    Returns:
        Volume with array (X, Y, Z), affine to RAS+ mm. Acquisition describes only the grid: NIfTI stores no TR or TE.

    Raises:
        ScanError: not NIfTI, truncated file, not three-dimensional, single slice, no orientation,
            contradictory orientation, unusable affine, non-finite, constant volume.
    """
    where = str(path)
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        _check_size(image, path)
        array = np.asanyarray(image.dataobj) if pixels else _zeros(image, path)
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise ScanError("unreadable file", found=type(error).__name__, where=where) from error
        if path.name.lower().endswith(".gz") and not _is_gzip(path):
            raise _not_nifti(where, "a file that is not compressed, despite its name") from error
        raise ScanError(
            "truncated file", expected="a complete file", found="its end is missing", where=where
        ) from error
    except (ImageFileError, HeaderDataError, WrapStructError, OverflowError) as error:
        if path.stat().st_size == 0:
            raise ScanError("truncated file", expected="a complete file", found="an empty file", where=where) from error
        packed = not path.name.lower().endswith(".gz") and _is_gzip(path)
        raise _not_nifti(where, "a compressed file; name it .nii.gz" if packed else "another kind of file") from error
    array = without_single_axes(array)
    if array.ndim != 3 or array.dtype.kind not in "iuf":
        actual = f"shape {array.shape}, type {array.dtype}"
        raise ScanError(
            "not three-dimensional", expected="one three-dimensional volume of real numbers", found=actual, where=where
        )
    if min(array.shape) < 2:
        raise ScanError("single slice", expected="at least 2 slices", found=f"shape {array.shape}", where=where)
    affine = affine_to_ras(image, where)
    if pixels:
        array = without_padding(smallest_type(array))
        check_values(array, where=where)
    spacing = [round(float(length), 4) for length in np.linalg.norm(affine[:3, :3], axis=0)]
    acquisition = {
        "rows": array.shape[1],
        "columns": array.shape[0],
        "slices": array.shape[2],
        "spacing_row_mm": spacing[1],
        "spacing_column_mm": spacing[0],
        "spacing_slice_mm": spacing[2],
        "orientation": plane_of_affine(affine),
    }
    return Volume(array=array, affine=affine, acquisition=acquisition)


def _check_size(image: nibabel.Nifti1Image, path: Path) -> None:
    """Raise ScanError before memory is allocated if a damaged header claims more voxels than the file can hold."""
    claimed = int(np.prod([float(size) for size in image.shape])) * image.get_data_dtype().itemsize
    possible = path.stat().st_size * (GZIP_LIMIT if path.name.lower().endswith(".gz") else 1)
    if claimed > possible:
        raise ScanError(
            "truncated file",
            expected=f"{claimed} bytes of voxels, as the header says",
            found=f"at most {possible} in a file of {path.stat().st_size} bytes",
            where=str(path),
        )


def _zeros(image: nibabel.Nifti1Image, path: Path) -> np.ndarray:
    """Return zeros of the image's shape, which take no memory; raises EOFError or a gzip error if the file is cut."""
    kind = image.get_data_dtype()
    end = int(image.header.get_data_offset() + np.prod(image.shape) * kind.itemsize)
    if path.name.lower().endswith(".gz"):
        with path.open("rb") as stream:
            stream.seek(-4, os.SEEK_END)
            length = int.from_bytes(stream.read(4), "little")
        # A complete file ends with its uncompressed length. A file that does not may have several parts, so read it.
        if length != end % 2**32:
            with gzip.open(path) as stream:
                length = sum(len(part) for part in iter(lambda: stream.read(1 << 20), b""))
    else:
        length = path.stat().st_size
    if length < end % 2**32:
        raise EOFError
    return np.broadcast_to(np.zeros((), dtype=kind), image.shape)


def _is_gzip(path: Path) -> bool:
    # A file that was cut after one byte or none still counts as gzip.
    with path.open("rb") as stream:
        return stream.read(2) in (b"\x1f\x8b", b"\x1f", b"")


def _not_nifti(where: str, actual: str) -> ScanError:
    return ScanError("not NIfTI", expected="a NIfTI-1 file", found=actual, where=where)


def without_single_axes(array: np.ndarray) -> np.ndarray:
    """Return the array without trailing axes of length 1 beyond the third."""
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return array


def affine_to_ras(image: nibabel.Nifti1Image, where: str) -> np.ndarray:
    """Return the (4, 4) affine to RAS+ mm from the header.

    Raises:
        ScanError: no orientation (nibabel would invent one), contradictory orientation, unusable affine.
    """
    if not int(image.header["sform_code"]) and not int(image.header["qform_code"]):
        raise ScanError(
            "no orientation",
            expected="sform or qform in the header",
            found="neither, so left and right are unknown",
            where=where,
            advice="Convert the scan again with a tool that keeps the orientation.",
        )
    affine = np.asarray(image.affine, dtype=np.float64)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or lengths.min() < 1e-3 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 0.1:
        raise ScanError(
            "unusable affine", expected="three independent axes with lengths above 0 mm", found=str(affine), where=where
        )
    other = _qform(image)
    if other is not None and np.linalg.det(other[:3, :3]) * np.linalg.det(affine[:3, :3]) < 0:
        raise ScanError(
            "contradictory orientation",
            expected="sform and qform of the same handedness",
            found="sform and qform with left and right swapped",
            where=where,
        )
    return affine


def _qform(image: nibabel.Nifti1Image) -> np.ndarray | None:
    try:
        return image.get_qform(coded=True)[0]
    except (ValueError, HeaderDataError):  # not a rotation: only the sform is usable
        return None
