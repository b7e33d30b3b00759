"""Bring the brain and lesion masks of a subject to the grid of its reference scan, and measure what is odd in them."""

from collections.abc import Mapping
from dataclasses import dataclass

import nibabel
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage

from brain_cae.arrays.boxes import box_of
from brain_cae.data.masks import Mask, read_mask
from brain_cae.data.registration import Alignment
from brain_cae.data.resampling import apart_mm, resample, same_grid
from brain_cae.data.strippers import LARGEST_ML, smallest_ml
from brain_cae.data.subject import MaskFacts
from brain_cae.errors import ScanError


@dataclass(frozen=True)
class Places:
    """The scans of a subject as stored, and where they lie once they are aligned with the reference."""

    scans: dict[str, nibabel.Nifti1Image]
    reference: str
    alignments: Mapping[str, Alignment]

    def affine(self, modality: str, affine: np.ndarray | None = None) -> np.ndarray:
        """Return where a grid (4, 4) that lies with this scan is after alignment; None: the scan's grid."""
        affine = np.asarray(self.scans[modality].affine if affine is None else affine)
        alignment = self.alignments.get(modality)
        return affine if alignment is None else alignment.affine(affine)

    def drawn_on(self, mask: nibabel.Nifti1Image, candidates: list[str]) -> tuple[str, dict[str, float]]:
        """Return the modality on whose grid a mask is, or else the first candidate.

        Also returns the distance (mm) to the grids of the other candidates with as many voxels, if the mask is on none.
        """
        upright = nibabel.as_closest_canonical(mask)
        apart: dict[str, float] = {}
        for modality in candidates:
            scan = nibabel.as_closest_canonical(self.scans[modality])
            if same_grid(scan.shape, scan.affine, upright.shape, upright.affine):
                return modality, {}
            if scan.shape == upright.shape:
                apart[modality] = apart_mm(scan.shape, scan.affine, upright.affine)
        return candidates[0], apart


@dataclass(frozen=True)
class DrawnMask:
    """A mask of the data set.

    Attributes:
        kind: ``brain`` or ``lesion``.
        path: Its file.
        mask: As stored.
        affine: (4, 4) of the mask as stored, to RAS+ mm of the reference.
        on_grid: Marked voxels on the grid of the reference, (X, Y, Z) boolean.
        apart: Distance (mm) to scans with as many voxels; empty if it lies on the grid of one.
    """

    kind: str
    path: str
    mask: Mask
    affine: np.ndarray
    on_grid: np.ndarray
    apart: dict[str, float]

    def elsewhere(self, expected: str, found: str = "no marked voxel there") -> ScanError:
        """Return the error for a mask that does not overlap what it must."""
        return ScanError("mask elsewhere", expected=expected, found=found, where=self.path)

    def facts(self, brain: np.ndarray, grid: np.ndarray) -> MaskFacts:
        """Return what is worth a caution, from the brain (X, Y, Z, boolean) and the affine (4, 4) of its grid."""
        beside, apart = min(self.apart.items(), key=lambda one: one[1], default=("", 0.0))
        # Less than half a voxel changes no voxel of a mask, and headers are rounded.
        spacing = voxel_sizes(grid)
        moved = apart > float(spacing.min()) / 2
        volume = float(self.on_grid.sum() * np.prod(spacing) / 1000)
        region = brain if self.kind == "lesion" else np.ones_like(brain)
        return MaskFacts(
            kind=self.kind,
            cut=self.mask.cut,
            negative=self.mask.negative,
            beside=beside if moved else "",
            apart_mm=apart if moved else 0.0,
            outside=self._outside(region, grid),
            volume_ml=volume,
            plausible=self.kind == "lesion" or smallest_ml(brain.shape, spacing) <= volume <= LARGEST_ML,
            hole_ml=float(holes(self.on_grid).sum() * np.prod(spacing) / 1000) if self.kind == "brain" else 0.0,
        )

    def _outside(self, region: np.ndarray, grid: np.ndarray) -> float:
        """Return the share of the marked voxels, as stored, that lie outside a region of the grid (X, Y, Z)."""
        count = int(self.mask.marked.sum())
        places = _places(self.mask, self.affine, grid, region.shape)
        return 1 - float(region[tuple(places.T)].sum()) / count if count else 0.0


def holes(mask: np.ndarray) -> np.ndarray:
    """Return what a mask (X, Y, Z, boolean) encloses without marking it."""
    enclosed = np.zeros_like(mask)
    if mask.any():
        box = box_of(mask)
        enclosed[box] = ndimage.binary_fill_holes(mask[box]) & ~mask[box]
    return enclosed


def _places(mask: Mask, affine: np.ndarray, grid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the voxel (n, 3) of a grid of this shape in which each marked voxel lies; those outside are left out."""
    places = np.rint(apply_affine(np.linalg.inv(grid) @ affine, np.argwhere(mask.marked))).astype(int)
    return places[((places >= 0) & (places < shape)).all(axis=1)]


def drawn_mask(kind: str, grid: nibabel.Nifti1Image, paths: pd.Series, there: Places) -> DrawnMask | None:
    """Bring a mask to the grid with the scan that it was drawn on; None without a mask.

    That scan is the one on whose grid the mask is; a mask on a grid of its own lies with the reference. A mask that
    stands in the row of one scan alone lies with that scan.

    Args:
        kind: ``brain`` or ``lesion``.
        grid: The reference scan, reoriented.
        paths: Path of the mask by modality, empty where there is none.
        there: Where the scans lie.

    Raises:
        ScanError: The mask is unreadable, or marks only voxels outside the grid or every voxel.
    """
    listed = [modality for modality in there.scans if isinstance(paths[modality], str) and paths[modality]]
    if not listed:
        return None
    first = there.reference if there.reference in listed else listed[0]
    path = paths[first]
    candidates = sorted(
        (modality for modality in listed if paths[modality] == path), key=lambda modality: modality != first
    )
    mask = read_mask(path, f"{kind} mask")
    modality, apart = there.drawn_on(mask.image, candidates)
    affine = there.affine(modality, np.asarray(mask.image.affine))
    values, covered = resample(mask.marked, affine, grid.shape, grid.affine, order=0)
    on_grid = (values > 0) & covered
    if not on_grid.any():
        # Between the centres of coarser voxels, a small mask was not sampled.
        on_grid[tuple(_places(mask, affine, grid.affine, grid.shape).T)] = True
    drawn = DrawnMask(kind, path, mask, affine, on_grid, apart)
    if mask.marked.any() and not drawn.on_grid.any():
        raise drawn.elsewhere("a mask that overlaps the scan")
    if mask.marked.all() and drawn.on_grid.all():
        raise ScanError(
            "mask without outside",
            expected="a mask with voxels of 0 or less",
            found="every voxel marked",
            where=path,
        )
    return drawn
