"""Tissue parameters at 1.5 T and 3 T and the signal equations of spin echo, spoiled gradient echo, inversion recovery.

Healthy tissue: T1 and T2 within the published ranges of Wansapura et al. 1999 (JMRI 9:531), Stanisz et al. 2005
(MRM 54:507) and Bojorquez et al. 2017 (MRI 35:69); T1 of fluid hardly depends on field strength (Rooney et al. 2007,
MRM 57:308); proton densities relative to water after Tofts 2003 (Quantitative MRI of the Brain). Lesions: choices
between oedema and free water that give the usual radiological appearance.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """Relaxation times in ms and proton density relative to water."""

    t1_ms: float
    t2_ms: float
    density: float

    def enhanced(self, concentration_mm: float, field_t: float) -> "Tissue":
        """Shorten T1 and T2 by gadolinium: 1/T = 1/T0 + r * concentration (mmol/l).

        Relaxivities of a standard agent in plasma at 37 °C (Rohrer et al. 2005, Invest Radiol 40:715).
        """
        r1, r2 = (4.1, 4.6) if field_t < 2 else (3.7, 5.2)  # 1/s per mmol/l
        return replace(
            self,
            t1_ms=1 / (1 / self.t1_ms + r1 * concentration_mm / 1000),
            t2_ms=1 / (1 / self.t2_ms + r2 * concentration_mm / 1000),
        )


TISSUES = MappingProxyType(
    {
        1.5: {
            "white": Tissue(650, 75, 0.70),
            "grey": Tissue(1050, 98, 0.82),
            "fluid": Tissue(4300, 2000, 1.00),
            "hyperintensity": Tissue(1050, 155, 0.84),
            "oedema": Tissue(1150, 195, 0.88),
            "rim": Tissue(1150, 150, 0.87),
            "necrosis": Tissue(2300, 330, 0.94),
            "choroid": Tissue(1600, 180, 0.90),
            "skull": Tissue(500, 1, 0.15),
            "scalp": Tissue(290, 80, 0.90),
        },
        3.0: {
            "white": Tissue(850, 72, 0.70),
            "grey": Tissue(1400, 95, 0.82),
            "fluid": Tissue(4300, 1900, 1.00),
            "hyperintensity": Tissue(1350, 145, 0.84),
            "oedema": Tissue(1450, 185, 0.88),
            "rim": Tissue(1450, 140, 0.87),
            "necrosis": Tissue(2600, 300, 0.94),
            "choroid": Tissue(1900, 160, 0.90),
            "skull": Tissue(600, 1, 0.15),
            "scalp": Tissue(370, 70, 0.90),
        },
    }
)


def spin_echo(tissue: Tissue, *, tr_ms: float, te_ms: float) -> float:
    """Signal of a spin echo: PD (1 - 2 exp(-(TR - TE/2)/T1) + exp(-TR/T1)) exp(-TE/T2)."""
    recovery = 1 - 2 * np.exp(-(tr_ms - te_ms / 2) / tissue.t1_ms) + np.exp(-tr_ms / tissue.t1_ms)
    return float(tissue.density * recovery * np.exp(-te_ms / tissue.t2_ms))


def spoiled_gradient_echo(tissue: Tissue, *, tr_ms: float, te_ms: float, flip_angle_deg: float) -> float:
    """Signal of a spoiled gradient echo: PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*), with T2* = 0.7 T2."""
    angle = np.deg2rad(flip_angle_deg)
    e1 = np.exp(-tr_ms / tissue.t1_ms)
    steady_state = np.sin(angle) * (1 - e1) / (1 - np.cos(angle) * e1)
    return float(tissue.density * steady_state * np.exp(-te_ms / (0.7 * tissue.t2_ms)))


def inversion_recovery(tissue: Tissue, *, tr_ms: float, te_ms: float, ti_ms: float) -> float:
    """Signed signal of inversion recovery with a long echo train: PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)."""
    recovery = 1 - 2 * np.exp(-ti_ms / tissue.t1_ms) + np.exp(-tr_ms / tissue.t1_ms)
    return float(tissue.density * recovery * np.exp(-te_ms / tissue.t2_ms))


def individual_tissues(field_t: float, generator: np.random.Generator) -> dict[str, Tissue]:
    """Return the tissues of one person: T1 and T2 vary by about 3 % (fluid 1.5 %), proton density by 1.5 %."""
    tissues = {}
    for name, tissue in TISSUES[field_t].items():
        spread = 0.015 if name == "fluid" else 0.03
        t1, t2, density = np.exp(generator.standard_normal(3) * (spread, spread, 0.015))
        # Water is the reference of proton density: fluid stays 1.
        tissues[name] = Tissue(tissue.t1_ms * t1, tissue.t2_ms * t2, min(tissue.density * density, 1.0))
    return tissues
