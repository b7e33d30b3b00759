"""From tissue to pixels: signed signal mixing, slice profile, sampling on the protocol's grid, bias, noise."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from brain_cae.arrays.boxes import box_of
from brain_cae.phantom.anatomy import VOXEL_MM, Anatomy
from brain_cae.phantom.protocol import Plane, Protocol, SeriesProtocol
from brain_cae.phantom.signal import Tissue

# Directions (RAS+) of increasing column, row and slice index.
_DIRECTIONS: dict[Plane, list[list[int]]] = {
    "axial": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "sagittal": [[0, -1, 0], [0, 0, -1], [1, 0, 0]],
    "coronal": [[-1, 0, 0], [0, 0, -1], [0, -1, 0]],
}


@dataclass(frozen=True)
class Grid:
    """The pixel grid of a series.

    Args:
        shape: Slices, rows, columns.
        affine: (4, 4) from (column, row, slice) to RAS+ mm.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    def points(self) -> np.ndarray:
        """Return the coordinates of all pixels in mm, (3, slices, rows, columns)."""
        s, r, c = np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij")
        flat = self.affine[:3, :3] @ np.stack([c.ravel(), r.ravel(), s.ravel()]) + self.affine[:3, 3:]
        return flat.reshape(3, *self.shape)


def place_grid(
    series: SeriesProtocol, brain: np.ndarray, anatomy: Anatomy, tilt_deg: float, generator: np.random.Generator
) -> Grid:
    """Return a grid that covers the brain: as many slices as needed, slightly off centre, tilted by ``tilt_deg``."""
    directions = np.array(_DIRECTIONS[series.plane], dtype=float)
    angle = np.deg2rad(tilt_deg)
    tilt = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    directions = directions @ tilt.T
    inside = list(zip(anatomy.axes, box_of(brain), strict=True))
    low = np.array([axis[side.start] for axis, side in inside])
    high = np.array([axis[side.stop - 1] for axis, side in inside])
    along = int(np.abs(directions[2]).argmax())
    needed = int(np.ceil((high[along] - low[along] + 4) / series.slice_step_mm))
    slices = int(np.clip(needed, *series.slices))
    # Some operators save time on narrow heads with a smaller field of view along columns.
    columns = series.columns - 4 * int(generator.random() < 0.25)
    centre = (low + high) / 2 + generator.uniform(-1.5, 1.5, 3)
    steps = np.array([series.pixel_mm, series.pixel_mm, series.slice_step_mm])
    affine = np.eye(4)
    affine[:3, :3] = (directions * steps[:, None]).T
    middle = (np.array([columns, series.rows, slices]) - 1) / 2
    affine[:3, 3] = centre - affine[:3, :3] @ middle
    return Grid((slices, series.rows, columns), affine)


def sample_canvas(canvas: np.ndarray, anatomy: Anatomy, grid: Grid) -> np.ndarray:
    """Interpolate a canvas (X, Y, Z) linearly at the pixels of a grid, (slices, rows, columns); 0 beyond the canvas."""
    start = np.array([axis[0] for axis in anatomy.axes])
    order = np.abs(grid.affine[:3, :3]).argmax(0)  # canvas axes of columns, rows and slices
    if np.count_nonzero(np.abs(grid.affine[:3, :3]) > 1e-9) == 3:
        # Grids without tilt need one small matrix per axis, a tenth of the time of the general case.
        weights = []
        for i, (size, along) in enumerate(zip(grid.shape[::-1], order, strict=True)):
            place = grid.affine[along, 3] + grid.affine[along, i] * np.arange(size)
            index = (place - start[along]) / VOXEL_MM
            weights.append(np.clip(1 - np.abs(index[:, None] - np.arange(canvas.shape[along])), 0, None))
        turned = canvas.transpose(order)
        for weight in weights:  # each step moves the finished axis to the end: columns, rows, slices
            turned = np.tensordot(turned, weight.astype(np.float32), (0, 1))
        return np.ascontiguousarray(turned.transpose(2, 1, 0))
    index = ((grid.points() - start.reshape(3, 1, 1, 1)) / VOXEL_MM).astype(np.float32)
    return ndimage.map_coordinates(canvas, index, order=1, mode="constant")


def blur(canvas: np.ndarray, series: SeriesProtocol) -> np.ndarray:
    """Apply the slice profile and the in-plane point spread: Gaussians of the slice's and the pixel's width."""
    width = np.full(3, series.pixel_mm * 0.85)
    width[int(np.abs(_DIRECTIONS[series.plane][2]).argmax())] = series.thickness_mm
    # The canvas itself is already sampled at 2 mm.
    sigma = np.sqrt(np.clip((width / 2.355) ** 2 - 0.3, 0.05, None)) / VOXEL_MM
    return ndimage.gaussian_filter(canvas, sigma, mode="constant", truncate=3.0)


def acquire(
    anatomy: Anatomy,
    tissues: dict[str, Tissue],
    reference: Tissue,
    protocol: Protocol,
    series: SeriesProtocol,
    grid: Grid,
    generator: np.random.Generator,
    *,
    mask: np.ndarray | None,
) -> np.ndarray:
    """Return the stored pixels of one series, (slices, rows, columns) uint16.

    Args:
        anatomy: Tissue fractions of the person.
        tissues: The person's tissues, with contrast agent if it was given.
        reference: Average white matter of the field; noise and receiver gain depend on it, never on the image.
        protocol: The scanner.
        series: The settings of the series.
        grid: The pixel grid.
        generator: Random generator of bias field, gain and noise.
        mask: Pixels to keep if the skull is stripped; None keeps all.
    """
    mixed = sum(fraction * np.float32(series.signal(tissues[name])) for name, fraction in anatomy.fractions.items())
    # The coil's sensitivity weighs the tissue itself, before the slice averages it.
    weighted = np.asarray(mixed) * np.exp(protocol.bias * anatomy.field(90, generator))
    signed = sample_canvas(blur(anatomy.onto_canvas(weighted), series), anatomy, grid)
    white = abs(series.signal(reference))
    sigma = white / (series.snr * np.exp(0.15 * generator.standard_normal()))
    real, imaginary = generator.standard_normal((2, *grid.shape), dtype=np.float32) * np.float32(sigma)
    magnitude = np.hypot(signed + real, imaginary)
    gain = 300 * np.exp(0.25 * generator.standard_normal()) / white
    stored = np.rint(magnitude * gain / protocol.rescale[0])
    if mask is not None:
        stored = np.where(mask, np.maximum(stored, 1), 0)
    return np.clip(stored, 0, 4095).astype(np.uint16)
