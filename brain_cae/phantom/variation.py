"""People whose brains differ at every scale, as those of real heads do (``anatomy=varied``).

The template's tissue probabilities say how often a place holds a tissue among 152 people, so each person is one draw
from them: a field of unit variance, correlated over a few millimetres, picks fluid, grey or white matter at every
place, in this order, so that grey matter always lies between the other two and sulci, gyri and ribbon arise. Averaged
over people, the template comes back. The scales of the fields and the other numbers were set by the spread of real
heads alone, see docs/phantom.md.
"""

from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from brain_cae.phantom.anatomy import Warp, load_atlas
from brain_cae.phantom.field import random_field

FOLDING = {4.0: 0.8, 9.0: 0.6}
"""Standard deviation of the folding field by the distance of its lattice in mm; the squares sum to 1."""

WARP_MM = {18.0: 1.0, 9.0: 0.8}
"""Standard deviation in mm of the finer displacements, by the distance of their lattice in mm."""

EDGE = 0.25
"""Width of the border between two tissues in units of the folding field: partial volume within 2 mm."""

MYELIN = 0.06
"""Scale of the share of white matter that is as wet as grey matter, over regions of 4 cm: half of it has none."""

LEAST = 1e-4
"""Probabilities below this count as this."""


@cache
def load_quantiles() -> tuple[np.ndarray, np.ndarray]:
    """Return the folding field's values below which a place is fluid, and above which it is white, (X, Y, Z) each."""
    atlas = load_atlas()
    fluid = np.clip(1 - atlas.grey - atlas.white, LEAST, 1 - LEAST)
    white = np.clip(atlas.white, LEAST, 1 - LEAST)
    # A border of some width flattens the normal distribution; the factor restores the template as the average.
    factor = np.sqrt(1 + EDGE**2)
    return (ndtri(fluid) * factor).astype(np.float32), (ndtri(1 - white) * factor).astype(np.float32)


class VariedWarp(Warp):
    """A person who differs from the template by folding, sulci, ventricles, asymmetry and myelin as well.

    Args:
        age: Years.
        sex: F or M.
        generator: Random generator of what :class:`Warp` draws.
        variation: Random generator of the rest.
        margin_mm: Margin of the canvas around the brain.
    """

    def __init__(
        self,
        age: int,
        sex: str,
        generator: np.random.Generator,
        variation: np.random.Generator,
        *,
        margin_mm: float = 4.0,
    ) -> None:
        super().__init__(age, sex, generator, margin_mm=margin_mm)
        for lattice_mm, size in WARP_MM.items():
            for i in range(3):
                self.displacement[i] += size * random_field(self.axes, lattice_mm, variation)
        # Wider sulci and a thinner ribbon of grey matter, in units of the folding field.
        self.sulci = float(np.clip(0.012 * (age - 56) + 0.35 * variation.standard_normal(), -0.7, 0.7))
        self.ribbon = float(0.15 * variation.standard_normal())
        self.sides = float(np.clip(0.25 * variation.standard_normal(), -0.6, 0.6))
        self.horns = float(np.clip(0.25 * variation.standard_normal(), -0.6, 0.6))
        self.ventricle_growth = float(np.clip(self.ventricle_growth + 30 * variation.standard_normal(), -25, 130))

    def growth(self, template_mm: np.ndarray) -> np.ndarray:
        """Return the growth of the ventricles, (N,): it differs between left and right, front and back."""
        side = self.sides * np.tanh(template_mm[0] / 10) + self.horns * np.tanh((template_mm[1] + 10) / 25)
        return np.float32(self.ventricle_growth) * (1 + side)

    def fill(self, place: np.ndarray, near: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the person's fraction of grey matter, white matter and fluid at the points, name to (N,)."""
        fields = [size * random_field(self.axes, mm, generator) for mm, size in FOLDING.items()]
        fold = np.stack(fields).sum(axis=0)[near]
        # Beyond the template is fluid.
        below, above = (self.sample(quantile, place, outside=4.0) for quantile in load_quantiles())
        below += np.float32(self.sulci)
        above = np.maximum(above + np.float32(self.ribbon), below)
        fluid, white = ndtr((below - fold) / np.float32(EDGE)), ndtr((fold - above) / np.float32(EDGE))
        white *= 1 - np.clip(MYELIN * random_field(self.axes, 40, generator)[near], 0, 0.3)
        return {"grey": 1 - fluid - white, "white": white, "fluid": fluid}
