"""Foreground masks for scans with and without a skull, and the intensity scale inside them."""

import numpy as np
from nibabel.affines import voxel_sizes
from scipy import ndimage

from brain_cae.arrays.boxes import box_of
from brain_cae.errors import ScanError

VERSION = 2
"""Raise this number whenever the foreground of a scan changes, so that what was stored about it is not used."""

SMOOTHING_MM = 1.0
"""Standard deviation of the Gaussian that averages out noise in air before thresholding."""

HEAD_SHARE = 0.2
"""Voxels above this fraction of the typical tissue intensity are not air."""

AIR_SHARE = 0.3
"""If more than this fraction of voxels is below that threshold, they are air: a stripped brain has fewer dark ones."""

SAMPLES = 200_000
"""Number of evenly spaced voxels that suffices for a median."""

BRIGHT = 99
"""Percentile of the values above 0 that is at least as bright as typical tissue."""

LARGEST_BRAIN_ML, SMALLEST_HEAD_ML = 1900.0, 2300.0
"""Brain and fluid of an adult fill 1.0 to 1.9 litres, the head above the neck more than 2.3."""

SHORTEST_BRAIN_MM = 100.0
"""A whole brain is longer than this along every axis. What is shorter is a slab, which may be one of a head."""

FILLED = 0.95
"""Share of its field of view that no head fills."""

CENTRED_SHARE = 0.1
"""Interpolation leaves a few values below 0, near it; z-scores leave half of a brain below 0."""

RIM_LEVEL, RIM_SHARE = 0.02, 0.05
"""Values up to this fraction of tissue are no tissue, and a rim of them around a brain is more than this share of it:
the dark fluid at the edge of a brain is less, but what smoothing or splines leave around it is not."""

CONSTANT_SHARE = 0.95
"""The background is constant if at least this share of it has one value; in a head that is not stripped it is noise."""


