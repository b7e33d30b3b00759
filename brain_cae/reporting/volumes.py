"""Volumes of a brain for the viewer: NIfTI of 8 bits, reduced to the resolution that a page can hold."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from typing import Any

import nibabel
import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter, zoom

from brain_cae.arrays.boxes import box_of
from brain_cae.reporting.content import SubjectView
from brain_cae.reporting.planes import peak

FINEST_MM = 2.0
"""Voxels are not smaller than this: a page is for looking, the maps of the run are for measuring."""


def volumes(
    view: SubjectView, *, top: float, threshold: float | None, rates: Sequence[tuple[float, float]], finest_mm: float
) -> dict[str, Any]:
    """Return what the viewer needs of one brain, as plain values for JSON.

    Args:
        view: The brain.
        top: Upper end of the colour scale of the map (z).
        threshold: Voxel threshold (z); None if there is none.
        rates: Values of the map with the share of healthy voxels above each.
        finest_mm: Smallest voxel size in mm.
    """
    box = _foreground(view.image)
    factors = [max(1.0, finest_mm / step) for step in view.spacing]
    images = [
        {"name": name, "data": _image(np.asarray(image)[box], view.spacing, factors)}
        for name, image in ((view.modality, view.image), *view.others.items())
    ]
    anomaly = np.nan_to_num(np.asarray(view.anomaly_map, dtype=np.float32)[box], nan=0, posinf=top, neginf=0)
    small = np.clip(_reduced(anomaly, factors) / top, 0, 1)
    # Where the map was largest before it was cut at the top of the scale, as in the pictures.
    sizes = zip(peak(anomaly), small.shape, anomaly.shape, strict=True)
    home = [int((place + 0.5) * new / old) for place, new, old in sizes]
    lesion = None
    if view.lesion is not None and np.any(known := np.asarray(view.lesion)[box]):
        share = _reduced(known.astype(np.float32), factors)
        inside = share >= min(0.5, share.max(initial=1e-6))  # a lesion smaller than a voxel of the page is shown as one
        outline = inside & ~binary_erosion(inside)
        lesion = _nifti(outline.astype(np.uint8), view.spacing, factors, slope=1.0)
    return {
        "images": images,
        "map": _nifti(np.round(255 * small).astype(np.uint8), view.spacing, factors, slope=top / 255),
        "lesion": lesion,
        "top": round(top, 3),
        "threshold": round(threshold if threshold is not None and 0 < threshold < top else top / 3, 3),
        "rates": [[round(value, 3), share] for value, share in rates],
        "peak": home,
    }


def fitting(views: Sequence[SubjectView], budget: int, **options: Any) -> list[dict[str, Any]]:
    """Return the volumes of all brains at the finest resolution with which they take at most ``budget`` characters.

    ``options`` are those of :func:`volumes`, without the resolution.
    """
    finest = FINEST_MM
    while True:
        made = [volumes(view, finest_mm=finest, **options) for view in views]
        total = sum(_size(one) for one in made)
        if total <= budget or finest > 8:
            return made
        finest *= max(1.1, (total / budget) ** (1 / 3))


def _size(made: dict[str, Any]) -> int:
    return sum(len(one["data"]) for one in made["images"]) + len(made["map"]) + len(made["lesion"] or "")


def _image(image: np.ndarray, spacing: Sequence[float], factors: Sequence[float]) -> str:
    image = np.nan_to_num(image.astype(np.float32), nan=0, posinf=0, neginf=0)
    small = _reduced(image, factors)
    inside = small[small != 0]
    low, high = (
        (min(0.0, float(np.percentile(inside, 1))), float(np.percentile(inside, 99.7))) if inside.size else (0, 1)
    )
    grey = np.clip((small - low) / max(high - low, 1e-6), 0, 1)
    return _nifti(np.round(255 * grey).astype(np.uint8), spacing, factors, slope=1.0)


def _reduced(volume: np.ndarray, factors: Sequence[float]) -> np.ndarray:
    """Return a volume with voxels larger by these factors, smoothed first so that nothing is skipped."""
    if all(factor <= 1 for factor in factors):
        return volume
    smooth = gaussian_filter(volume, [0.4 * (factor - 1) for factor in factors])
    shape = [max(1, round(size / factor)) for size, factor in zip(volume.shape, factors, strict=True)]
    return zoom(
        smooth,
        [new / old for new, old in zip(shape, volume.shape, strict=True)],
        order=1,
        grid_mode=True,
        mode="nearest",
    )


def _nifti(volume: np.ndarray, spacing: Sequence[float], factors: Sequence[float], *, slope: float) -> str:
    """Return a volume (X, Y, Z) of 8 bits, RAS+, as base64 of a compressed NIfTI file."""
    steps = [float(step * factor) for step, factor in zip(spacing, factors, strict=True)]
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -0.5 * (np.array(volume.shape) - 1) * steps
    header = nibabel.Nifti1Header()
    header.set_data_shape(volume.shape)
    header.set_data_dtype(np.uint8)
    header.set_zooms(steps)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm")
    header["vox_offset"], header["magic"], header["scl_slope"], header["scl_inter"] = 352, b"n+1", slope, 0
    content = header.binaryblock + bytes(4) + volume.tobytes(order="F")
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _foreground(image: np.ndarray) -> tuple[slice, slice, slice]:
    x, y, z = (
        slice(max(side.start - 2, 0), min(side.stop + 2, size))
        for side, size in zip(box_of(np.isfinite(image) & (image != 0)), image.shape, strict=True)
    )
    return x, y, z
