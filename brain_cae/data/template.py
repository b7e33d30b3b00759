"""Affine registration of a brain to the MNI152 template, and the template's tissues on a scan's grid.

The template is the average of 152 adults that nilearn ships (Fonov et al. 2011, NeuroImage 54:313); nothing is
downloaded. Only its tissue probabilities are used, never its intensities, so a scan can have any contrast: as in
unified segmentation (Ashburner and Friston 2005, NeuroImage 26:839), the scan is explained by one intensity per tissue.
Voxels that no tissue explains, such as a tumour's, get a weight of zero (Tukey's biweight) and cannot pull.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage
from threadpoolctl import threadpool_limits

from brain_cae.arrays.boxes import box_of
from brain_cae.errors import ScanError

TISSUES = ("grey", "white", "fluid")

STAGES = ((8.0, 14), (5.0, 8))
"""Grid in mm and largest number of steps, from coarse to fine."""

PITCHES_DEG = (0.0, -20.0, 20.0)
"""Nods of the head to start from; the second and third are tried only if the first leads to an impossible result."""

REACH_MM = 60.0
"""Distance from the centre at which the change of a step is measured, about the radius of a brain."""

BIWEIGHT = 4.685
"""Robust standard deviations beyond which a voxel counts as unexplained; 95 % efficient for normal residuals."""

OUTLINE_DEVIATION = 0.25
"""Standard deviation of the outline's residual; brain masks of different tools differ by a few millimetres."""

SCALES = (0.6, 1.6)
"""Smallest and largest plausible stretch from an adult's brain to the template, in any direction."""

SMALLEST_ML = 250.0
"""A mask below this volume cannot become a brain of the template's size (1.9 L) within ``SCALES`` and ``MIN_SHARE``."""

MAX_STRETCH = 1.3
"""Largest plausible ratio of two scales: heads are long or round, but wrong registrations measured 1.35 and more."""

MAX_SHEAR = 0.3
"""Largest plausible cosine between two axes of the scan after registration; 0 for right angles."""

MIN_OVERLAP = 0.9
"""Smallest plausible Dice of the scan's brain and the template's in the field of view; measured: 0.95 to 0.97."""

MIN_SHARE = 0.6
"""Smallest share of a brain that a scan must show: thinner slabs are misplaced by centimetres without other signs."""

VENTRICLE_DEPTH_MM = 20.0
"""Fluid deeper in the brain than this lies in ventricles and deep cisterns, not in sulci."""


@dataclass(frozen=True)
class _Grid:
    """A scan on an axis-aligned grid: brain and a margin of two voxels, as points.

    Args:
        points: (N, 3) world mm.
        values: (N,) intensity from 0 to 1 by the scan's 1st and 99th percentile, times the outline.
        outline: (N,) fraction of brain around the point.
    """

    points: np.ndarray
    values: np.ndarray
    outline: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Whether the point is brain, (N,) boolean; the others are margin in the field of view."""
        return self.outline > 0.5


@dataclass(frozen=True)
class _Maps:
    """Tissue probabilities (3, X, Y, Z) in the order of ``TISSUES``, and their slopes (3, 3, X, Y, Z) per mm."""

    tissues: np.ndarray
    slopes: np.ndarray
    affine: np.ndarray

    def index(self, points: np.ndarray) -> np.ndarray:
        """Return the voxel coordinates, (3, N), of points in template mm, (N, 3)."""
        return apply_affine(np.linalg.inv(self.affine), points).T


@threadpool_limits.wrap(limits=1)  # another number of threads sums in another order: other bytes
def to_template(volume: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Register a brain to the MNI152 template with 12 degrees of freedom.

    Args:
        volume: (X, Y, Z) intensities of any contrast, finite inside the mask.
        mask: (X, Y, Z) boolean, the brain without skull.
        affine: (4, 4), voxel to RAS+ mm; oblique and sheared grids are fine.

    Returns:
        (4, 4) from the scan's world mm to the template's; the same input always gives the same bytes.

    Raises:
        ScanError: "no match with the template": no plausible transformation was found (see ``SCALES``,
            ``MAX_STRETCH``, ``MAX_SHEAR``, ``MIN_OVERLAP`` and ``MIN_SHARE``); or "empty mask".
    """
    if not mask.any():
        raise ScanError("empty mask", expected="a brain mask with voxels above 0", found="no voxel above 0")
    brain_ml = mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000
    if brain_ml < SMALLEST_ML:
        raise _no_match(f"{brain_ml:.0f} mL of brain")
    grids = [(step_mm, steps, _sample(volume, mask, affine, step_mm)) for step_mm, steps in STAGES]
    faults = []
    for pitch_deg in PITCHES_DEG:
        matrix = _start(grids[0][2], pitch_deg)
        for step_mm, steps, grid in grids:
            matrix = _refine(matrix, grid, _maps(step_mm), steps)
        fault = _fault(matrix, grids[-1][2])
        if not fault:
            return matrix
        faults.append(fault)
    raise _no_match(faults[0])


