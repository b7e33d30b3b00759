"""Lesion and brain masks as other tools write them: labels, probabilities, or a grey scale."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.nifti import read_values

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


def read_mask(path: str | Path, kind: str) -> Mask:
    """Return the mask in a NIfTI file, which is read as scans are.

    Args:
        path: The file.
        kind: ``brain mask`` or ``lesion mask``, for the reason.

    Raises:
        ScanError: ``unreadable <kind>: <reason>``, with any reason for which a scan would be refused.
    """
    try:
        values, affine = read_values(Path(path))
        marked, cut = marked_voxels(values)
    except ScanError as error:
        absent = isinstance(error.__cause__, FileNotFoundError)
        raise _unreadable(kind, path, "no such file" if absent else error.reason, error) from error
    except MemoryError as error:
        raise _unreadable(kind, path, "not enough memory", error) from error
    except Exception as error:
        # As with scans: a bug here or in a library must cost one subject, not the run.
        raise _unreadable(kind, path, f"cannot be read ({type(error).__name__})", error) from error
    return Mask(nibabel.Nifti1Image(marked.astype(np.uint8), affine), cut)


def _unreadable(kind: str, path: str | Path, reason: str, error: Exception) -> ScanError:
    expected, found = (error.expected, error.found) if isinstance(error, ScanError) else (None, str(error))
    return ScanError(f"unreadable {kind}: {reason}", expected=expected, found=found, where=str(path))


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
