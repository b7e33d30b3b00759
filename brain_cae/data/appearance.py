"""Image properties apart from anatomy: noise, smoothness, background, outline, histogram, fingerprint.

The audit uses them. Without headers they stand in for the protocol, and properties that cannot show a disease must not
predict the label.
"""

import numpy as np
from scipy import ndimage

from brain_cae.arrays.boxes import box_of
from brain_cae.errors import ScanError

AXES = ("x", "y", "z")
HISTOGRAM = (1, 5, 10, 25, 50, 75, 90, 95, 99)
BACKGROUND = (5, 25, 50, 75, 95)
AWAY_MM = 6.0
"""Voxels closer to the mask than this are not background: partial volume, and tissue that the mask has cut off."""
BLOCKS = 8
"""Blocks along each axis of a fingerprint."""
TISSUE = 0.25
"""Voxels above this fraction of the 99th percentile are tissue."""
THIN, FEWEST_SLICES = 3, 8
"""Every third row and column tell the intensity of a slice; and the number of slices that tells if they alternate."""
CENTRE = 0.2
"""Fraction of each axis that is left out at both ends when noise is measured: the centre suffices and is faster."""


def noise_and_smoothness(volume: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """Measure noise and smoothness of a scan on its original grid.

    Args:
        volume: (X, Y, Z), intensities as stored.
        spacing: (3,) voxel size in mm, as in all functions of this module.

    Returns:
        ``noise``: standard deviation of the noise divided by the median of tissue, estimated from the median absolute
        second difference along the two finer axes (anatomy is smooth in most places). ``smoothness_mm``: full width at
        half maximum in mm of a Gaussian field with the same correlation between neighbours, geometric mean over the
        axes (Forman et al. 1995, Magn Reson Med 33:636). NaN where it cannot be measured.
    """
    middle_of = tuple(slice(int(CENTRE * size), size - int(CENTRE * size)) for size in volume.shape)
    values = np.asarray(volume[middle_of], dtype=np.float32)
    largest = float(np.percentile(values, 99))
    tissue = values > TISSUE * largest
    if largest <= 0 or tissue.sum() < 1000:
        return {"noise": float("nan"), "smoothness_mm": float("nan")}
    # The square of an intensity may be beyond the range of float32.
    middle, spread = float(np.median(values[tissue])), float(values[tissue].var(dtype=np.float64))
    noise: list[float] = []
    widths: list[float] = []
    for axis in np.argsort(spacing, kind="stable"):
        moved = np.moveaxis(values, axis, 0)
        inside = np.moveaxis(tissue, axis, 0)
        pairs = inside[1:] & inside[:-1]
        difference = (moved[1:] - moved[:-1])[pairs]
        share = float(difference.var(dtype=np.float64)) / (2 * spread) if spread > 0 and difference.size else 1.0
        if 0 < share < 1:
            widths.append(float(spacing[axis]) * np.sqrt(-2 * np.log(2) / np.log(1 - share)))
        if len(noise) < 2 and len(moved) > 2:
            second = moved[2:] - 2 * moved[1:-1] + moved[:-2]
            noise.append(float(np.median(np.abs(second[inside[2:] & inside[1:-1] & inside[:-2]]))))
    return {
        # The second difference of independent noise has 6 times its variance; 0.6745 turns a standard deviation into
        # a median absolute value.
        "noise": float(np.mean(noise)) / (0.6745 * np.sqrt(6)) / middle if noise else float("nan"),
        "smoothness_mm": float(np.exp(np.mean(np.log(widths)))) if widths else float("nan"),
    }


def alternation(volume: np.ndarray) -> float:
    """Return how much every second slice of a scan (X, Y, Z) is brighter, relative to the tissue's intensity.

    It is the difference of a slice from the mean of its neighbours with alternating sign, which anatomy does not have,
    along the axis where it is largest. Interleaved slices differ so after motion, or by cross-talk.
    """
    top = float(np.percentile(volume[::THIN, ::THIN, ::THIN], 99))
    largest = 0.0
    for axis in range(3):
        planes = np.moveaxis(volume, axis, 0)[:, ::THIN, ::THIN]
        tissue = planes > TISSUE * top
        counts = tissue.sum(axis=(1, 2))
        slices = counts > TISSUE * counts.max()
        means = np.where(slices, (planes * tissue).sum(axis=(1, 2)) / np.maximum(counts, 1), np.nan)
        differences = (means[1:-1] - (means[:-2] + means[2:]) / 2) * np.resize([1, -1], len(means) - 2)
        if top > 0 and np.isfinite(differences).sum() >= FEWEST_SLICES:
            largest = max(largest, abs(float(np.nanmedian(differences) / np.nanmedian(means))))
    return largest


def side_ratio(volume: np.ndarray, mask: np.ndarray) -> float:
    """Return the median intensity of the right third of a brain relative to that of the left one; NaN if one is empty.

    Args:
        volume: (R, A, S), intensities.
        mask: (R, A, S) boolean, the brain.
    """
    low, high = np.percentile(np.nonzero(mask)[0], [100 / 3, 200 / 3]).astype(int)
    left, right = volume[:low][mask[:low]], volume[high + 1 :][mask[high + 1 :]]
    if not (left.size and right.size and np.median(left) > 0):
        return float("nan")
    return float(np.median(right) / np.median(left))


def outline(mask: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """Describe the shape of a mask (X, Y, Z): volume (mL), extents (mm), fill, centre, spread."""
    box = _inside(mask)
    inner = mask[box]
    shape = {
        "mask_volume_ml": float(mask.sum() * np.prod(spacing) / 1000),
        "mask_fill": float(inner.mean()),
    }
    for number, axis in enumerate(AXES):
        profile = inner.sum(axis=tuple(other for other in range(3) if other != number)).astype(float)
        place = (np.arange(len(profile)) + 0.5) / len(profile)
        centre = float((profile * place).sum() / profile.sum())
        shape[f"mask_extent_{axis}_mm"] = float(len(profile) * spacing[number])
        shape[f"mask_centre_{axis}"] = centre
        shape[f"mask_spread_{axis}"] = float(np.sqrt((profile * (place - centre) ** 2).sum() / profile.sum()))
    return shape


def background(volume: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """Describe the background: quantiles relative to the median in the mask, share of its median value, its extent.

    The quantiles are 0 where there is no background signal, as in skull-stripped scans.
    """
    near = mask.astype(np.uint8)
    for axis, length in enumerate(spacing):
        near = ndimage.maximum_filter1d(near, 2 * int(np.ceil(AWAY_MM / length)) + 1, axis=axis)
    outside = near == 0
    values = volume[outside].astype(float)
    scale = float(np.median(volume[mask]))
    properties = {f"background_q{level:02d}": 0.0 for level in BACKGROUND}
    properties |= {"background_same": 1.0, "background_share": float(outside.mean())}
    if values.size and scale > 0:
        quantiles = np.percentile(values, BACKGROUND) / scale
        properties |= {f"background_q{level:02d}": float(q) for level, q in zip(BACKGROUND, quantiles, strict=True)}
        properties["background_same"] = float((values == np.median(values)).mean())
    return properties


def histogram(volume: np.ndarray, mask: np.ndarray, modalities: list[str]) -> dict[str, float]:
    """Return quantiles of the scaled intensities (C, X, Y, Z) inside the mask for each modality."""
    return {
        f"histogram_{name}_q{level:02d}": float(value)
        for name, channel in zip(modalities, volume, strict=True)
        for level, value in zip(HISTOGRAM, np.percentile(channel[mask], HISTOGRAM), strict=True)
    }


def fingerprint(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return standardised block means (512,) of one modality (X, Y, Z) in the bounding box of the mask.

    Voxels outside the mask count as 0. The same brain has nearly the same fingerprint under another name, header,
    intensity scale, or matrix.

    Raises:
        ScanError: The mask is empty.
    """
    inner = np.where(mask, volume, 0)[_inside(mask)].astype(np.float32)
    for axis, size in enumerate(inner.shape):
        # Linear interpolation of the cumulative sum gives block means even where block edges fall between voxels.
        total = np.concatenate([np.zeros_like(np.take(inner, [0], axis)), np.cumsum(inner, axis)], axis)
        edges = np.linspace(0, size, BLOCKS + 1)
        low = np.minimum(edges.astype(int), size - 1)
        share = (edges - low).reshape([-1 if other == axis else 1 for other in range(3)])
        at = np.take(total, low, axis) * (1 - share) + np.take(total, low + 1, axis) * share
        inner = np.diff(at, axis=axis) * (BLOCKS / size)
    blocks = inner.ravel()
    return ((blocks - blocks.mean()) / max(float(blocks.std()), 1e-9)).astype(np.float32)


def _inside(mask: np.ndarray) -> tuple[slice, slice, slice]:
    if not mask.any():
        raise ScanError("empty mask", expected="a head that stands out from the background")
    return box_of(mask)
