"""Prepare the scans of one subject: reorient to RAS, resample to one grid by affine, mask, scale intensities."""

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
"""Raise this number whenever the output of this module changes, so that outdated cached volumes are not used."""

MIN_COVERAGE = 0.5
"""A modality that covers less than this fraction of the reference's brain shows something else, or is only a slab."""

CEILING = 6.0
"""Scaled intensities are clipped here: single bright voxels of vessels or noise would dominate the loss."""


@dataclass(frozen=True)
class PreparedSubject:
    """One subject's preprocessed volumes, the input of the network and of the scores.

    Attributes:
        subject: Name of the subject.
        volume: (C, X, Y, Z) float32, scaled intensities, 0 outside the mask; modalities in configuration order.
        mask: (X, Y, Z) boolean, foreground that every modality covers.
        affine: (4, 4), RAS+ mm, of the reference scan after reorientation.
        lesion: (X, Y, Z) boolean lesion mask on the same grid, or None if there is none.
        source_affine: (4, 4) affine of the reference scan as stored, for maps in the original space.
        source_shape: (3,) shape of the reference scan as stored.
        appearance: Noise, smoothness, outline, background and histogram by name, see ``appearance.py``; and
            ``<modality>_covered``, the share of the reference's foreground that each other modality covers.
        fingerprint: (512,) block means of the reference scan; empty if not computed.
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
        """Native dimensions (R, A, S) in voxels, before cropping."""
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
        """Dimensions, spacing and bounding box of the mask, as a reshape strategy needs them."""
        x, y, z = ((side.start, side.stop) for side in box_of(self.mask))
        return NativeGrid(self.native_shape, self.spacing, (x, y, z))


def prepare_subject(scans: pd.DataFrame, *, modalities: list[str], reference: str, scaling: str) -> PreparedSubject:
    """Read one subject's scans and resample them to the grid of the reference.

    Args:
        scans: The subject's rows of the index, one per modality.
        modalities: Contrasts in channel order.
        reference: The contrast whose grid is kept.
        scaling: See :func:`brain_cae.data.foreground.intensity_scale`.

    Raises:
        ScanError: A scan is empty or constant, has non-finite values, or covers less than half of the reference's
            foreground; or a mask is unreadable, has no orientation, or lies outside the scan.
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
            expected="a brain mask with voxels above 0",
            found="no voxel above 0",
            where=str(rows.loc[reference, "brain_mask_path"]),
        )
    paths = {modality: Path(str(rows.loc[modality, "path"])) for modality in modalities}
    scans_of = {modality: stored if modality == reference else _load(path) for modality, path in paths.items()}
    mask, properties = _shown_by_all(mask, grid, scans_of, reference=reference, paths=paths)
    channels = []
    spacing = nibabel.affines.voxel_sizes(grid.affine)
    for modality, scan in scans_of.items():
        image = grid if modality == reference else resample_from_to(scan, grid, order=1, cval=0.0)
        values = np.asarray(image.dataobj, np.float32)
        inside = values[mask]
        where = f"subject {subject}, {modality}, {paths[modality]}"
        if not np.isfinite(inside).all():
            raise ScanError("non-finite values", where=where)
        if np.ptp(inside) == 0:
            raise ScanError("constant inside the mask", expected=f"a brain on the grid of {reference}", where=where)
        measured = appearance.noise_and_smoothness(np.asarray(scan.dataobj), nibabel.affines.voxel_sizes(scan.affine))
        properties |= {f"{modality}_{name}": value for name, value in measured.items()}
        background = _background(values, mask)
        scaled = (values - background) / intensity_scale(inside - background, scaling)
        if modality == reference:
            properties |= appearance.background(values - background, mask, spacing)
        channels.append(np.where(mask, np.clip(scaled, 0, CEILING), 0).astype(np.float32))
    lesion = _mask_on(grid, rows.loc[reference, "lesion_mask_path"])
    if lesion is not None and lesion.any() and not (lesion & mask).any():
        raise _elsewhere(
            str(rows.loc[reference, "lesion_mask_path"]), f"a lesion that overlaps the brain of {reference}"
        )
    volume = np.stack(channels)
    properties |= appearance.outline(mask, spacing) | appearance.histogram(volume, mask, modalities)
    return PreparedSubject(
        subject=subject,
        volume=volume,
        mask=mask,
        affine=np.asarray(grid.affine, float),
        lesion=lesion,
        source_affine=np.asarray(stored.affine, float),
        source_shape=tuple(stored.shape),  # type: ignore[arg-type]
        appearance=properties,
        fingerprint=appearance.fingerprint(volume[modalities.index(reference)], mask),
    )


