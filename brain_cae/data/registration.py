"""Rigid registration of one scan of a subject to another: heads move between two scans, and headers do not tell.

Source: mutual information after Mattes et al., IEEE Transactions on Medical Imaging 22:120 (2003), as SimpleITK has it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Self

import nibabel
import numpy as np
import SimpleITK as sitk  # noqa: N813
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from sklearn.metrics import mutual_info_score

from brain_cae.data.foreground import foreground_mask, measured_state, without_air
from brain_cae.data.resampling import isotropic, resample
from brain_cae.errors import ScanError

VERSION = 6
"""Raise this number whenever the transforms change, so that stored ones are not used."""

COARSE_MM, FINE_MM = 4.0, 2.0
"""Voxel sizes of the two stages; the transform is exact to a fraction of the finer one."""

LARGEST_MM, LARGEST_DEG = 60.0, 40.0
"""No head lies further from its other scan than this: what ends outside is a failure, not a movement."""

SMALLEST_MM, SMALLEST_GAIN = 0.5, 0.005
"""A smaller movement (mean over the head), or a smaller relative gain of mutual information, is not applied."""

NEAR_MM = 1.0
"""If the best of all small moves is smaller than this, the scans lie where their headers say."""

MIN_OVERLAP = 0.7
"""Smallest Dice overlap of the foregrounds of two scans of one head inside the field of view that they share."""

MIN_INSIDE = 0.95
"""Smallest share of a stripped brain inside its head: all of it, but for a voxel of the coarse grid here and there."""

TURNS_DEG, SHIFTS_MM = (-30.0, -15.0, 0.0, 15.0, 30.0), (-20.0, 0.0, 20.0)
"""Along each axis: turns that the search looks at, and places of a brain's centre relative to that of its head."""

REFINED, EVALUATIONS = 6, 150
"""Number of the best of these places that are made better, and how often each is looked at."""

MIRRORED = 1.1
"""Gain from exchanging left and right by which a scan is mirrored: 0.66 to 0.84 on real heads and brains, and 1.15 to
1.49 where one of two was mirrored."""

SCALED, LARGEST_STRETCH = 1.1, 0.03
"""Gain from other scales, and a scale, by which a scan has another size: up to 1.07 on real heads and brains, and from
1.12 where one of two was 10 % longer along an axis."""

NEARLY, STRETCH_MM = 0.7, 2.0
"""Gain from exchanging left and right where a scan lies, above which it may be mirrored, and a step along each axis, at
the mean distance from the centre, that shows whether it may have another size."""

CHECKED, SEARCHED = 15_000, 4_000
"""Numbers of voxels that suffice to see whether a small move improves the match, and whether a place is worth a try."""

BINS = 32
SAMPLES = 100_000
"""Number of voxels that suffices to move a head, six parameters."""

SEED = 1
"""Not 0, which SimpleITK takes for the time of day."""


@dataclass(frozen=True)
class Alignment:
    """How a scan lies relative to the reference scan of its subject.

    Attributes:
        transform: (4, 4), from places in the reference (RAS+ mm) to the same places in the scan; as nested lists.
        shift_mm: Distance between the two, mean over the foreground of the reference.
        rotation_deg: Angle of the rotation.
        overlap_before: Dice overlap of the foregrounds where the headers put them, within the shared field of view. It
            is about half where one shows a head and the other a stripped brain.
        overlap: The same after the movement was applied.
        mirrored_gain: Mutual information with left and right exchanged, relative to that of the scans as they are.
        scaled_gain: The same with the best scale of each axis.
        scale: These scales along the axes of the world, above 1 where the scan is larger than the reference.
    """

    transform: list[list[float]]
    shift_mm: float
    rotation_deg: float
    overlap_before: float
    overlap: float
    mirrored_gain: float = 0.0
    scaled_gain: float = 0.0
    scale: Sequence[float] = (1.0, 1.0, 1.0)

    def affine(self, affine: np.ndarray) -> np.ndarray:
        """Return the affine (4, 4) that brings a grid of the scan to the place of the reference."""
        return np.linalg.inv(self.transform) @ affine

    @property
    def moved(self) -> bool:
        """Whether the headers did not tell the truth."""
        return self.shift_mm > 0

    @property
    def is_mirrored(self) -> bool:
        """Whether one of the scans has left and right exchanged."""
        return self.mirrored_gain > MIRRORED

    @property
    def is_scaled(self) -> bool:
        """Whether one of the scans has another size, as in the space of a template or with a wrong voxel size."""
        return self.scaled_gain > SCALED and max(abs(one - 1) for one in self.scale) > LARGEST_STRETCH

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the alignment that :meth:`to_dict` stored."""
        return cls(**content)


@dataclass(frozen=True)
class _View:
    """A scan on a cubic grid: its values, SimpleITK's images of values and coverage, foreground and coverage."""

    values: np.ndarray
    image: sitk.Image
    covered: sitk.Image
    grid: np.ndarray
    foreground: np.ndarray
    inside: np.ndarray

    @property
    def places(self) -> np.ndarray:
        """Places of the foreground in mm, (n, 3)."""
        return apply_affine(self.grid, np.argwhere(self.foreground))


