"""Smooth random fields: cubic B-splines on a lattice of independent normal coefficients."""

import numpy as np

HALF_BOX_MM = 140.0
# Mean over positions of the squared cubic B-spline weights, once per axis; dividing by it gives unit variance.
_VARIANCE_PER_AXIS = 0.479

Axes = tuple[np.ndarray, np.ndarray, np.ndarray]


def _basis(positions_mm: np.ndarray, lattice_mm: float) -> np.ndarray:
    nodes = int(np.ceil(2 * HALF_BOX_MM / lattice_mm)) + 4
    scaled = (positions_mm + HALF_BOX_MM) / lattice_mm + 1
    distance = np.abs(scaled[:, None] - np.arange(nodes)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def random_field(axes: Axes, lattice_mm: float, generator: np.random.Generator) -> np.ndarray:
    """Draw a smooth random field of about zero mean and unit variance.

    Args:
        axes: Positions of the grid points along x, y and z in mm, each within ±140 mm.
        lattice_mm: Distance between lattice nodes; the field varies at this scale.
        generator: Random generator of the coefficients; their number does not depend on the grid.

    Returns:
        Array (X, Y, Z) of float32.
    """
    bases = [_basis(axis, lattice_mm) for axis in axes]
    nodes = bases[0].shape[1]
    field = generator.standard_normal((nodes, nodes, nodes), dtype=np.float32)
    field = np.tensordot(bases[0], field, (1, 0))
    field = np.tensordot(field, bases[1], (1, 1))
    field = np.tensordot(field, bases[2], (1, 1))
    return field / np.float32(_VARIANCE_PER_AXIS**1.5)