def _load(path: Path) -> nibabel.Nifti1Image:
    image = nibabel.load(path)
    return nibabel.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine)  # type: ignore[attr-defined]


def _background(values: np.ndarray, mask: np.ndarray) -> float:
    """Return 0 for ordinary scans, or the median outside the mask if intensities are stored shifted below zero."""
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
    """Return the part of the mask inside every scan's field of view, and the share that each scan covers.

    Outside its field of view a scan has no values; zeros there could hide a lesion or look like one.
    """
    places = np.argwhere(mask)
    inside = np.ones(len(places), dtype=bool)
    shares: dict[str, float] = {}
    for modality, scan in scans.items():
        if modality == reference:
            continue
        voxels = nibabel.affines.apply_affine(np.linalg.inv(scan.affine) @ grid.affine, places)
        # Up to one voxel beyond the outermost centres, interpolation still has a neighbour.
        covered = ((voxels > -1) & (voxels < scan.shape)).all(axis=1)
        shares[f"{modality}_covered"] = share = float(covered.mean())
        if share < MIN_COVERAGE:
            raise ScanError(
                "partial coverage",
                expected=f"at least half of the brain that {reference} shows",
                found=f"{100 * share:.0f} % of it",
                where=str(paths[modality]),
            )
        inside &= covered
    shown = np.zeros_like(mask)
    shown[tuple(places[inside].T)] = True
    return shown, shares


def _mask_on(grid: nibabel.Nifti1Image, path: object) -> np.ndarray | None:
    """Resample a mask file to the grid by affine and nearest neighbour; None without a path.

    Raises:
        ScanError: The mask is unreadable, has no orientation, or marks only voxels outside the grid.
    """
    if not isinstance(path, str) or not path:
        return None
    try:
        image = nibabel.load(path)
        marked = without_single_axes(np.asarray(image.dataobj) > 0).astype(np.uint8)  # type: ignore[attr-defined]
        mask = nibabel.Nifti1Image(marked, affine_to_ras(image, path))  # type: ignore[arg-type]
        resampled = np.asarray(resample_from_to(mask, grid, order=0, cval=0).dataobj) > 0
    except (ImageFileError, OSError, EOFError, zlib.error, ValueError, np.linalg.LinAlgError) as error:
        raise ScanError(
            "unreadable mask",
            expected="a complete NIfTI file with one volume",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            where=path,
        ) from error
    if marked.any() and not resampled.any():
        raise _elsewhere(path, "a mask that overlaps the scan")
    return resampled


def _elsewhere(path: str, expected: str) -> ScanError:
    return ScanError(
        "mask elsewhere",
        expected=expected,
        found="no marked voxel there",
        where=path,
    )


def to_source_space(values: np.ndarray, subject: PreparedSubject) -> nibabel.Nifti1Image:
    """Return a map (X, Y, Z) on the prepared grid as NIfTI with the axes, shape and affine of the original scan."""
    back = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.io_orientation(subject.source_affine)
    )
    data = nibabel.orientations.apply_orientation(values, back)
    return nibabel.Nifti1Image(np.ascontiguousarray(data, dtype=np.float32), subject.source_affine)
