"""Age-related white-matter hyperintensities: periventricular caps and bands, and spots in the deep white matter.

Healthy brains have them too (de Leeuw et al. 2001, JNNP 70:9); because of them, plain FLAIR thresholding fails.
"""

import numpy as np
from scipy.special import expit

from brain_cae.phantom.anatomy import Anatomy


def add_hyperintensities(anatomy: Anatomy, age: int, generator: np.random.Generator) -> None:
    """Turn part of the white matter into the tissue ``hyperintensity``, in place."""
    load = float(np.exp(0.045 * (age - 54) + 0.9 * generator.standard_normal()))
    strength = generator.uniform(0.6, 1.1)
    white = anatomy.fractions["white"]
    # Caps sit at the anterior and posterior horns (y of the template in mm); the band between them is thinner.
    y = anatomy.template_mm[1]
    caps = 0.55 + np.exp(-(((y - 28) / 12) ** 2)) + np.exp(-(((y + 48) / 14) ** 2))
    width = min(1.0 + 1.3 * load, 9.0) * caps * (1 + 0.35 * anatomy.field(10, generator))
    extent = expit(width - anatomy.ventricle_distance_mm)
    extent *= strength
    spots = min(int(generator.poisson(2.5 * load)), 60)
    deep = np.flatnonzero((white > 0.9) & (anatomy.ventricle_distance_mm > 6))
    if deep.size:
        for centre in generator.choice(deep, spots):
            radius = np.clip(np.exp(0.85 + 0.45 * generator.standard_normal()), 1.5, 9.0)
            stretch = np.exp(0.25 * generator.standard_normal((3, 1)))
            squared = (((anatomy.points - anatomy.points[:, centre, None]) / (radius * stretch)) ** 2).sum(0)
            spot = np.exp(-(squared**1.5)) * strength * generator.uniform(0.6, 1.1)
            extent = np.maximum(extent, spot)
    replaced = white * np.clip(extent, 0, 1)
    anatomy.fractions["white"] = white - replaced
    anatomy.fractions["hyperintensity"] = replaced
