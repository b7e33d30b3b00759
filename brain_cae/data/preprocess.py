"""One subject's scans on one grid: RAS, brought together by affine, masked, scaled."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from nibabel.filebasedimages import ImageFileError
from nibabel.processing import resample_from_to

from brain_cae.boxes import box_of
from brain_cae.data import appearance
from brain_cae.data.foreground import foreground_mask, intensity_scale
from brain_cae.errors import ScanError
from brain_cae.reshape import NativeGrid
from brain_cae.scans.nifti import affine_to_ras, without_single_axes

VERSION = 4
"""Raised whenever this module computes something else, so that no cached volume outlives the code."""

LEAST_COVERED = 0.5
"""A modality that shows less of the reference's brain than this was not taken of it, or is a slab."""

CEILING = 6.0
"""Scaled intensities are cut here: single hot voxels of vessels or noise would dominate a loss."""


@dataclass(frozen=True)
class PreparedSubject:
    """What the network and the scores work with.

    Attributes:
        subject: Name.
        volume: (C, X, Y, Z) float32, scaled intensities, 0 outside the mask; modalities in configuration order.
        mask: (X, Y, Z) boolean, foreground that every modality shows.
        affine: (4, 4), RAS+ mm, of the reference scan after reorientation.
        lesion: (X, Y, Z) boolean on the same grid, or None where no mask is known.
        source_affine: (4, 4) of the reference scan as stored, for maps in the scan's own space.
        source_shape: (3,) of the reference scan as stored.
        appearance: Noise, smoothness, outline, background and histogram by name, see ``appearance.py``; and
            ``<modality>_covered``, the share of the reference's foreground that each other modality shows.
        fingerprint: (512,) block means of the reference scan; empty where they were not taken.
    """

    subject: str
    volume: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    lesion: np.ndarray | None
    source_affine: np.ndarray
    source_shape: tuple[int, int, int]
    appearance: dict[str, float] = field(default_factory=dict)
    fingerprint: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """Native dimensions (R, A, S) in voxels, before any cropping."""
        x, y, z = self.mask.shape
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm (R, A, S)."""
        x, y, z = nibabel.affines.voxel_sizes(self.affine)
        return float(x), float(y), float(z)

    @property
    def foreground_ml(self) -> float:
        """Volume of the foreground in mL."""
        return float(self.mask.sum() * np.prod(self.spacing) / 1000)

    @property
    def grid(self) -> NativeGrid:
        """Dimensions, spacing, and the box of the mask: what a reshape strategy looks at."""
        x, y, z = ((side.start, side.stop) for side in box_of(self.mask))
        return NativeGrid(self.native_shape, self.spacing, (x, y, z))


def prepare_subject(scans: pd.DataFrame, *, modalities: list[str], reference: str, scaling: str) -> PreparedSubject:
    """Read one subject's scans and put them on the grid of the reference.

    Args:
        scans: The subject's rows of the index, one per modality.
        modalities: Contrasts in channel order.
        reference: The one whose grid is kept.
        scaling: See :func:`brain_cae.data.foreground.intensity_scale`.

    Raises:
        ScanError: A scan is empty, constant, holds no finite numbers, shows less than half of what the reference
            shows, or a mask is broken, has no orientation, or lies elsewhere.
    """
    rows = scans.set_index("modality")
    subject = str(scans["subject"].iloc[0])
    if rows.index.has_duplicates:
        raise ScanError("several sessions", expected="one scan of each modality", where=f"subject {subject}")
    stored = _load(Path(str(rows.loc[reference, "path"])))
    grid = nibabel.as_closest_canonical(stored)
    brain = _mask_on(grid, rows.loc[reference, "brain_mask_path"])
    mask = brain if brain is not None else foreground_mask(np.asarray(grid.dataobj, np.float32), grid.affine)
    if not mask.any():
        raise ScanError(
            "empty mask",
            expected="a brain mask that marks a brain",
            found="no voxel above 0",
            where=str(rows.loc[reference, "brain_mask_path"]),
        )
    paths = {modality: Path(str(rows.loc[modality, "path"])) for modality in modalities}
    scans_of = {modality: stored if modality == reference else _load(path) for modality, path in paths.items()}
    mask, looks = _shown_by_all(mask, grid, scans_of, reference=reference, paths=paths)
    channels = []
    spacing = nibabel.affines.voxel_sizes(grid.affine)
    for modality, own in scans_of.items():
        image = grid if modality == reference else resample_from_to(own, grid, order=1, cval=0.0)
        values = np.asarray(image.dataobj, np.float32)
        inside = values[mask]
        where = f"subject {subject}, {modality}, {paths[modality]}"
        if not np.isfinite(inside).all():
            raise ScanError("non-finite values", where=where)
        if np.ptp(inside) == 0:
            raise ScanError("constant inside the mask", expected=f"a brain on the grid of {reference}", where=where)
        found = appearance.noise_and_smoothness(np.asarray(own.dataobj), nibabel.affines.voxel_sizes(own.affine))
        looks |= {f"{modality}_{name}": value for name, value in found.items()}
        background = _background(values, mask)
        scaled = (values - background) / intensity_scale(inside - background, scaling)
        if modality == reference:
            looks |= appearance.background(values - background, mask, spacing)
        channels.append(np.where(mask, np.clip(scaled, 0, CEILING), 0).astype(np.float32))
    lesion = _mask_on(grid, rows.loc[reference, "lesion_mask_path"])
    if lesion is not None and lesion.any() and not (lesion & mask).any():
        raise _elsewhere(str(rows.loc[reference, "lesion_mask_path"]), f"a lesion in the brain of {reference}")
    volume = np.stack(channels)
    looks |= appearance.outline(mask, spacing) | appearance.histogram(volume, mask, modalities)
    return PreparedSubject(
        subject=subject,
        volume=volume,
        mask=mask,
        affine=np.asarray(grid.affine, float),
        lesion=lesion,
        source_affine=np.asarray(stored.affine, float),
        source_shape=tuple(stored.shape),  # type: ignore[arg-type]
        appearance=looks,
        fingerprint=appearance.fingerprint(volume[modalities.index(reference)], mask),
    )


def _load(path: Path) -> nibabel.Nifti1Image:
    image = nibabel.load(path)
    return nibabel.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine)  # type: ignore[attr-defined]


def _background(values: np.ndarray, mask: np.ndarray) -> float:
    """0 for ordinary scans; the usual value outside the mask where a set stores its scans shifted below zero."""
    outside = values[~mask]
    return float(min(np.median(outside), 0.0)) if outside.size else 0.0


def _shown_by_all(
    mask: np.ndarray,
    grid: nibabel.Nifti1Image,
    scans: dict[str, nibabel.Nifti1Image],
    *,
    reference: str,
    paths: dict[str, Path],
) -> tuple[np.ndarray, dict[str, float]]:
    """The part of the mask that lies in every scan's field of view, and the share that each covers.

    Beyond its field of view a scan has no values, and zeros there would look like a lesion, or like none.
    """
    places = np.argwhere(mask)
    inside = np.ones(len(places), dtype=bool)
    shares: dict[str, float] = {}
    for modality, scan in scans.items():
        if modality == reference:
            continue
        voxels = nibabel.affines.apply_affine(np.linalg.inv(scan.affine) @ grid.affine, places)
        # Within a voxel of the outermost centres interpolation still has a value to go by.
        covered = ((voxels > -1) & (voxels < scan.shape)).all(axis=1)
        shares[f"{modality}_covered"] = share = float(covered.mean())
        if share < LEAST_COVERED:
            raise ScanError(
                "partial coverage",
                expected=f"at least half of what {reference} shows",
                found=f"{100 * share:.0f} % of it",
                where=str(paths[modality]),
            )
        inside &= covered
    shown = np.zeros_like(mask)
    shown[tuple(places[inside].T)] = True
    return shown, shares


def _mask_on(grid: nibabel.Nifti1Image, path: object) -> np.ndarray | None:
    """A mask file on the grid, by affine and nearest neighbour; None where there is none.

    Raises:
        ScanError: The mask is unreadable, has no orientation, or all that it marks lies beyond the grid.
    """
    if not isinstance(path, str) or not path:
        return None
    try:
        image = nibabel.load(path)
        marked = without_single_axes(np.asarray(image.dataobj) > 0).astype(np.uint8)  # type: ignore[attr-defined]
        mask = nibabel.Nifti1Image(marked, affine_to_ras(image, path))  # type: ignore[arg-type]
        found = np.asarray(resample_from_to(mask, grid, order=0, cval=0).dataobj) > 0
    except (ImageFileError, OSError, EOFError, zlib.error, ValueError, np.linalg.LinAlgError) as error:
        raise ScanError(
            "unreadable mask",
            expected="a complete NIfTI file with one volume",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            where=path,
        ) from error
    if marked.any() and not found.any():
        raise _elsewhere(path, "a mask on the scan's grid")
    return found


def _elsewhere(path: str, expected: str) -> ScanError:
    return ScanError(
        "mask elsewhere",
        expected=expected,
        found="no voxel of it there",
        where=path,
    )


def to_source_space(values: np.ndarray, subject: PreparedSubject) -> nibabel.Nifti1Image:
    """A map (X, Y, Z) on the prepared grid as NIfTI in the scan's own axes, shape and affine."""
    back = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.io_orientation(subject.source_affine)
    )
    data = nibabel.orientations.apply_orientation(values, back)
    return nibabel.Nifti1Image(np.ascontiguousarray(data, dtype=np.float32), subject.source_affine)
