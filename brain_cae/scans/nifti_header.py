"""Reads what a NIfTI header says about the voxels and their place, and names the field that cannot be used.

Source: nifti1.h and nifti2.h of the NIfTI data format working group. Fields that these leave open, or that writers
often get wrong, are read as the reference implementation niftilib does.
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from nibabel.nifti1 import Nifti1Header, data_type_codes
from nibabel.nifti2 import Nifti2Header
from nibabel.quaternions import quat2mat

from brain_cae.errors import ScanError
from brain_cae.scans.formats import not_fetched

LONGEST = Nifti2Header.sizeof_hdr
"""Length of the longest header in bytes."""
KINDS = (
    (0, b"\x1f\x8b", "compressed twice"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"<", "a web page"),
    (128, b"DICM", "a DICOM file"),
)
"""What else lies under the name of a NIfTI file: where its first bytes are, and what they tell."""
MM_PER_UNIT = {1: ("metre", 1e3), 3: ("micron", 1e-3)}
"""Units of length by their code; all other codes are read as mm."""
# Rounded to float32, the quaternion of a rotation by 180 degrees can be slightly longer than 1.
LONGEST_QUATERNION = 1.005
# Square of its first part: what is smaller is rounding, which would turn the scan by up to 0.03 degrees (niftilib).
SMALLEST_QUATERNION = 1e-7
FARTHEST_MM = 1e6
# An sform may map to a template, and turn and scale the head by as much as heads differ; more is an error.
LARGEST_SCALE, LARGEST_TURN = 1.6, 60.0


@dataclass(frozen=True)
class NiftiHeader:
    """What the header says, in usable form.

    Attributes:
        shape: (X, Y, Z).
        dtype: Of the stored voxels, real numbers.
        offset: Byte where the voxels start; not checked.
        starts: Bytes where voxels of a file without extensions start, the usual one first.
        slope: Factor of stored values.
        intercept: Added to them.
        affine: (4, 4), voxel index -> RAS+ mm.
        unit: Unit of length in the header.
        other_size: Whether pixdim, where no qform uses it, has another voxel size than the affine.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: float
    starts: tuple[int, ...]
    slope: float
    intercept: float
    affine: np.ndarray
    unit: str
    other_size: bool

    @property
    def size(self) -> int:
        """Number of bytes of all voxels."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(block: bytes, *, where: str, pair: bool) -> NiftiHeader:
    """Return the header in the first bytes of a file (up to ``LONGEST``); ``pair``: the voxels are in another file.

    Raises:
        ScanError: not NIfTI, not downloaded, truncated file, half of a pair, Analyze without orientation, unusable
            dimensions, not three-dimensional, unsupported data type, colour image, complex image, and the reasons
            of :func:`affine_of_header`.
    """
    raw = _parse(block, where, pair)
    shape = _shape(raw, where)
    dtype = _data_type(raw, where)
    affine = affine_of_header(raw, where)
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if not np.isfinite(slope) or slope == 0:  # the standard's sign for "no scaling"
        slope, intercept = 1.0, 0.0
    end = raw.sizeof_hdr
    return NiftiHeader(
        shape=shape,
        dtype=dtype,
        offset=float(raw["vox_offset"]),
        # The four bytes after the header say whether extensions follow; some writers leave them out.
        starts=(0,) if pair else (end + 4, end),
        slope=slope,
        intercept=intercept if np.isfinite(intercept) else 0.0,
        affine=affine,
        unit=_unit(raw)[0],
        other_size=_has_other_size(raw, affine),
    )


def affine_of_header(header: Any, where: str) -> np.ndarray:
    """Return the affine (4, 4) to RAS+ mm from the fields of a header: the sform, or else the qform.

    Raises:
        ScanError: no orientation, unusable affine, unusable quaternion, unusable pixdim, contradictory orientation,
            contradictory voxel size.
    """
    forms: list[np.ndarray] = []
    faults: list[ScanError] = []
    for name, read in (("sform_code", _sform), ("qform_code", _qform)):
        if int(header[name]) > 0:
            try:
                forms.append(_in_mm(read(header, where), header, where))
            except ScanError as fault:
                faults.append(fault)
    if not forms and not faults:
        raise ScanError(
            "no orientation",
            expected="sform or qform in the header",
            found="neither, so left and right are unknown",
            where=where,
            advice="Convert the scan again with a tool that keeps the orientation.",
        )
    if not forms:
        raise faults[0]
    _check_agreement(forms[0], forms[-1], where)
    return forms[0]


def _check_agreement(sform: np.ndarray, qform: np.ndarray, where: str) -> None:
    """Raise ScanError (contradictory orientation, contradictory voxel size) if one of two affines must be wrong."""
    lengths = [np.linalg.norm(form[:3, :3], axis=0) for form in (sform, qform)]
    first, second = (_rotation(form[:3, :3]) for form in (sform, qform))
    angle = np.degrees(np.arccos(np.clip((np.trace(first @ second.T) - 1) / 2, -1, 1)))
    if np.linalg.det(first) * np.linalg.det(second) < 0:
        actual = "sform and qform with left and right swapped"
    elif angle > LARGEST_TURN:
        actual = f"sform and qform turned against each other by {angle:.0f} degrees"
    else:
        actual = ""
    if actual:
        raise ScanError(
            "contradictory orientation",
            expected="sform and qform of the same handedness and direction",
            found=actual,
            where=where,
        )
    if _differ(*lengths):
        shown = " and ".join(" x ".join(f"{length:.3g}" for length in one) for one in lengths)
        raise ScanError(
            f"contradictory voxel size: {shown} mm",
            expected="sform and qform with one voxel size, or that of a template",
            found=f"{shown} mm",
            where=where,
        )


def _has_other_size(header: Any, affine: np.ndarray) -> bool:
    """Return whether pixdim, which only a qform uses, has another voxel size than an affine (4, 4) by the sform.

    All of it may be 1 in a header that was made anew, and 0 or below where a program does not know it.
    """
    lengths = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    known = np.isfinite(lengths).all() and lengths.min() > 0 and (lengths != 1).any()
    if int(header["qform_code"]) > 0 or not known:
        return False
    return _differ(np.linalg.norm(affine[:3, :3], axis=0), lengths * _unit(header)[1])


def _differ(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two voxel sizes (3,) differ by more than a head and a template do."""
    return bool(np.abs(np.log(first / second)).max() > np.log(LARGEST_SCALE))


