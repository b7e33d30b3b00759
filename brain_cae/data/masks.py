"""Lesion and brain masks as other tools write them: labels, probabilities, or a grey scale."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.extent import check_voxels
from brain_cae.scans.nifti import affine_to_ras, without_single_axes

WHOLE = 1e-5
"""Rounding error of labels that are stored with a scale factor, such as 255 times 1/255."""

CUT = 0.5
"""Probabilities above this fraction of their maximum are inside. Interpolation moves an edge to this place."""

GREY_SCALES, GREY_LEVELS = (100, 255), 64
"""Maxima of probabilities stored as percent or as a byte, and the number of levels that no set of labels has."""


@dataclass(frozen=True)
class Mask:
    """A mask on its own grid.

    Attributes:
        image: Marked voxels as 1, (X, Y, Z) uint8, with the affine to RAS+ mm.
        cut: Whether some values above 0 were too low to count.
    """

    image: nibabel.Nifti1Image
    cut: bool

    @property
    def marked(self) -> np.ndarray:
        """Marked voxels as 1, (X, Y, Z) uint8."""
        return np.asarray(self.image.dataobj)


def read_mask(path: str | Path) -> Mask:
    """Return the mask in a NIfTI file.

    Raises:
        ScanError: The file has another format, no orientation, several volumes, or too many voxels.
        Exception: Whatever nibabel raises for a damaged file.
    """
    image = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Pair):
        raise ScanError("unreadable mask", expected="NIfTI", found=type(image).__name__, where=str(path))
    check_voxels(image.shape, where=str(path))
    values = without_single_axes(np.asarray(image.dataobj))
    if values.ndim != 3 or values.dtype.kind not in "biuf":
        found = f"shape {values.shape}, type {values.dtype}"
        raise ScanError("unreadable mask", expected="one volume of real numbers", found=found, where=str(path))
    marked, cut = marked_voxels(values)
    affine = affine_to_ras(image, str(path))  # type: ignore[arg-type]
    return Mask(nibabel.Nifti1Image(marked.astype(np.uint8), affine), cut)


def marked_voxels(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return which voxels a mask marks (boolean), and whether it was cut.

    Whole numbers are labels: every one above 0 counts. Other values are probabilities, such as those of a network or of
    a mask that was resampled, and so are the levels of a grey scale that ends at 100 or 255: they are cut at half of
    their maximum. NaN and infinite values are outside.

    Example:
        >>> marked_voxels(np.array([0.0, 0.2, 0.7, 0.999, np.nan]))
        (array([False, False,  True,  True, False]), True)
    """
    if values.dtype.kind == "b":
        return values, False
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, 0)
    top = float(values.max())
    if top <= 0:
        return np.zeros(values.shape, bool), False
    if _is_labels(values, top):
        return values > CUT, False
    marked = values > CUT * top
    return marked, bool((values > WHOLE * top)[~marked].any())


def _is_labels(values: np.ndarray, top: float) -> bool:
    if values.dtype.kind == "f" and (top < CUT or np.abs(values - np.rint(values)).max() > WHOLE * max(top, 1.0)):
        return False
    return round(top) not in GREY_SCALES or len(np.unique(np.rint(values))) < GREY_LEVELS
