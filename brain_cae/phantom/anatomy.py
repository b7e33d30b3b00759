"""Brains: the tissue maps of the MNI152 template that nilearn ships, warped into one person's head.

The template (Fonov et al. 2011, NeuroImage 54:313) is an average; sharpening and perturbing its tissue probabilities
gives each person an individual, sharper cortex.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from brain_cae.arrays.boxes import box_of
from brain_cae.phantom.field import Axes, random_field

VOXEL_MM = 2.0


@dataclass(frozen=True)
class Atlas:
    """Maps of the template on its 2 mm grid, all (X, Y, Z) float32, with the brain's centre at ``centre_mm``."""

    origin_mm: np.ndarray
    centre_mm: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    brain: np.ndarray
    ventricle_distance_mm: np.ndarray
    ventricle_pull: tuple[np.ndarray, np.ndarray, np.ndarray]
    choroid: np.ndarray


@cache
def load_atlas() -> Atlas:
    """Load the template's maps and derive the ventricles from them; no download."""
    from nilearn import datasets  # slow to import, and needed only for simulation

    image = datasets.load_mni152_gm_template(resolution=int(VOXEL_MM))
    grey = np.asarray(image.dataobj, dtype=np.float32)
    white = np.asarray(datasets.load_mni152_wm_template(resolution=int(VOXEL_MM)).dataobj, dtype=np.float32)
    brain = np.asarray(datasets.load_mni152_brain_mask(resolution=int(VOXEL_MM)).dataobj) > 0
    first, behind = np.array([(side.start, side.stop) for side in box_of(brain)]).T
    low, high = np.maximum(first - 4, 0), behind + 4
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grey, white, brain = grey[box].clip(0, 1), white[box].clip(0, 1), brain[box]
    origin = np.asarray(image.affine)[:3, 3] + low * VOXEL_MM
    centre = origin + (first + behind - 1) / 2 * VOXEL_MM - low * VOXEL_MM

    x, y, z = np.meshgrid(
        *(origin[i] + VOXEL_MM * np.arange(n) for i, n in enumerate(brain.shape)), indexing="ij", sparse=True
    )
    depth = ndimage.distance_transform_edt(brain, sampling=VOXEL_MM)
    fluid = np.clip(1 - grey - white, 0, 1) * brain
    central = (depth > 22) & (np.abs(x) < 40) & (y > -62) & (y < 40) & (z > -22) & (z < 34)
    ventricle = (fluid > 0.5) & central
    pull = np.gradient(ndimage.gaussian_filter(ventricle.astype(np.float32), 8 / VOXEL_MM), VOXEL_MM)
    # The atria of the lateral ventricles, where the choroid plexus is largest.
    blobs = [np.exp(-(((x - side) / 5) ** 2 + ((y + 40) / 7) ** 2 + ((z - 12) / 7) ** 2)) for side in (-22, 22)]
    return Atlas(
        origin_mm=origin,
        centre_mm=centre,
        grey=grey,
        white=white,
        brain=ndimage.gaussian_filter(brain.astype(np.float32), 0.7),
        ventricle_distance_mm=ndimage.distance_transform_edt(~ventricle, sampling=VOXEL_MM).astype(np.float32),
        ventricle_pull=tuple(p.astype(np.float32) for p in pull),
        choroid=((blobs[0] + blobs[1]) * fluid).astype(np.float32),
    )


@dataclass
class Anatomy:
    """One person's brain in scanner coordinates (RAS+ mm, origin near the middle of the brain).

    Args:
        axes: Positions of the canvas along x, y, z in mm (2 mm apart).
        brain: Brain mask on the canvas, (X, Y, Z) bool.
        near: Canvas voxels of ``points``, (X, Y, Z) bool: the brain and a thin margin of fluid.
        points: Coordinates of the points in mm, (3, N).
        template_mm: Their coordinates in the template in mm, (3, N).
        fractions: Fraction of each tissue at each point, name to (N,); they sum to 1.
        ventricle_distance_mm: Distance to the ventricles, (N,).
    """

    axes: Axes
    brain: np.ndarray
    near: np.ndarray
    points: np.ndarray
    template_mm: np.ndarray
    fractions: dict[str, np.ndarray]
    ventricle_distance_mm: np.ndarray

    def field(self, lattice_mm: float, generator: np.random.Generator) -> np.ndarray:
        """Return a smooth random field of unit variance at the points, (N,)."""
        return random_field(self.axes, lattice_mm, generator)[self.near]

    def onto_canvas(self, values: np.ndarray) -> np.ndarray:
        """Put the values of the points onto the canvas, (X, Y, Z) float32, 0 elsewhere."""
        canvas = np.zeros(self.near.shape, dtype=np.float32)
        canvas[self.near] = values
        return canvas


