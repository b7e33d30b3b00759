"""Prepare the scans of one subject: align, reorient to RAS, resample to one grid, mask, scale intensities."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from scipy import ndimage

from brain_cae.data import appearance
from brain_cae.data.bias import without_bias
from brain_cae.data.contrast import Contrast, coverage_mm, cut_cm2, looks_like
from brain_cae.data.drawn_masks import DrawnMask, Places, drawn_mask, holes
from brain_cae.data.foreground import HEAD_SHARE, foreground_mask, intensity_scale, tissue_level, zero_level
from brain_cae.data.registration import COARSE_MM, Alignment
from brain_cae.data.resampling import isotropic, resample
from brain_cae.data.subject import PreparedSubject, Shown, cropped
from brain_cae.data.template import tissue_priors, to_template
from brain_cae.errors import ScanError
from brain_cae.scans.padding import shows_air

log = logging.getLogger(__name__)

VERSION = 18
"""Raise this number whenever the output of this module changes, so that outdated cached volumes are not used."""

MIN_COVERAGE = 0.5
"""A modality that covers less than this fraction of the reference's brain shows something else, or is only a slab."""

MAX_DARK = 0.01
"""Up to this fraction of the brain, the lowest value that reaches in from the border is dark fluid or a closer mask."""

MAX_RIM = 0.15
"""Two masks of one brain, as of two contrasts that were stripped apart, differ by less than this fraction of it."""

UNDERSHOOT = 1.0
"""Percentile of the values outside the brain below which they need not be those of air."""

CONTRAST_MM = 2.0
"""Distance of the voxels that tell the contrast of a scan: the template's tissues are as coarse."""

CEILING = 6.0
"""Scaled intensities are clipped here: single bright voxels of vessels or noise would dominate the loss."""


