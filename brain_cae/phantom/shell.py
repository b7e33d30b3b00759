"""Skull and scalp around the brain, for scans that were not stripped."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from brain_cae.phantom.anatomy import VOXEL_MM, Anatomy

SHELL_MM = 18.0


def add_shell(anatomy: Anatomy, tumour: np.ndarray, generator: np.random.Generator) -> tuple[Anatomy, np.ndarray]:
    """Return the anatomy with fluid, skull and scalp around the brain, and the tumour's fractions at its points.

    Args:
        anatomy: The brain.
        tumour: Fraction of the tumour at each point, (N,).
        generator: Random generator of the shell's thickness.
    """
    outside = ndimage.distance_transform_edt(~anatomy.brain, sampling=VOXEL_MM)
    skull_from = 2.0 + 0.6 * generator.standard_normal() * 0.5
    skull = 6.0 * np.exp(0.12 * generator.standard_normal())
    scalp = 5.0 * np.exp(0.2 * generator.standard_normal())
    near = outside < skull_from + skull + scalp
    depth = outside[near]
    scalp_part = _step(depth - skull_from - skull)
    skull_part = _step(depth - skull_from) * (1 - scalp_part)
    brain_part = 1 - scalp_part - skull_part
    inner = {name: anatomy.onto_canvas(values)[near] * brain_part for name, values in anatomy.fractions.items()}
    rest = brain_part - sum(inner.values())
    inner["fluid"] = inner["fluid"] + np.clip(rest, 0, 1)
    fractions = {name: v.astype(np.float32) for name, v in (inner | {"skull": skull_part, "scalp": scalp_part}).items()}
    index = np.nonzero(near)
    points = np.stack([axis[i] for axis, i in zip(anatomy.axes, index, strict=True)])
    shell = replace(anatomy, near=near, points=points, fractions=fractions)
    return shell, anatomy.onto_canvas(tumour)[near]


def _step(distance_mm: np.ndarray) -> np.ndarray:
    return np.clip(distance_mm / VOXEL_MM + 0.5, 0, 1)