def align(reference: nibabel.Nifti1Image, scan: nibabel.Nifti1Image) -> Alignment:
    """Find the rigid movement of the head between two scans, whatever their contrasts.

    Nothing is moved where no small move improves mutual information. Otherwise the search starts where the headers put
    the scans, and at the best of many places: without these, a head that is turned by 20 degrees is found a centimetre
    from its place. One thread and a fixed seed give the same result every time.

    Args:
        reference: Scan whose place is kept, (X, Y, Z).
        scan: Scan of the same head, (X, Y, Z).

    Raises:
        ScanError: The two cannot be brought together: the result is no movement of a head, or the heads do not overlap.
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    spacings = [max(least, *_finest(reference, scan)) for least in (COARSE_MM, FINE_MM)]
    fixed, moving = _view(reference, spacings[0]), _view(scan, spacings[0])
    before = _overlap(fixed, moving, np.eye(4))
    if before > 0 and _is_best(fixed, moving):
        return _described(fixed, moving, Alignment(np.eye(4).tolist(), 0.0, 0.0, before, before))
    brain_in_head = {_state(reference), _state(scan)} == {"on", "stripped"}
    starts = [
        _rigid(fixed, np.zeros(3), np.zeros(3)),
        _best_of_many(fixed, moving, shifts_mm=SHIFTS_MM if brain_in_head else (0.0,)),
    ]
    coarse = [_register(fixed, moving, start, shrink=[2], smoothing=[4.0]) for start in starts]
    start = min(coarse, key=lambda result: _metric(fixed, moving, result))
    fine = _view(reference, spacings[1]), _view(scan, spacings[1])
    movement = _register(*fine, start, shrink=[2, 1], smoothing=[2.0, 0.0])
    # The metric is negative, and infinite where the headers put the scans apart: then every match is a gain.
    gains = _metric(*fine, movement) <= (1 + SMALLEST_GAIN) * _metric(*fine, starts[0])
    transform = _matrix(movement)
    shift = float(np.linalg.norm(apply_affine(transform, fixed.places) - fixed.places, axis=1).mean())
    rotation = float(np.degrees(Rotation.from_matrix(transform[:3, :3]).magnitude()))
    after = _overlap(fixed, moving, transform)
    together = after >= MIN_OVERLAP or (brain_in_head and _inside(fixed, moving, transform) >= MIN_INSIDE)
    if shift < SMALLEST_MM or not gains:
        return _described(fixed, moving, Alignment(np.eye(4).tolist(), 0.0, 0.0, before, before))
    if shift > LARGEST_MM or rotation > LARGEST_DEG or not together:
        hint = without_air((fixed.foreground, fixed.inside), (moving.foreground, moving.inside))
        found = (
            f"the best match is {shift:.0f} mm and {rotation:.0f} degrees away, with an overlap of {after:.2f}{hint}"
        )
        expected = "a scan of the same head as the reference, near the place that its header gives"
        raise ScanError("not aligned", expected=expected, found=found)
    return _described(fixed, moving, Alignment(transform.tolist(), shift, rotation, before, after))


def _finest(*scans: nibabel.Nifti1Image) -> list[float]:
    return [float(min(voxel_sizes(scan.affine))) for scan in scans]


def _view(scan: nibabel.Nifti1Image, spacing: float) -> _View:
    volume = np.nan_to_num(np.asarray(scan.dataobj, np.float32))
    values, grid, covered = isotropic(volume, scan.affine, spacing)
    border = np.concatenate([np.take(volume, [0, -1], axis=axis).ravel() for axis in range(3)])
    air = float(np.median(border))
    values = np.where(covered, values, air)
    # Single bright voxels would leave all tissue in a few bins of the histogram.
    low, high = np.percentile(values[covered], [0.5, 99.5])
    clipped = np.clip(values, low, high)
    return _View(
        values=clipped,
        image=_to_itk(clipped, grid),
        covered=_to_itk(covered.astype(np.uint8), grid),
        grid=grid,
        foreground=foreground_mask(values, grid) & covered,
        inside=covered,
    )


def _to_itk(values: np.ndarray, grid: np.ndarray) -> sitk.Image:
    """Return an image in RAS+ mm; SimpleITK's convention of axes does not matter if both images share it."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    image.SetSpacing(voxel_sizes(grid).tolist())
    image.SetOrigin(grid[:3, 3].tolist())
    return image