def prepare_subject(
    scans: pd.DataFrame,
    *,
    modalities: list[str],
    reference: str,
    scaling: str,
    bias_correction: str = "none",
    alignments: Mapping[str, Alignment] | None = None,
) -> PreparedSubject:
    """Read one subject's scans and resample them to the grid of the reference.

    Args:
        scans: The subject's rows of the index, one per modality.
        modalities: Contrasts in channel order.
        reference: The contrast whose grid is kept.
        scaling: See :func:`brain_cae.data.foreground.intensity_scale`.
        bias_correction: ``n4`` or ``none``, see :func:`brain_cae.data.bias.without_bias`.
        alignments: How the other scans lie relative to the reference, by modality; where there is none, their headers
            are believed.

    Raises:
        ScanError: A scan is empty or constant, has non-finite values, or covers less than half of the reference's
            foreground; or a mask is unreadable, has no orientation, or lies outside the scan.
    """
    rows = scans.set_index("modality")
    subject = str(scans["subject"].iloc[0])
    if rows.index.has_duplicates:
        raise ScanError("several sessions", expected="one scan of each modality", where=f"subject {subject}")
    paths = {modality: Path(str(rows.loc[modality, "path"])) for modality in modalities}
    stored = {modality: _load(path) for modality, path in paths.items()}
    there = Places(stored, reference, alignments or {})
    grid = nibabel.as_closest_canonical(stored[reference])
    drawn = {kind: drawn_mask(kind, grid, rows[f"{kind}_mask_path"], there) for kind in ("brain", "lesion")}
    brain = _foreground(grid, drawn["brain"])
    lesion = None if drawn["lesion"] is None else drawn["lesion"].on_grid
    images = {modality: _on_grid(scan, there.affine(modality), grid) for modality, scan in stored.items()}
    mask, properties = _shown_by_all(brain, images, reference=reference, paths=paths)
    if drawn["lesion"] is not None and lesion is not None and lesion.any() and not (lesion & mask).any():
        hidden = "it lies in a hole of the brain mask" if (lesion & holes(mask)).any() else "no marked voxel there"
        if drawn["brain"] is not None:
            hidden += f"; one of two masks is wrong, and the other is the brain mask {drawn['brain'].path}"
        raise drawn["lesion"].elsewhere(f"a lesion that overlaps the brain of {reference}", hidden)
    zeros = {modality: _background(values, mask) for modality, (values, _) in images.items()}
    images = {modality: (values - zeros[modality], covered) for modality, (values, covered) in images.items()}
    channels = []
    spacing = nibabel.affines.voxel_sizes(grid.affine)
    for modality, (values, _) in images.items():
        inside = values[mask]
        where = f"subject {subject}, {modality}, {paths[modality]}"
        if not np.isfinite(inside).all():
            raise ScanError("non-finite values", where=where)
        if np.ptp(inside) == 0:
            raise ScanError("constant inside the mask", expected=f"a brain on the grid of {reference}", where=where)
        scan = stored[modality]
        original = np.asarray(scan.dataobj) - zeros[modality]
        measured = appearance.noise_and_smoothness(original, nibabel.affines.voxel_sizes(scan.affine))
        properties |= {f"{modality}_{name}": value for name, value in measured.items()}
        if modality == reference:
            properties |= appearance.background(values, mask, spacing)
        lifted = without_bias(values, mask, spacing) if bias_correction == "n4" else values
        scaled = lifted / intensity_scale(lifted[mask], scaling)
        channels.append(np.where(mask, np.clip(scaled, 0, CEILING), 0).astype(np.float32))
    skull = str(rows.loc[reference, "skull"]) if "skull" in rows else "unknown"
    place = None if skull == "on" else _place(images[reference][0], mask, grid.affine)
    volume = np.stack(channels)
    properties |= appearance.outline(mask, spacing) | appearance.histogram(volume, mask, modalities)
    prepared = PreparedSubject(
        subject=subject,
        volume=volume,
        mask=mask,
        affine=np.asarray(grid.affine, float),
        lesion=lesion,
        source_affine=np.asarray(stored[reference].affine, float),
        source_shape=tuple(stored[reference].shape),  # type: ignore[arg-type]
        appearance=properties,
        fingerprint=appearance.fingerprint(volume[modalities.index(reference)], mask),
        shown={
            name: replace(shown, side_ratio=appearance.side_ratio(channel, mask))
            for channel, (name, shown) in zip(
                channels, _shown(stored, images, mask, grid.affine, place, brain).items(), strict=True
            )
        },
        to_template=place,
        masks=tuple(one.facts(brain, grid.affine) for one in drawn.values() if one is not None),
    )
    return cropped(prepared)