class Warp:
    """The smooth transformation from one person's head to the template, drawn once."""

    def __init__(self, age: int, sex: str, generator: np.random.Generator, *, margin_mm: float = 4.0) -> None:
        self.age = age
        self.atlas = load_atlas()
        half = [84 + margin_mm, 102 + margin_mm, 90 + margin_mm]
        self.axes: Axes = tuple(np.arange(-h, h + 1, VOXEL_MM, dtype=np.float32) for h in half)  # type: ignore[assignment]
        size = (0.98 if sex == "F" else 1.02) * np.exp(0.03 * generator.standard_normal())
        scale = size * np.exp(0.025 * generator.standard_normal(3))
        angles = np.deg2rad(np.clip(generator.standard_normal(3), -2, 2) * (4, 2.5, 2.5))
        self.inverse = np.linalg.inv(_rotation(angles) @ np.diag(np.clip(scale, 0.90, 1.08)))
        self.shift = generator.uniform(-2, 2, 3)
        self.displacement = [
            3.0 * random_field(self.axes, 45, generator) + 1.4 * random_field(self.axes, 18, generator)
            for _ in range(3)
        ]
        # Ventricles grow from about 50 years on, with a wide spread at every age.
        self.ventricle_growth = float(
            np.clip(-10 + 1.5 * max(age - 35, 0) + 22 * generator.standard_normal(), -25, 110)
        )

    def to_template(self, points: np.ndarray, displacement: list[np.ndarray]) -> np.ndarray:
        """Return the template coordinates in mm, (3, N), of points in mm, (3, N)."""
        moved = self.inverse.astype(np.float32) @ (points - self.shift[:, None].astype(np.float32))
        moved += self.atlas.centre_mm[:, None].astype(np.float32)
        for i in range(3):
            moved[i] += displacement[i]
        pull = [self.sample(part, moved) for part in self.atlas.ventricle_pull]
        growth = self.growth(moved)
        for i in range(3):
            moved[i] += growth * pull[i]
        return moved

    def growth(self, template_mm: np.ndarray) -> float | np.ndarray:
        """Return how far the ventricles have grown towards places of the template, (3, N) mm: one number or (N,)."""
        return self.ventricle_growth

    def fill(self, place: np.ndarray, near: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the person's fraction of grey matter, white matter and fluid at the points, name to (N,).

        Args:
            place: Coordinates of the points in the template in mm, (3, N).
            near: Canvas voxels of the points, (X, Y, Z) bool.
            generator: Random generator of the individual cortex.
        """
        grey, white = self.sample(self.atlas.grey, place), self.sample(self.atlas.white, place)
        fluid = np.clip(1 - grey - white, 0, 1)
        # Atrophy opens the sulci with age; the fields shift the borders of the cortex by one or two millimetres.
        atrophy = 0.012 * (self.age - 50) + 0.3 * generator.standard_normal()
        weights = {
            "grey": grey**2.5 * np.exp(0.35 * random_field(self.axes, 9, generator)[near]),
            "white": white**2.5,
            "fluid": fluid**2.5 * np.exp(atrophy + 0.55 * random_field(self.axes, 9, generator)[near]),
        }
        total = sum(weights.values()) + np.float32(1e-6)
        return {name: weight / total for name, weight in weights.items()}

    def sample(self, volume: np.ndarray, template_mm: np.ndarray, outside: float = 0.0) -> np.ndarray:
        """Interpolate a map of the atlas at template coordinates in mm, (3, N) to (N,)."""
        index = (template_mm - self.atlas.origin_mm[:, None].astype(np.float32)) / np.float32(VOXEL_MM)
        return ndimage.map_coordinates(volume, index, order=1, mode="constant", cval=outside)


def _rotation(angles: np.ndarray) -> np.ndarray:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [i for i in range(3) if i != axis]
        one = np.eye(3)
        one[a, a] = one[b, b] = np.cos(angle)
        one[a, b], one[b, a] = -np.sin(angle), np.sin(angle)
        turn = one @ turn
    return turn


def brain_mask(warp: Warp) -> np.ndarray:
    """Return the brain mask on the canvas, (X, Y, Z) bool; no lesion can change it."""
    grid = np.stack(np.meshgrid(*warp.axes, indexing="ij")).reshape(3, -1)
    moved = warp.inverse.astype(np.float32) @ (grid - warp.shift[:, None].astype(np.float32))
    moved += warp.atlas.centre_mm[:, None].astype(np.float32)
    for i in range(3):
        moved[i] += warp.displacement[i].ravel()
    shape = warp.displacement[0].shape
    return warp.sample(warp.atlas.brain, moved).reshape(shape) > 0.6


def brain_points(warp: Warp, brain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels of the brain and a margin of 4 mm, (X, Y, Z) bool, and their coordinates in mm, (3, N)."""
    near = ndimage.binary_dilation(brain, iterations=2)
    index = np.nonzero(near)
    return near, np.stack([axis[i] for axis, i in zip(warp.axes, index, strict=True)])


def build_anatomy(
    warp: Warp,
    brain: np.ndarray,
    generator: np.random.Generator,
    *,
    push_mm: np.ndarray | None = None,
) -> Anatomy:
    """Fill the brain with grey matter, white matter, fluid and choroid plexus.

    Args:
        warp: The person's transformation to the template.
        brain: Brain mask on the canvas.
        generator: Random generator of the individual cortex.
        push_mm: Displacement by a mass of the tissue that is now at each point, (3, N) mm.
    """
    near, points = brain_points(warp, brain)
    origin = points if push_mm is None else points - push_mm
    place = warp.to_template(origin, [d[near] for d in warp.displacement])
    fractions = warp.fill(place, near, generator)
    choroid = 0.8 * warp.sample(warp.atlas.choroid, place) * fractions["fluid"]
    fractions["choroid"] = choroid
    fractions["fluid"] = 1 - fractions["grey"] - fractions["white"] - choroid
    distance = warp.sample(warp.atlas.ventricle_distance_mm, place, outside=99.0)
    return Anatomy(warp.axes, brain, near, points, place, fractions, distance)