def _rotation(axes: np.ndarray) -> np.ndarray:
    """Return the rotation or reflection (3, 3) that is nearest to axes of any length, which may be sheared."""
    left, _, right = np.linalg.svd(axes / np.linalg.norm(axes, axis=0))
    return left @ right


def not_nifti(where: str, actual: str = "", *, kind: str = "") -> ScanError:
    """Return the error for a file that is not NIfTI, but of a known ``kind`` or an ``actual`` one."""
    reason = f"not NIfTI: {kind}" if kind else "not NIfTI"
    return ScanError(reason, expected="a NIfTI file", found=actual or kind or "another kind of file", where=where)


def _parse(block: bytes, where: str, pair: bool) -> Nifti1Header:
    if block[344:347] in (b"n+1", b"ni1"):
        kind, magic = Nifti1Header, block[344:347]
    elif block[4:7] in (b"n+2", b"ni2"):
        kind, magic = Nifti2Header, block[4:7]
    else:
        raise _without_magic(block, where, pair)
    if len(block) < kind.sizeof_hdr:
        raise cut(where)
    if not pair and magic.startswith(b"ni"):
        raise ScanError(
            "half of a pair", expected="a header with its voxels", found="a header of an .img file", where=where
        )
    # nibabel tells the byte order from the number of axes, which may be damaged.
    length = {order: int.from_bytes(block[:4], order) for order in ("little", "big")}
    order = next((order for order, value in length.items() if value == kind.sizeof_hdr), None)
    return kind(block[: kind.sizeof_hdr], endianness=order, check=False)


def _without_magic(block: bytes, where: str, pair: bool) -> ScanError:
    if pointer := not_fetched(block, where):
        return pointer
    if kind := next((kind for place, start, kind in KINDS if block[place:].lstrip().startswith(start)), ""):
        return not_nifti(where, kind=kind)
    lengths = {int.from_bytes(block[:4], order) for order in ("little", "big")}
    if not lengths & {Nifti1Header.sizeof_hdr, Nifti2Header.sizeof_hdr}:
        return not_nifti(where)
    if len(block) < Nifti1Header.sizeof_hdr:
        return cut(where)
    if not pair:
        return not_nifti(where, "a header without the mark of NIfTI (magic)")
    return ScanError(
        "Analyze without orientation",
        expected="a NIfTI header",
        found="an Analyze header, in which left and right are unknown",
        where=where,
    )