def _place(volume: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> np.ndarray | None:
    """Return the way to the template's space, (4, 4); None if the brain does not match it."""
    try:
        return to_template(volume, mask, affine)
    except ScanError as error:
        log.debug("no place in the template: %s", error)
        return None


def _shown(
    scans: dict[str, nibabel.Nifti1Image],
    images: dict[str, tuple[np.ndarray, np.ndarray]],
    mask: np.ndarray,
    affine: np.ndarray,
    place: np.ndarray | None,
    brain: np.ndarray,
) -> dict[str, Shown]:
    shown = {}
    # Medians of tissues: on a fine grid, every second or third voxel tells as much as all.
    steps = np.maximum(1, np.rint(CONTRAST_MM / nibabel.affines.voxel_sizes(affine))).astype(int)
    some = tuple(slice(None, None, step) for step in steps)
    coarse = mask[some]
    x, y, z = coarse.shape
    priors = None if place is None else tissue_priors(affine @ np.diag([*steps, 1]), (x, y, z), place)
    for modality, scan in scans.items():
        values, grid, covered = isotropic(np.nan_to_num(np.asarray(scan.dataobj)), scan.affine, COARSE_MM)
        extent = coverage_mm(foreground_mask(values, grid) & covered, grid)
        contrast = Contrast("")
        if priors is not None:
            voxel_mm = float(nibabel.affines.voxel_sizes(scan.affine).max())
            contrast = looks_like(images[modality][0][some], coarse, priors, voxel_mm=voxel_mm)
        cut = cut_cm2(brain, images[modality][1], nibabel.affines.voxel_sizes(affine))
        alternation = appearance.alternation(np.nan_to_num(np.asarray(scan.dataobj)))
        shown[modality] = Shown(extent, contrast.name, contrast.evidence, cut, alternation)
    return shown


def _foreground(grid: nibabel.Nifti1Image, drawn: DrawnMask | None) -> np.ndarray:
    """Return the brain mask on the grid (X, Y, Z), or without one the foreground of the reference."""
    if drawn is None:
        return foreground_mask(np.asarray(grid.dataobj, np.float32), grid.affine)
    if not drawn.on_grid.any():
        raise ScanError(
            "empty mask", expected="a brain mask with voxels above 0", found="no voxel above 0", where=drawn.path
        )
    return drawn.on_grid


def _on_grid(scan: nibabel.Nifti1Image, affine: np.ndarray, grid: nibabel.Nifti1Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a scan on the grid (X, Y, Z), float32, and where it covers the grid."""
    # Reoriented first: a scan with the same voxels in another order is copied, not interpolated.
    upright = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(scan.dataobj), affine))
    values, covered = resample(np.asarray(upright.dataobj, np.float32), upright.affine, grid.shape, grid.affine)
    return values, covered


def _load(path: Path) -> nibabel.Nifti1Image:
    image = nibabel.load(path)
    return nibabel.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine)  # type: ignore[attr-defined]


def _background(values: np.ndarray, mask: np.ndarray) -> float:
    """Return the intensity of no signal: 0 for ordinary scans, that of air for shifted ones.

    Around a stripped brain, air is the constant. In a head, a part of what surrounds the brain is tissue, and most of
    it in a narrow field of view: the darkest values are air.
    """
    outside = values[~mask]
    if outside.size and outside.min() < 0:
        below = float(np.median(outside))
        if (outside == below).mean() <= 0.5:
            # Interpolation leaves a few values far below air, beside very bright ones.
            low = np.percentile(outside, UNDERSHOOT)
            lifted = values.ravel() - low
            below = float(np.median(outside[outside - low <= HEAD_SHARE * tissue_level(lifted)]))
        if below < 0:
            return below
    return max(0.0, zero_level(values))


def _shown_by_all(
    mask: np.ndarray, images: dict[str, tuple[np.ndarray, np.ndarray]], *, reference: str, paths: dict[str, Path]
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the part of the mask inside every scan's field of view, and the share that each scan covers.

    Outside its field of view a scan has no values; whatever stood there could hide a lesion or look like one.
    """
    shown = mask.copy()
    shares: dict[str, float] = {}
    for modality, (values, reached) in images.items():
        if modality == reference:
            continue
        covered = reached & ~_absent(values, mask)
        shares[f"{modality}_covered"] = share = float(covered[mask].mean())
        if share < MIN_COVERAGE:
            raise ScanError(
                "partial coverage",
                expected=f"at least half of the brain that {reference} shows",
                found=f"{100 * share:.0f} % of it",
                where=str(paths[modality]),
            )
        shown &= covered
    return shown, shares


def _absent(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return where a scan has no values although its grid reaches there: nowhere, unless that cuts off brain.

    Tools that bring scans to one grid fill the outside of the field of view with a constant, the lowest value. Around a
    stripped brain it means something else, so the scan must show air of its own, or lack more of the brain than two
    masks differ, as where defacing cut off a lobe.
    """
    constant = values == values.min()
    if constant.all() or (constant & mask).sum() <= MAX_DARK * mask.sum():
        return np.zeros(mask.shape, bool)
    parts, _ = ndimage.label(constant)
    outer = np.unique(np.concatenate([np.take(parts, [0, -1], axis=axis).ravel() for axis in range(3)]))
    absent = np.isin(parts, outer[outer > 0])
    share = (absent & mask).sum() / mask.sum()
    is_cut = share > MAX_RIM or (share > MAX_DARK and shows_air(values[~absent]))
    return absent if is_cut else np.zeros(mask.shape, bool)