def tissue_priors(affine: np.ndarray, shape: tuple[int, int, int], to_template: np.ndarray) -> dict[str, np.ndarray]:
    """Return the template's tissue probabilities on a scan's grid.

    Args:
        affine: (4, 4), voxel to RAS+ mm.
        shape: The scan's (X, Y, Z).
        to_template: (4, 4) from the scan's world mm to the template's, of :func:`to_template`.

    Returns:
        ``grey``, ``white`` and ``fluid`` (ventricles and deep cisterns, not sulci), each (X, Y, Z) float32, 0 to 1.
    """
    tissues, template_affine, depth_mm = _template()
    pull = np.linalg.inv(template_affine) @ to_template @ affine
    grey, white, fluid = tissues
    return {
        name: ndimage.affine_transform(one, pull[:3, :3], pull[:3, 3], output_shape=tuple(shape), order=1)
        for name, one in zip(TISSUES, (grey, white, fluid * (depth_mm > VENTRICLE_DEPTH_MM)), strict=True)
    }


@cache
def _template() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load tissue probabilities (3, X, Y, Z), their affine, and the depth below the brain's surface in mm, at 2 mm."""
    from nilearn import datasets  # slow to import, and not needed to read a prepared cohort

    images = (
        datasets.load_mni152_gm_template(resolution=1),
        datasets.load_mni152_wm_template(resolution=1),
        datasets.load_mni152_brain_mask(resolution=1),
    )
    # Block means take a tenth of the time of nilearn's own resampling to 2 mm.
    twice = np.array([2, 2, 2])
    grey, white, brain = (_block_means(np.asarray(image.dataobj, np.float32), twice) for image in images)
    affine = _block_affine(np.asarray(images[0].affine, float), twice)
    fluid = np.clip(brain - grey - white, 0, 1)
    depth = ndimage.distance_transform_edt(brain > 0.5, sampling=voxel_sizes(affine)).astype(np.float32)
    return np.stack([grey, white, fluid]), affine, depth


@cache
def _maps(step_mm: float) -> _Maps:
    tissues, affine, _ = _template()
    factor = _block_size(affine, step_mm)
    coarse = _block_affine(affine, factor)
    # The scan is averaged over blocks, then interpolated: a little smoother than block means alone.
    smooth = np.stack([ndimage.gaussian_filter(_block_means(one, factor), 0.7) for one in tissues])
    slopes = np.stack([np.stack(np.gradient(one, *voxel_sizes(coarse))) for one in smooth])
    return _Maps(smooth, slopes.astype(np.float32), coarse)


@cache
def _template_extent() -> tuple[np.ndarray, np.ndarray, float]:
    """Return the brain's centre in mm, its standard deviation along each axis in mm, and its volume in mL."""
    tissues, affine, _ = _template()
    points = apply_affine(affine, np.argwhere(tissues.sum(0) > 0.5))
    return points.mean(0), points.std(0), len(points) * float(np.prod(voxel_sizes(affine))) / 1000


