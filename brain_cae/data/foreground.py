"""Where the brain is: a foreground mask for scans with and without a skull."""

import nibabel
import numpy as np
from nilearn.masking import compute_epi_mask
from scipy import ndimage

from brain_cae.errors import ScanError


def foreground_mask(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Voxels of the head or brain in one scan.

    A stripped scan has one value all around (often, but not always, 0): everything else is brain. Otherwise a
    threshold is put into the gap of the histogram between air and head. Holes are filled and only the largest
    connected part is kept.

    Args:
        volume: (X, Y, Z).
        affine: (4, 4), voxel to mm.

    Returns:
        (X, Y, Z) boolean.

    Raises:
        ScanError: Nothing stands out from the background.
    """
    border = np.concatenate([np.take(volume, [0, -1], axis=axis).ravel() for axis in range(3)])
    values, counts = np.unique(border, return_counts=True)
    background, share = values[counts.argmax()], counts.max() / border.size
    if share > 0.5:
        mask = volume != background
    else:
        image = nibabel.Nifti1Image(volume.astype(np.float32), affine)
        mask = np.asarray(compute_epi_mask(image, opening=1, ensure_finite=False).dataobj) > 0
    labels, count = ndimage.label(mask)
    if count == 0:
        raise ScanError("empty mask", expected="a head that stands out from the background")
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    filled = ndimage.binary_fill_holes(labels == largest)
    return np.asarray(filled, bool)


def intensity_scale(values: np.ndarray, method: str) -> float:
    """The value that a scan's intensities are divided by, one that a tumour cannot move.

    Args:
        values: Intensities inside the mask, one dimension.
        method: ``median``, or ``white_matter``: the highest peak of the smoothed histogram above the median
            of the lower half, which on T1 is white matter and elsewhere the most common tissue.

    Raises:
        ScanError: The scale is not positive.
    """
    if method == "median":
        scale = float(np.median(values))
    else:
        low, high = np.percentile(values, [25, 99])
        counts, edges = np.histogram(values, bins=128, range=(float(low), float(high)))
        scale = float(edges[int(ndimage.gaussian_filter1d(counts.astype(float), 3).argmax())])
    if not np.isfinite(scale) or scale <= 0:
        raise ScanError("no positive intensity scale", found=f"{method} of {scale:g} inside the mask")
    return scale
