"""Bright voxels that became negative: unsigned numbers of 16 bits that a program stored as signed ones."""

import numpy as np

from brain_cae.errors import ScanError

HALF = 2**15
"""Half of the range of 16 bits: what is this bright or brighter became negative, by twice as much."""

STEP = 1.5 * HALF
"""Neighbours in an image are hardly further apart than this; on both sides of an overflow they are, by up to twice."""

MANY, FEW = 20, 0.1
"""Number of such steps, at least, and the share of them that are left as unsigned numbers, at most."""


def check_overflow(stored: np.ndarray, *, where: str) -> None:
    """Raise ScanError (unsigned values read as signed) if bright voxels of a scan have become negative.

    Args:
        stored: (X, Y, Z), values as stored, before they are scaled, without padding.
        where: File or folder.
    """
    if _has_overflowed(stored):
        raise ScanError(
            "unsigned values read as signed",
            expected="brighter voxels with higher values",
            found="bright voxels with values far below 0, as of unsigned numbers of 16 bits stored as signed ones",
            where=where,
            advice="Convert the scan again, as unsigned numbers or as numbers of 32 bits. In DICOM, a wrong "
            "PixelRepresentation (1) can be the reason: correct it.",
        )


def _has_overflowed(stored: np.ndarray) -> bool:
    """Return whether values fall by nearly the whole range from one voxel to the next, around every bright spot.

    As unsigned numbers, they do not. Intensities that are only shifted below 0 have no such steps, or air that is below
    0, too.
    """
    low, high = stored.min(), stored.max()
    if not (-HALF <= low < -HALF / 2 and HALF / 2 < high < HALF):
        return False
    border = np.concatenate([np.take(stored, [0, -1], axis=axis).ravel() for axis in range(3)])
    if np.median(border) < 0:
        return False
    signed = np.asarray(stored, np.int32)
    steps = _steps(signed)
    return steps >= MANY and _steps(np.where(signed < 0, signed + 2 * HALF, signed)) <= FEW * steps


def _steps(values: np.ndarray) -> int:
    return sum(int((np.abs(np.diff(values, axis=axis)) > STEP).sum()) for axis in range(3))