def cut(where: str, actual: str = "its end is missing") -> ScanError:
    """Return the error for a file that ends too early."""
    return ScanError("truncated file", expected="a complete file", found=actual, where=where)


def _shape(raw: Nifti1Header, where: str) -> tuple[int, ...]:
    axes, *sizes = (int(size) for size in raw["dim"])
    shown = " x ".join(map(str, sizes[: axes if 1 <= axes <= 7 else 7]))
    if not 1 <= axes <= 7 or min(sizes[: min(axes, 3)]) < 1:
        raise ScanError(
            f"unusable dimensions: {shown}",
            expected="one to seven axes, each of at least one voxel",
            found=f"{axes} axes of {shown} voxels",
            where=where,
        )
    # Trailing axes of no voxel are a way to say that there are none.
    volumes = math.prod(max(size, 1) for size in sizes[3:axes])
    if volumes > 1:
        raise ScanError(
            f"not three-dimensional: {volumes} volumes",
            expected="one volume",
            found=f"{shown} voxels: a time series, or several echoes or directions",
            where=where,
        )
    return (*sizes[: min(axes, 3)], 1, 1)[:3]


def _data_type(raw: Nifti1Header, where: str) -> np.dtype:
    code = int(raw["datatype"])
    try:
        name, dtype = data_type_codes.label[code], np.dtype(cast("Any", data_type_codes.dtype[code]))
    except KeyError:
        name, dtype = f"code {code}", np.dtype(np.void)
    if dtype.names or dtype.kind == "c":
        reason = "colour image" if dtype.names else "complex image"
        raise ScanError(reason, expected="one real number per voxel", found=f"the data type {name}", where=where)
    if dtype.kind not in "iuf":
        raise ScanError(
            f"unsupported data type: {name}",
            expected="integers of 8 to 64 bits or floating-point numbers",
            found=f"the data type {name}",
            where=where,
        )
    return dtype.newbyteorder(raw.endianness)


def _unit(header: Any) -> tuple[str, float]:
    """Return the unit of length in the header, and how many mm it is."""
    return MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, ("mm", 1.0))


def _sform(header: Any, where: str) -> np.ndarray:
    return np.array([header["srow_x"], header["srow_y"], header["srow_z"], [0, 0, 0, 1]], dtype=np.float64)


def _qform(header: Any, where: str) -> np.ndarray:
    x, y, z = (float(header[f"quatern_{name}"]) for name in "bcd")
    length = np.hypot(np.hypot(x, y), z)
    if not length <= LONGEST_QUATERNION:
        shown = f"{x:.6g}, {y:.6g}, {z:.6g}"
        raise ScanError(
            f"unusable quaternion: {shown}",
            expected="three numbers whose squares add up to at most 1",
            found=shown,
            where=where,
        )
    spacing = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    # Without an sform there is no other spacing; a negative one was a way to say that an axis is reversed.
    if not (np.isfinite(spacing).all() and spacing.min() > 0):
        shown = " x ".join(f"{length:.6g}" for length in spacing)
        raise ScanError(
            f"unusable pixdim: {shown}", expected="three lengths above 0 (no sform is used)", found=shown, where=where
        )
    rest = 1 - length**2
    w = np.sqrt(rest) if rest > SMALLEST_QUATERNION else 0.0
    affine = np.eye(4)
    affine[:3, :3] = quat2mat([w, x, y, z]) * spacing
    affine[:3, 2] *= -1 if header["pixdim"][0] < 0 else 1
    affine[:3, 3] = [float(header[f"qoffset_{name}"]) for name in "xyz"]
    return affine


def _in_mm(affine: np.ndarray, header: Any, where: str) -> np.ndarray:
    """Return the affine in mm; raises ScanError (unusable affine) if it does not place voxels."""
    affine = affine.copy()
    with np.errstate(all="ignore"):
        affine[:3] *= _unit(header)[1]
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        volume = abs(np.linalg.det(affine[:3, :3] / lengths))
    usable = np.isfinite(affine).all() and np.isfinite(lengths).all() and lengths.min() >= 1e-3 and volume >= 0.1
    if not (usable and np.abs(affine[:3, 3]).max() <= FARTHEST_MM):
        raise ScanError(
            "unusable affine",
            expected="three independent axes with lengths above 0 mm, near the scanner",
            found=str(affine),
            where=where,
        )
    return affine