def _block_size(affine: np.ndarray, step_mm: float) -> np.ndarray:
    """Return voxels per block, (3,), so that blocks are a little smaller than ``step_mm`` and nothing aliases."""
    return np.maximum(1, np.rint(0.75 * step_mm / voxel_sizes(affine)).astype(int))


def _block_means(array: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Average (X, Y, Z) over blocks of ``factor`` voxels, with zeros beyond the end: float32."""
    means = np.pad(array.astype(np.float32), [(0, -n % f) for n, f in zip(array.shape, factor, strict=True)])
    for axis, size in enumerate(factor):  # one axis at a time is faster than all at once
        blocks = means.reshape(*means.shape[:axis], -1, size, *means.shape[axis + 1 :])
        means = blocks.mean(axis=axis + 1)
    return means


def _block_affine(affine: np.ndarray, factor: np.ndarray) -> np.ndarray:
    coarse = affine @ np.diag([*factor, 1.0])
    coarse[:3, 3] = apply_affine(affine, (factor - 1) / 2)
    return coarse


def _sample(volume: np.ndarray, mask: np.ndarray, affine: np.ndarray, step_mm: float) -> _Grid:
    inside_values = volume[mask]
    low, high = np.percentile(inside_values[:: max(1, inside_values.size // 50_000)], [1, 99])
    box, factor = box_of(mask), _block_size(affine, step_mm)
    total, weight = (_block_means(one, factor) for one in (np.where(mask[box], volume[box], 0), mask[box]))
    cropped = affine.astype(float)
    cropped[:3, 3] = apply_affine(affine, [side.start for side in box])
    coarse = _block_affine(cropped, factor)
    ends = np.array(np.meshgrid(*((0, size - 1) for size in total.shape))).reshape(3, -1).T
    corners = apply_affine(coarse, ends)
    first = np.floor(corners.min(0) / step_mm - 2) * step_mm
    shape = tuple(np.ceil((corners.max(0) - first) / step_mm + 2).astype(int))
    grid = np.diag([step_mm] * 3 + [1.0])
    grid[:3, 3] = first
    pull = np.linalg.inv(coarse) @ grid
    total, weight = (
        ndimage.affine_transform(one, pull[:3, :3], pull[:3, 3], output_shape=shape, order=1) for one in (total, weight)
    )
    near = ndimage.binary_dilation(weight > 0.5, iterations=2)
    points, outline = apply_affine(grid, np.argwhere(near)), weight[near].astype(np.float64)
    # Times the outline: blurred with nothing outside, as the template's tissues are.
    values = np.clip((total[near] / np.maximum(weight[near], 1e-6) - low) / max(high - low, 1e-6), 0, 1) * outline
    # Beyond the field of view nobody knows whether there is brain.
    index = apply_affine(np.linalg.inv(affine), points)
    seen = (outline > 0.5) | ((index > -0.5) & (index < np.array(mask.shape) - 0.5)).all(axis=1)
    return _Grid(points[seen], values[seen], outline[seen])


def _start(grid: _Grid, pitch_deg: float) -> np.ndarray:
    """Match centre and extent along each axis after a nod of the head."""
    centre, extent, _ = _template_extent()
    brain = grid.points[grid.inside]
    angle = np.deg2rad(pitch_deg)
    nod = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    stretch = np.clip(extent / np.maximum((brain @ nod.T).std(0), 1e-6), 0.8, 1.25)
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag(stretch) @ nod
    matrix[:3, 3] = centre - matrix[:3, :3] @ brain.mean(0)
    return matrix


def _refine(matrix: np.ndarray, grid: _Grid, maps: _Maps, steps: int) -> np.ndarray:
    """Fit intensities and outline by Gauss-Newton steps with robust weights; return the better matrix (4, 4)."""
    matrix, inside = matrix.copy(), grid.inside.astype(np.float64)
    centre = grid.points.mean(0)
    away = np.column_stack([(grid.points - centre) / REACH_MM, np.ones(len(grid.points))])
    weight = inside
    for _ in range(steps):
        index = maps.index(apply_affine(matrix, grid.points))
        design = _at(maps.tissues, index).T
        intensity, residual, weight, deviation = _explain(design, grid.values, inside, weight)
        slope = _at(np.tensordot(intensity, maps.slopes, 1), index)
        outline_slope = _at(maps.slopes.sum(0), index)
        normal, right = np.zeros((12, 12)), np.zeros(12)
        terms = (
            (slope, residual, weight / deviation**2),
            (outline_slope, grid.outline - design.sum(1), np.full(len(inside), OUTLINE_DEVIATION**-2)),
        )
        for gradient, remaining, trust in terms:
            jacobian = (gradient.T[:, :, None] * away[:, None, :]).reshape(-1, 12)
            weighted = jacobian * trust[:, None]
            normal += jacobian.T @ weighted
            right += weighted.T @ remaining
        change = np.linalg.solve(normal + 1e-3 * np.trace(normal) / 12 * np.eye(12), right).reshape(3, 4)
        largest_mm = float(np.abs(change).max())
        change *= min(1.0, 8.0 / max(largest_mm, 1e-9))
        matrix[:3, :3] += change[:, :3] / REACH_MM
        matrix[:3, 3] += change[:, 3] - change[:, :3] @ centre / REACH_MM
        if largest_mm < 0.15:
            break
    return matrix


def _explain(
    design: np.ndarray, values: np.ndarray, inside: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Fit one intensity per tissue; return intensities (3,), residuals (N,), their weights (N,) and deviation."""
    for _ in range(2):
        weighted = design * weight[:, None]
        intensity = np.linalg.solve(design.T @ weighted + 1e-2 * np.eye(3), weighted.T @ values)
        residual = values - design @ intensity
        deviation = max(1.4826 * float(np.median(np.abs(residual[inside > 0]))), 1e-3)
        weight = inside * np.clip(1 - (residual / (BIWEIGHT * deviation)) ** 2, 0, None) ** 2
    return intensity, residual, weight, deviation


def _at(maps: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Interpolate maps (C, X, Y, Z) at voxel coordinates (3, N): (C, N), 0 outside."""
    return np.stack([ndimage.map_coordinates(one, index, order=1, output=np.float64) for one in maps])


def _fault(matrix: np.ndarray, grid: _Grid) -> str:
    """Return what is implausible about a result, or ``""``."""
    linear = matrix[:3, :3]
    scales = np.linalg.svd(linear, compute_uv=False)
    mirrored = np.linalg.det(linear) <= 0
    if mirrored or scales[-1] < SCALES[0] or scales[0] > SCALES[1] or scales[0] > MAX_STRETCH * scales[-1]:
        return ("a mirrored brain, " if mirrored else "") + "scales of " + ", ".join(f"{scale:.2f}" for scale in scales)
    axes = linear / np.linalg.norm(linear, axis=0)
    shear = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if shear > MAX_SHEAR:
        return f"a shear of {shear:.2f}"
    step_mm = STAGES[-1][0]
    shown_ml = grid.inside.sum() * step_mm**3 * np.linalg.det(linear) / 1000
    share = shown_ml / _template_extent()[2]
    if share < MIN_SHARE:
        return f"{100 * share:.0f} % of a brain"
    maps = _maps(step_mm)
    brain = _at(maps.tissues.sum(0)[None], maps.index(apply_affine(matrix, grid.points)))[0] > 0.5
    overlap = 2 * (brain & grid.inside).sum() / (brain.sum() + grid.inside.sum())
    return f"an overlap of {overlap:.2f}" if overlap < MIN_OVERLAP else ""


def _no_match(found: str) -> ScanError:
    return ScanError(
        "no match with the template",
        expected=f"a whole brain without skull: scales of {SCALES[0]} to {SCALES[1]}, overlap {MIN_OVERLAP} or more",
        found=found,
    )
