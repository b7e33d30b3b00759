"""Regular grid from the positions of slices, or the reason why they do not form one.

DICOM PS3.3 C.7.6.2.1.1 maps pixels to patient coordinates in LPS+ mm; this package uses RAS+ mm.
"""

import numpy as np

from brain_cae.errors import ScanError
from brain_cae.vocabulary import PLANES

# A slice may be off its position by this fraction of the slice distance: GE rounds positions (6.96 to 7.07 mm seen),
# while the smallest real gap, one missing slice, is a whole distance.
DISTANCE_TOLERANCE = 0.05
DRIFT_TOLERANCE = 0.2
ANGLE_TOLERANCE = 2e-3
DUPLICATE_MM = 1e-3
OBLIQUE_COSINE = 0.8


def slice_normal(orientation: np.ndarray, *, where: str = "") -> np.ndarray:
    """Return the unit normal (3,) of ImageOrientationPatient (6,); raises ScanError if it is not orthonormal."""
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column), np.linalg.norm(normal)])
    if not np.all(np.abs(lengths - 1) < 0.01):
        raise ScanError(
            "unusable orientation",
            expected="two orthogonal unit vectors",
            found=str(orientation.tolist()),
            where=where,
        )
    return normal / lengths[2]


def plane_of(normal: np.ndarray) -> str:
    """Return the plane with this normal (3,): axial, coronal or sagittal up to 37 degrees of tilt, else oblique."""
    cosines = np.abs(normal) / np.linalg.norm(normal)
    return PLANES[int(np.argmax(cosines))] if cosines.max() >= OBLIQUE_COSINE else "oblique"


def order_slices(positions: np.ndarray, orientations: np.ndarray, *, where: str = "") -> tuple[np.ndarray, float]:
    """Return the order of slices along their normal, and their distance.

    Args:
        positions: (n, 3) ImagePositionPatient in LPS+ mm, in any order.
        orientations: (n, 6) ImageOrientationPatient.
        where: Folder named in errors.

    Returns:
        The order (n,) as indices into ``positions``, and the distance between neighbours in mm.

    Raises:
        ScanError: mixed orientation, single slice, duplicate slice position, gap between slices, uneven slice
            distance, or slices shifted sideways.
    """
    normal = slice_normal(orientations[0], where=where)
    if np.abs(orientations - orientations[0]).max() > ANGLE_TOLERANCE:
        count = len(np.unique(np.round(orientations, 2), axis=0))
        raise ScanError(
            "mixed orientation",
            expected="one slice orientation",
            found=f"{count} orientations in {len(positions)} slices",
            where=where,
            advice="This is a localiser or several stacks; export each stack as a separate series.",
        )
    if len(positions) < 2:
        raise ScanError("single slice", expected="at least 2 slices", found="1 slice", where=where)
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    distance = float(np.median(steps))
    if steps.min() < max(DUPLICATE_MM, DISTANCE_TOLERANCE * distance):
        count = int((steps < max(DUPLICATE_MM, DISTANCE_TOLERANCE * distance)).sum())
        raise ScanError(
            "duplicate slice position",
            expected="one slice per position",
            found=f"{count} of {len(positions)} slices at the position of another slice",
            where=where,
            advice="Several echoes, time points or copies share this series; export only one of them.",
        )
    # With few slices the median may itself be a gap, so steps are compared with the smallest one.
    if steps.max() > (1.5 - DISTANCE_TOLERANCE) * steps.min():
        gaps = int((steps > 1.45 * steps.min()).sum())
        raise ScanError(
            "gap between slices",
            expected=f"a slice every {steps.min():.3f} mm",
            found=f"{'a gap of' if gaps == 1 else f'{gaps} gaps, the largest'} {steps.max():.3f} mm",
            where=where,
            advice="Slices are missing; export the complete series again.",
        )
    _check_regular(along[order], steps, where)
    _check_straight(positions[order], normal, where)
    return order, float((along[order[-1]] - along[order[0]]) / (len(order) - 1))


def _check_regular(along: np.ndarray, steps: np.ndarray, where: str) -> None:
    distance = (along[-1] - along[0]) / len(steps)
    regular = along[0] + distance * np.arange(len(along))
    drift = np.abs(along - regular).max()
    if np.abs(steps - distance).max() > DISTANCE_TOLERANCE * distance or drift > DRIFT_TOLERANCE * distance:
        raise ScanError(
            "uneven slice distance",
            expected=f"{distance:.3f} mm within {DISTANCE_TOLERANCE:.0%}",
            found=f"{steps.min():.3f} to {steps.max():.3f} mm",
            where=where,
        )


def _check_straight(positions: np.ndarray, normal: np.ndarray, where: str) -> None:
    moved = positions - positions[0]
    sideways = np.linalg.norm(moved - np.outer(moved @ normal, normal), axis=1).max()
    if sideways > max(0.5, 0.01 * float(moved[-1] @ normal)):
        raise ScanError(
            "slices shifted sideways",
            expected="slices stacked along their normal",
            found=f"an in-plane shift of {sideways:.2f} mm",
            where=where,
        )


def affine_of(
    position: np.ndarray, orientation: np.ndarray, *, spacing_row: float, spacing_column: float, distance: float
) -> np.ndarray:
    """Return the affine (4, 4) from voxel index (column, row, slice) to RAS+ mm.

    ``position`` (3,) is the centre of the first pixel of the first slice, LPS+ mm; ``spacing_row`` is the distance
    between rows (the first value of PixelSpacing), ``spacing_column`` between columns, in mm.
    """
    affine = np.eye(4)
    affine[:3, 0] = orientation[:3] * spacing_column
    affine[:3, 1] = orientation[3:] * spacing_row
    affine[:3, 2] = slice_normal(orientation) * distance
    affine[:3, 3] = position
    affine[:2] *= -1  # LPS to RAS; 0 - x would avoid -0.0, which is harmless
    return affine


def plane_of_affine(affine: np.ndarray) -> str:
    """Return the plane that axes 0 and 1 of a volume with this affine span."""
    return plane_of(np.cross(affine[:3, 0], affine[:3, 1]))
