"""Padding: the constant that stands where a scan has no values, outside its field of view or around a brain."""

import numpy as np

FAR = 0.85
"""A value whose distance from all others is more than this fraction of its distance from bright tissue is no tissue."""

APART = 0.2
"""The same for a negative value where all others are at least 0."""

AIR_SHARE, AIR_LEVEL = 0.3, 0.2
"""There is air if at least this share of voxels is below this fraction of bright tissue: a stripped brain has less."""

BRIGHT = 95
"""Percentile of the intensities that stands for bright tissue."""

ENCLOSED = 0.05
"""Share of the absent voxels that slices may enclose, as between the lobes of a brain whose background is NaN."""

AROUND, WITHIN = 0.2, 0.005
"""Where at least the first share of the voxels is absent around a brain, up to the second one of the others may be so
within it: programs write NaN for every 0, and a few voxels of dark fluid are 0, up to 0.3 % in five real brains."""

RAISED = 0.05
"""A frame is brighter than the background within it if the distance is more than this fraction of that of bright tissue
from the background."""

MANY = 4
"""Programs one after another may each have padded a scan with a value of their own."""


def without_padding(array: np.ndarray, declared: np.ndarray | None = None) -> np.ndarray:
    """Return a volume with its padding replaced by the intensity of air; the same array if it has none.

    NaN around the image is padding, as registration and reslicing tools write it outside the field of view. So is a
    negative value far below all others, such as -1024, -2000 or -32768. It must not count as the zero of the
    intensities: tissue would lie in a narrow band far above it. A constant just below the darkest tissue is the
    background of a scan whose intensities are shifted, and stays. A frame of a constant, as of 0 around z-scores, gets
    the value of the darker background within it. Other padding brighter than air cannot be recognised by its
    value, but a header of DICOM may declare it.

    Args:
        array: (X, Y, Z), integers or floats. NaN within the image and infinity stay, for
            :func:`brain_cae.scans.volume.check_values` to refuse.
        declared: (X, Y, Z), where the values are padding by the header; X and Y lie within the slices.

    Returns:
        (X, Y, Z) of the same type. Air is 0, or the lowest other value of a scan that has negative ones.
    """
    if array.dtype.kind == "f" and not np.isfinite(array.min()):
        absent = np.isnan(array)
        if not absent.any() or absent.all() or np.isinf(array).any() or not _is_outside(absent):
            return array
        array = _filled(array, absent, min(0, array[~absent].min()))
    if declared is not None:
        array = _without_declared(array, declared)
    array = _without_raised_frame(array)
    for _ in range(MANY):
        lowest = array.min()
        if lowest >= 0:
            break
        rest = array[array != lowest]
        if not rest.size or not _is_padding(float(lowest), rest):
            break
        array = _filled(array, array == lowest, min(0, rest.min()))
    return array


def _without_declared(array: np.ndarray, declared: np.ndarray) -> np.ndarray:
    """Return a volume with the intensity of air where the header declares padding.

    Only padding is replaced that reaches the border of its slice: tissue may have the same value, such as the highest
    one of 12 bits. If no tissue is nearly as bright, all of it is replaced. Padding as dark as air stays.
    """
    values = array[declared]
    if not values.size or values.max() <= 0:
        return array
    rest = array[~declared]
    if not rest.size or values.max() <= rest.min():
        return array
    from scipy import ndimage  # needed for few scans, and by no look at headers

    parts, _ = ndimage.label(declared)
    border = np.union1d(parts[[0, -1]], parts[:, [0, -1]])
    outside = np.isin(parts, border[border > 0])
    if not outside.any():
        return array
    if values.min() > (1 + APART) * rest.max():
        outside = declared
    # Of a whole head the rest holds air, which may be shifted upwards; a stripped brain has none.
    low = float(rest.min())
    return _filled(array, outside, low if low < 0 or shows_air(rest - low) else 0)


def _without_raised_frame(array: np.ndarray) -> np.ndarray:
    """Return a volume with the background of a scan that is below 0 in place of a brighter constant around it."""
    value = array[0, 0, 0]
    if array.min() >= min(0, value) or any((np.take(array, [0, -1], axis=axis) != value).any() for axis in range(3)):
        return array
    box = []
    for axis in range(3):
        differs = np.flatnonzero((array != value).any(axis=tuple({0, 1, 2} - {axis})))
        box.append(slice(differs[0], differs[-1] + 1))
    inner = array[tuple(box)]
    background = np.median(np.concatenate([np.take(inner, [0, -1], axis=axis).ravel() for axis in range(3)]))
    if value - background <= RAISED * (np.percentile(inner, BRIGHT) - background):
        return array
    framed = np.full_like(array, background)
    framed[tuple(box)] = inner
    return framed


def _filled(array: np.ndarray, where: np.ndarray, value: float) -> np.ndarray:
    filled = array.copy(order="K")
    filled[where] = value
    return filled


def _is_padding(value: float, rest: np.ndarray) -> bool:
    low = float(rest.min())
    gap, height = low - value, float(np.percentile(rest, BRIGHT)) - value
    if gap > FAR * height:
        return True
    return low >= 0 and (shows_air(rest) or min(gap, -value) > APART * height)


def shows_air(values: np.ndarray) -> bool:
    """Return whether a large share of the intensities, which are 0 or more, is near 0, as in a scan of a whole head."""
    return float((values < AIR_LEVEL * np.percentile(values, BRIGHT)).mean()) >= AIR_SHARE


def _is_outside(absent: np.ndarray) -> bool:
    """Return whether absent voxels surround the others: each part reaches the border, and slices enclose few of them.

    Only within a brain that is surrounded, single voxels may be absent. A damaged column from top to bottom reaches the
    border, but lies within the slices that it crosses.
    """
    from scipy import ndimage  # needed for few scans, and by no look at headers

    parts, count = ndimage.label(absent)
    border = np.concatenate([np.take(parts, [0, -1], axis=axis).ravel() for axis in range(3)])
    outer = np.setdiff1d(border, [0])
    if len(outer) < count:
        around = int(np.isin(parts, outer).sum())
        within = int(absent.sum()) - around
        if around < AROUND * absent.size or within > WITHIN * (absent.size - around):
            return False
    enclosed = np.zeros(absent.shape, bool)
    for axis in range(3):
        # Neighbours only within slices across this axis, so that one call labels all slices.
        neighbours = ndimage.generate_binary_structure(3, 1)
        np.moveaxis(neighbours, axis, 0)[[0, 2]] = False
        parts, count = ndimage.label(absent, neighbours)
        inner = np.ones(count + 1, bool)
        inner[0] = False
        for side in {0, 1, 2} - {axis}:
            inner[np.take(parts, [0, -1], axis=side)] = False
        enclosed |= inner[parts]
    return float(enclosed.sum()) <= ENCLOSED * float(absent.sum())
