"""Lesion and brain masks as other tools write them: labels, probabilities, or a grey scale."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from brain_cae.errors import ScanError
from brain_cae.scans.nifti import read_values

WHOLE = 1e-5
"""Rounding error of labels that are stored with a scale factor, such as 255 times 1/255."""

BYTE_STEP = 1.01 / 255
"""Rounding error, relative to the largest label, of labels that a program scaled to the range of a byte, rounded or cut
to whole steps. Labels 1, 2 and 4 become 1.004, 2.008 and 4, or 0.988, 1.992 and 4."""

LARGEST_STEP = 0.1
"""What is further from a whole number than this is no label."""

PLATEAU, PLATEAUS = 0.02, 0.3
"""Of the values above 0 of labels that were interpolated, at least the first share is one label, and at least the
second one is any of them: only their edges lie between."""

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
        negative: Whether all labels are below 0, such as 255 in a signed byte, so that nothing is marked.
    """

    image: nibabel.Nifti1Image
    cut: bool
    negative: bool = False

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
    negative = not marked.any() and bool((values < -CUT).any())
    return Mask(nibabel.Nifti1Image(marked.astype(np.uint8), affine), cut, negative)


def _unreadable(kind: str, path: str | Path, reason: str, error: Exception) -> ScanError:
    expected, found = (error.expected, error.found) if isinstance(error, ScanError) else (None, str(error))
    return ScanError(f"unreadable {kind}: {reason}", expected=expected, found=found, where=str(path))


def marked_voxels(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return which voxels a mask marks (boolean), and whether it was cut.

    Whole numbers are labels: every one above 0 counts. Other values are probabilities, such as those of a network or of
    a mask that was resampled, and so are the levels of a grey scale that ends at 100 or 255: they are cut at half of
    their maximum. Several labels that were interpolated are cut at half of the lowest one. NaN and infinite values are
    outside.

    Example:
        >>> marked_voxels(np.array([0.0, 0.2, 0.7, 0.999, np.nan]))
        (array([False, False,  True,  True, False]), True)
        >>> marked_voxels(np.array([0.0, 1.004, 2.008, 4.0]))
        (array([False,  True,  True,  True]), False)
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
    marked = values > CUT * _lowest_label(values, top)
    return marked, bool((values > WHOLE * top)[~marked].any())


def _is_labels(values: np.ndarray, top: float) -> bool:
    if values.dtype.kind == "f" and (top < CUT or np.abs(values - np.rint(values)).max() > _rounding(top)):
        return False
    return round(top) not in GREY_SCALES or len(np.unique(np.rint(values))) < GREY_LEVELS


def _rounding(top: float) -> float:
    """Return how far labels up to ``top`` may lie from whole numbers."""
    return max(min(BYTE_STEP * top, LARGEST_STEP), WHOLE * top) if top > 1 + CUT else WHOLE * max(top, 1.0)


def _lowest_label(values: np.ndarray, top: float) -> float:
    """Return the lowest of several labels that were interpolated, or the maximum of any other values."""
    if round(top) in (1, *GREY_SCALES):
        return top
    values = values[values > CUT]
    labels, counts = np.unique(np.rint(values[np.abs(values - np.rint(values)) <= _rounding(top)]), return_counts=True)
    frequent = counts >= PLATEAU * values.size
    interpolated = frequent.sum() > 1 and counts[frequent].sum() >= PLATEAUS * values.size
    return float(labels[frequent][0]) if interpolated else top