def _rigid(fixed: _View, shift: np.ndarray, turn: np.ndarray) -> sitk.Euler3DTransform:
    """Return a movement by a shift (mm) and a turn (rotation vector) about the centre of the fixed foreground."""
    transform = sitk.Euler3DTransform()
    transform.SetCenter(fixed.places.mean(axis=0).tolist())
    transform.SetMatrix(Rotation.from_rotvec(turn).as_matrix().ravel().tolist())
    transform.SetTranslation(shift.tolist())
    return transform


def _matrix(transform: sitk.Euler3DTransform) -> np.ndarray:
    matrix, centre = np.eye(4), np.asarray(transform.GetCenter())
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    matrix[:3, 3] = centre + transform.GetTranslation() - matrix[:3, :3] @ centre
    return matrix


def _method(fixed: _View, moving: _View) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed.covered)
    method.SetMetricMovingMask(moving.covered)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _metric(fixed: _View, moving: _View, transform: sitk.Transform) -> float:
    """Return the negative mutual information; infinity where the scans hardly overlap."""
    method = _method(fixed, moving)
    method.SetInitialTransform(transform)
    try:
        return float(method.MetricEvaluate(fixed.image, moving.image))
    except RuntimeError:
        return float("inf")


class _Match:
    """Mutual information of two scans after a movement, by some voxels in and around the fixed foreground.

    Args:
        fixed: Scan whose place is kept.
        moving: The other one.
        voxels: About how many voxels are looked at.
        mirrored: Exchange left and right of the fixed scan, about the middle of its foreground.
    """

    def __init__(self, fixed: _View, moving: _View, voxels: int, *, mirrored: bool = False) -> None:
        near = ndimage.binary_dilation(fixed.foreground, iterations=2) & fixed.inside
        some = np.argwhere(near)[:: max(1, int(near.sum()) // voxels)]
        self._values, self._centre = fixed.values[tuple(some.T)], fixed.places.mean(axis=0)
        self._away = (apply_affine(fixed.grid, some) - self._centre) * ([-1, 1, 1] if mirrored else 1)
        self._moving, self._back = moving.values, np.linalg.inv(moving.grid)
        self.radius = float(np.linalg.norm(fixed.places - self._centre, axis=1).mean())
        """Mean distance of the foreground from its centre in mm."""

    def __call__(self, place: np.ndarray) -> float:
        """Return the information at a place: shift, arcs and, if given, stretches at ``radius``, (6,) or (9,) mm."""
        shift, turn = self.movement(place)
        moved = Rotation.from_rotvec(turn).apply(self._away * self.scale(place)) + self._centre + shift
        there = ndimage.map_coordinates(self._moving, apply_affine(self._back, moved).T, order=1, mode="nearest")
        return float(mutual_info_score(None, None, contingency=np.histogram2d(self._values, there, BINS)[0]))

    def movement(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the shift (mm) and the rotation vector of a place, as in :func:`_rigid`."""
        return place[:3], place[3:6] / self.radius

    def scale(self, place: np.ndarray) -> np.ndarray:
        """Return the scales along the axes of the world, (3,)."""
        return np.exp(place[6:] / self.radius) if len(place) > 6 else np.ones(3)

    def refined(self, place: np.ndarray) -> np.ndarray:
        """Return a place nearby that matches better."""
        options = {"maxfev": EVALUATIONS, "xtol": 0.1, "ftol": 1e-3}
        return np.asarray(minimize(lambda one: -self(one), place, method="Powell", options=options).x)


def _described(fixed: _View, moving: _View, alignment: Alignment) -> Alignment:
    """Return the alignment, the best match of the scans as they are, with how well they match mirrored or scaled.

    Mirrored or scaled, they are moved to where they match best only if they may match better than they are: the search
    takes four times as long as all else of scans whose headers are true.
    """
    transform, centre = np.asarray(alignment.transform), fixed.places.mean(axis=0)
    some, exchanged = (_Match(fixed, moving, SEARCHED, mirrored=mirrored) for mirrored in (False, True))
    arcs = Rotation.from_matrix(transform[:3, :3]).as_rotvec() * some.radius
    place = np.concatenate([apply_affine(transform, centre) - centre, arcs, np.zeros(3)])
    mirrored = exchanged(place) / some(place)
    if alignment.moved or mirrored > NEARLY:
        here, there = (_Match(fixed, moving, CHECKED, mirrored=one) for one in (False, True))
        mirrored = there(exchanged.refined(place[:6])) / here(place)
    stretched = [place + sign * STRETCH_MM * axis for axis in np.eye(9)[6:] for sign in (-1, 1)]
    scaled, best = max(map(some, stretched)) / some(place), place
    if scaled > 1:
        best, all_voxels = some.refined(place), _Match(fixed, moving, CHECKED)
        scaled = all_voxels(best) / all_voxels(place)
    return replace(alignment, mirrored_gain=mirrored, scaled_gain=scaled, scale=some.scale(best).tolist())


def _is_best(fixed: _View, moving: _View) -> bool:
    """Return whether the scans match best where their headers put them, judged by small moves along each parameter."""
    match = _Match(fixed, moving, CHECKED)
    step = float(fixed.grid[0, 0]) / 2
    here = match(np.zeros(6))
    for axis in np.eye(6):
        before, after = (match(sign * step * axis) for sign in (-1, 1))
        # The top of the parabola through the three values lies step * (before - after) / (2 * curvature) away, on
        # the average of the head. If no move changes anything, as with scans that share no place, there is no top.
        curvature = 2 * here - before - after
        if max(before, after) > here or abs(step * (before - after)) >= 2 * NEAR_MM * curvature:
            return False
    return True


def _best_of_many(fixed: _View, moving: _View, *, shifts_mm: Sequence[float]) -> sitk.Euler3DTransform:
    """Return the best of many shifted and turned places, as the start of a search.

    Args:
        fixed: Scan whose place is kept.
        moving: The other one.
        shifts_mm: Where the centres of the foregrounds may lie relative to each other, along each axis.

    Source: the search of FLIRT (M. Jenkinson and S. Smith, Medical Image Analysis 5:143, 2001).
    """
    centre = moving.places.mean(axis=0) - fixed.places.mean(axis=0)
    match = _Match(fixed, moving, SEARCHED)
    turns = [turn for turn in product(TURNS_DEG, repeat=3) if np.linalg.norm(turn) <= LARGEST_DEG]
    starts = product(product(shifts_mm, repeat=3), turns)
    places = [np.concatenate([centre + shift, np.radians(turn) * match.radius]) for shift, turn in starts]
    best = sorted(places, key=match)[-REFINED:]
    return _rigid(fixed, *match.movement(max(map(match.refined, best), key=match)))


def _register(
    fixed: _View, moving: _View, start: sitk.Euler3DTransform, *, shrink: list[int], smoothing: list[float]
) -> sitk.Euler3DTransform:
    method = _method(fixed, moving)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(min(1.0, SAMPLES / fixed.inside.sum()), SEED)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel(smoothing)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    result = sitk.Euler3DTransform(start)
    method.SetInitialTransform(result, inPlace=True)
    try:
        method.Execute(fixed.image, moving.image)
    except RuntimeError:
        return start  # no overlap on the way: judged by its metric like every other result
    return result


def _overlap(fixed: _View, moving: _View, transform: np.ndarray) -> float:
    """Return the Dice overlap of the foregrounds within the field of view of both; 0 if they share none."""
    first, second = _foregrounds(fixed, moving, transform)
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 0.0


def _inside(fixed: _View, moving: _View, transform: np.ndarray) -> float:
    """Return the share of the smaller foreground that lies in the other one, where both have voxels; 0 if none do."""
    first, second = _foregrounds(fixed, moving, transform)
    least = min(first.sum(), second.sum())
    return float((first & second).sum() / least) if least else 0.0


def _foregrounds(fixed: _View, moving: _View, transform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both foregrounds on the grid of the first scan, within the field of view of both."""
    affine = np.linalg.inv(transform) @ moving.grid
    labels = np.where(moving.inside, 1 + moving.foreground.astype(np.uint8), 0).astype(np.uint8)
    there, covered = resample(labels, affine, fixed.foreground.shape, fixed.grid, order=0)
    shared = covered & (there > 0) & fixed.inside
    return fixed.foreground & shared, (there == 2) & shared


def _state(scan: nibabel.Nifti1Image) -> str:
    return measured_state(np.nan_to_num(np.asarray(scan.dataobj, np.float32)), scan.affine)[0]