def foreground_mask(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a mask of the brain if the skull is stripped, otherwise of the whole head, with holes filled.

    A stripped scan has one constant background value (often, but not always, 0): everything else is brain. Otherwise,
    and if that value is only padding around a noisy head, a threshold far below every tissue separates head from air.
    Only the largest connected component is kept.

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
        inside = volume[mask] - background
        # Values far below the background are no air either: the mean was subtracted.
        if not (inside > 0).any() or (abs(inside) < HEAD_SHARE * tissue_level(inside)).mean() < AIR_SHARE:
            return _without_rim(mask, volume - background)
    lifted = np.asarray(volume, np.float32) - np.float32(background if share > 0.5 else zero_level(volume))
    sigma = SMOOTHING_MM / voxel_sizes(affine)
    smooth = ndimage.gaussian_filter(lifted, sigma, truncate=2.0)
    # Filled before taking the largest component: dark bone may separate the scalp from the brain.
    return _largest(_filled(smooth > HEAD_SHARE * tissue_level(lifted.ravel())))


def without_air(*views: tuple[np.ndarray, np.ndarray]) -> str:
    """Return a clause for messages if the foreground of a scan fills nearly all of its field of view, else ``""``.

    Args:
        views: Foreground and field of view of each scan, both (X, Y, Z) boolean.
    """
    if all(foreground.sum() < FILLED * covered.sum() for foreground, covered in views):
        return ""
    return (
        "; one of the scans shows no air: it is noise, or its background is as bright as tissue, as that of the "
        "uniform image (UNI) of an MP2RAGE before its background is removed"
    )


def zero_level(volume: np.ndarray) -> float:
    """Return the intensity that stands for no signal: 0, or the lowest one of a scan whose intensities are shifted.

    Intensities below 0 are shifted. Those above 0 are, if the scan shows air and even air is above 0; where it shows
    none, the lowest intensity is dark tissue.

    Args:
        volume: (X, Y, Z), as stored, without padding (see :func:`brain_cae.scans.padding.without_padding`).
    """
    low = float(volume.min())
    if low <= 0:
        return low
    lifted = np.asarray(volume, np.float32).ravel() - np.float32(low)
    level = tissue_level(lifted) if lifted.any() else 0.0
    return low if (lifted <= HEAD_SHARE * level).mean() >= AIR_SHARE else 0.0


def skull_state(foreground_ml: float, *, shortest_mm: float, constant: bool) -> str:
    """Return ``stripped`` for a foreground like a whole brain, ``on`` for one as large as a head, else ``unknown``.

    Args:
        foreground_ml: Volume of the foreground mask in mL, of an adult: an infant's head is as small as a brain.
        shortest_mm: Smallest extent of the mask along an axis; a slab of a head is as small as a brain, too.
        constant: Whether the background is constant, as outside a stripped brain.
    """
    if foreground_ml >= SMALLEST_HEAD_ML:
        return "on"
    whole = shortest_mm >= SHORTEST_BRAIN_MM
    return "stripped" if constant and whole and foreground_ml <= LARGEST_BRAIN_ML else "unknown"


def measured_state(volume: np.ndarray, affine: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the :func:`skull_state` of a scan, as far as its foreground shows it, and the foreground (X, Y, Z).

    Args:
        volume: (X, Y, Z).
        affine: (4, 4), voxel to mm.

    Raises:
        ScanError: Nothing stands out from the background.
    """
    foreground, spacing = foreground_mask(volume, affine), voxel_sizes(affine)
    outside = volume[~foreground]
    state = skull_state(
        float(foreground.sum() * np.prod(spacing) / 1000),
        shortest_mm=min((side.stop - side.start) * mm for side, mm in zip(box_of(foreground), spacing, strict=True)),
        constant=bool(outside.size) and float((outside == np.median(outside)).mean()) >= CONSTANT_SHARE,
    )
    return state, foreground


def tissue_level(values: np.ndarray) -> float:
    """Return the median intensity of tissue: the fixed point of the median of all values above half that median.

    Args:
        values: Intensities in one dimension; air lies around 0.

    Raises:
        ScanError: No value is above 0.

    Source: the clip level of AFNI (R. W. Cox, Computers and Biomedical Research 29, 1996).
    """
    positive = values[values > 0]
    if not positive.size:
        raise _empty()
    positive = positive[:: max(1, positive.size // SAMPLES)]
    # A voxel that was divided by nearly 0 can lift the mean above all tissue.
    level = min(float(np.sqrt(np.mean(np.square(positive, dtype=np.float64)))), float(np.percentile(positive, BRIGHT)))
    for _ in range(50):
        before, level = level, float(np.median(positive[positive >= level / 2]))
        if abs(level - before) <= 1e-3 * level:
            break
    return level


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if count == 0:
        raise _empty()
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _without_rim(mask: np.ndarray, lifted: np.ndarray) -> np.ndarray:
    """Return a mask of all that differs from the background as one filled component, without a rim of no tissue.

    ``lifted`` are the intensities above the background; slightly negative ones are undershoot of an interpolation.
    """
    brain = np.asarray(ndimage.binary_fill_holes(_largest(mask)), bool)
    if not (lifted > 0).any():
        return brain
    level = tissue_level(lifted[mask])
    tissue = (lifted > RIM_LEVEL * level) | (lifted < -HEAD_SHARE * level)
    if tissue[brain].mean() >= 1 - RIM_SHARE:
        return brain
    core = np.asarray(ndimage.binary_fill_holes(_largest(tissue & brain)), bool)
    return core if core.sum() < (1 - RIM_SHARE) * brain.sum() else brain


def _filled(mask: np.ndarray) -> np.ndarray:
    """Fill holes plane by plane: in 3D a head is open at the bottom, where the scan cuts through the neck."""
    for axis in range(3):
        # Neighbours only within planes perpendicular to this axis, so that one call labels all planes.
        neighbours = ndimage.generate_binary_structure(3, 1)
        np.moveaxis(neighbours, axis, 0)[[0, 2]] = False
        labels, count = ndimage.label(~mask, neighbours)
        enclosed = np.ones(count + 1, bool)
        enclosed[0] = False
        for side in {0, 1, 2} - {axis}:
            enclosed[np.take(labels, [0, -1], axis=side)] = False
        mask = mask | enclosed[labels]
    return mask


def _empty() -> ScanError:
    return ScanError("empty mask", expected="a head that stands out from the background")


def intensity_scale(values: np.ndarray, method: str) -> float:
    """Return the value that intensities are divided by; it is robust against a tumour.

    Args:
        values: Intensities inside the mask, one dimension.
        method: ``median``, or ``white_matter``: the highest peak of the smoothed histogram between the 25th and the
            99th percentile, which is white matter on T1 and the most common tissue on other contrasts.

    Raises:
        ScanError: The scale is not positive, or many values are far below 0: their zero is not that of the signal.
    """
    if method == "median":
        scale = float(np.median(values))
    else:
        low, high = np.percentile(values, [25, 99])
        counts, edges = np.histogram(values, bins=128, range=(float(low), float(high)))
        scale = float(edges[int(ndimage.gaussian_filter1d(counts.astype(float), 3).argmax())])
    if not np.isfinite(scale) or scale <= 0:
        raise ScanError("no positive intensity scale", found=f"{method} of {scale:g} inside the mask")
    below = float((values < -HEAD_SHARE * tissue_level(values)).mean())
    if below > CENTRED_SHARE:
        raise ScanError(
            "no positive intensity scale",
            expected="intensities whose zero is the absence of signal",
            found=f"{below:.0%} of the brain far below it, as after the mean was subtracted",
        )
    return scale
