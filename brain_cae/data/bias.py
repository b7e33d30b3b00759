"""Correction of the slow change of intensities across the head that receive coils cause.

Source: N4, Tustison et al., IEEE Transactions on Medical Imaging 29:1310 (2010), as SimpleITK has it.
"""

import numpy as np
import SimpleITK as sitk  # noqa: N813

COARSE_MM = 4.0
"""The field is smooth: it is estimated on a grid of about this spacing, and evaluated on that of the scan."""

ITERATIONS = (25, 25, 25)
"""Steps at each of the levels, each with twice as many control points as the one before."""


def without_bias(volume: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the volume divided by its bias field, which is 1 on average over the logarithms inside the mask.

    Args:
        volume: (X, Y, Z); values of 0 or less are not used.
        mask: (X, Y, Z) boolean, the brain.
        spacing: Voxel size in mm.

    Returns:
        (X, Y, Z) float32; unchanged where nothing inside the mask is above 0. The same bytes every time: one thread.
    """
    inside = mask & (volume > 0)
    if not inside.any():
        return volume
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image, where = (_to_itk(array, spacing) for array in (np.maximum(volume, 0).astype(np.float32), inside))
    sizes = zip(spacing, volume.shape, strict=True)
    factors = [max(1, min(round(COARSE_MM / side), size // 4)) for side, size in sizes]
    method = sitk.N4BiasFieldCorrectionImageFilter()
    method.SetMaximumNumberOfIterations(ITERATIONS)
    method.Execute(sitk.Shrink(image, factors), sitk.Shrink(where, factors))
    log_field = sitk.GetArrayFromImage(method.GetLogBiasFieldAsImage(image)).transpose(2, 1, 0)
    return (volume / np.exp(log_field - log_field[inside].mean())).astype(np.float32)


def _to_itk(array: np.ndarray, spacing: tuple[float, ...]) -> sitk.Image:
    kind = np.uint8 if array.dtype == bool else array.dtype
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0), dtype=kind))
    image.SetSpacing([float(side) for side in spacing])
    return image
