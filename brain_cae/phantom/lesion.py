"""Glioma: oedema that infiltrates white matter, an enhancing rim, a necrotic core, and mass effect."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.special import expit

from brain_cae.phantom.anatomy import Anatomy
from brain_cae.phantom.field import Axes

VOLUME_ML = (4.0, 200.0)
"""Smallest and largest nominal volume of gliomas of any size; those of BraTS have 2 to 350 ml."""


@dataclass(frozen=True)
class Lesion:
    """Size, contrast and appearance of one glioma.

    Args:
        centre_mm: Middle of the tumour in scanner coordinates (RAS+ mm).
        core_mm: Radius of the core (rim and necrosis).
        oedema_mm: How far oedema reaches beyond the core.
        rim_mm: Thickness of the rim.
        oedema_strength: From 0 to 1, how much of the infiltrated tissue is oedema.
        core_strength: From 0 to 1, how much of the core is tumour.
        enhancement_mm: Concentration of gadolinium in the rim in mmol/l; 0 for a tumour that does not enhance.
        push_mm: Displacement at the border of the core.
        turn: Axes of the ellipsoid including their lengths, (3, 3).
    """

    centre_mm: np.ndarray
    core_mm: float
    oedema_mm: float
    rim_mm: float
    oedema_strength: float
    core_strength: float
    enhancement_mm: float
    push_mm: float
    turn: np.ndarray


def draw_lesion(anatomy: Anatomy, generator: np.random.Generator) -> Lesion:
    """Draw a glioma with its centre in cerebral white matter; small and faint ones included."""
    template = anatomy.template_mm
    deep = np.flatnonzero((anatomy.fractions["white"] > 0.6) & (template[2] > -22) & (np.abs(template[0]) > 10))
    centre = anatomy.points[:, generator.choice(deep)]
    enhances = generator.random() < 0.75
    # One factor for both: small tumours have little oedema. BraTS tumours have 2 to 350 ml.
    size = np.exp(0.45 * generator.standard_normal())
    core = float(np.clip(11.0 * size * np.exp(0.35 * generator.standard_normal()), 2.5, 28.0))
    oedema = float(np.clip(11.0 * size * np.exp(0.5 * generator.standard_normal()), 1.5, 30.0))
    rim_part = generator.uniform(0.25, 1.0)
    turn, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    stretch = np.exp(0.18 * generator.standard_normal(3))
    return Lesion(
        centre_mm=centre.astype(np.float64),
        core_mm=core,
        oedema_mm=oedema,
        rim_mm=max(core * rim_part, 2.0) if enhances else core,
        oedema_strength=float(1 - 0.8 * generator.random() ** 1.7),
        core_strength=float(generator.uniform(0.75, 1.0)),
        enhancement_mm=float(generator.uniform(0.15, 1.0)) * enhances,
        push_mm=float(core * generator.uniform(0.05, 0.45)),
        turn=turn * stretch,
    )


def draw_any_lesion(anatomy: Anatomy, generator: np.random.Generator) -> Lesion:
    """Draw a glioma of a nominal volume from ``VOLUME_ML``, each doubling as likely as the next, and often a faint one.

    The nominal volume is that of the ellipsoid that oedema reaches in white matter; grey matter and skull leave less.
    """
    volume_ml = float(np.exp(generator.uniform(*np.log(VOLUME_ML))))
    radius = (3000 * volume_ml / (4 * np.pi)) ** (1 / 3)
    core = radius * float(generator.uniform(0.3, 0.7))
    rim = max(core * float(generator.uniform(0.25, 1.0)), 2.0)
    lesion = draw_lesion(anatomy, generator)
    return replace(
        lesion,
        core_mm=core,
        oedema_mm=radius - core,
        rim_mm=rim if lesion.enhancement_mm else core,
        oedema_strength=float(generator.uniform(0.2, 1.0)),
        core_strength=float(generator.uniform(0.5, 1.0)),
        push_mm=core * float(generator.uniform(0.05, 0.45)),
    )


def mass_effect(lesion: Lesion, points: np.ndarray, depth_mm: np.ndarray) -> np.ndarray:
    """Return the displacement away from the core of the tissue that is now at each point, (3, N) mm.

    It is largest at the border of the core and decreases with distance; it is 0 at the brain's surface, which is fixed
    by the skull.

    Args:
        lesion: The glioma.
        points: Coordinates in mm, (3, N).
        depth_mm: Distance of each point from the brain's surface, (N,).
    """
    away = points - lesion.centre_mm[:, None].astype(np.float32)
    distance = np.sqrt((away**2).sum(0)) + 1e-3
    reach = distance / lesion.core_mm
    size = lesion.push_mm * np.where(reach < 1, reach, np.exp(-(reach - 1) / 2.5)) * np.clip(depth_mm / 15, 0, 1)
    return (away / distance * size).astype(np.float32)


def add_lesion(anatomy: Anatomy, lesion: Lesion, generator: np.random.Generator) -> np.ndarray:
    """Add the glioma to the brain, in place.

    Returns:
        Fraction of the whole tumour (oedema, rim and necrosis) at each point, (N,).
    """
    fractions = anatomy.fractions
    away = anatomy.points - lesion.centre_mm[:, None].astype(np.float32)
    distance = np.sqrt(((lesion.turn.T.astype(np.float32) @ away) ** 2).sum(0))
    rough = 0.22 * anatomy.field(14, generator) + 0.12 * anatomy.field(7, generator)
    fluid = fractions["fluid"] + fractions["choroid"]
    parenchyma = np.clip(1 - fluid, 0, 1)

    core_edge = lesion.core_mm * np.clip(1 + rough, 0.4, 1.8)
    core = _inside(core_edge - distance, 0.9) * parenchyma
    necrosis = core * _inside(core_edge - lesion.rim_mm - distance, 0.7)
    # Oedema follows white matter: grey matter reduces its reach, and long waves make fingers.
    fingers = 0.35 * anatomy.field(20, generator) + 0.2 * anatomy.field(10, generator)
    reach = lesion.core_mm + lesion.oedema_mm * np.clip(1 + fingers, 0.1, 2.2)
    oedema = _inside(reach - distance - 9.0 * fractions["grey"], 1.4) * parenchyma * (1 - core / (parenchyma + 1e-6))

    tumour_rim = (core - necrosis) * lesion.core_strength
    tumour_necrosis = necrosis * lesion.core_strength
    # Water content falls from the core outwards.
    swelling = oedema * lesion.oedema_strength * np.clip(1.15 - 0.4 * distance / reach, 0, 1)
    taken = np.clip(tumour_rim + tumour_necrosis + swelling, 0, 1)
    share = 1 - taken / (parenchyma + 1e-6)
    for name in ("grey", "white", "hyperintensity"):
        fractions[name] = fractions[name] * np.clip(share, 0, 1)
    fractions |= {"oedema": swelling, "rim": tumour_rim, "necrosis": tumour_necrosis}
    return np.clip(core + oedema, 0, 1)


def _inside(level_mm: np.ndarray, softness_mm: float) -> np.ndarray:
    return expit(level_mm / softness_mm)


def surface_depth(brain: np.ndarray, axes: Axes) -> np.ndarray:
    """Return the distance to the brain's surface in mm on the canvas, (X, Y, Z), 0 outside."""
    return ndimage.distance_transform_edt(brain, sampling=float(axes[0][1] - axes[0][0])).astype(np.float32)
