"""The scanners of the phantom, with their settings for each modality."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from brain_cae.phantom.signal import Tissue, inversion_recovery, spin_echo, spoiled_gradient_echo

# Not the vocabulary's order: a modality's place here seeds its random numbers.
MODALITIES = ("flair", "t1", "t1ce", "t2")
Plane = Literal["axial", "sagittal", "coronal"]


@dataclass(frozen=True)
class SeriesProtocol:
    """Settings of one series.

    Args:
        plane: Plane of the slices.
        sequence: SE (spin echo), GRE (spoiled gradient echo) or IR (inversion recovery spin echo).
        dimensionality: 2D or 3D encoding.
        rows: Matrix rows of an average head.
        columns: Matrix columns of an average head.
        slices: Minimum and maximum number of slices; the actual number depends on the head's size.
        pixel_mm: Distance between rows and between columns in mm.
        thickness_mm: Thickness of a slice in mm.
        slice_step_mm: Distance between slice centres in mm.
        tr_ms: Repetition time in ms.
        te_ms: Echo time in ms.
        ti_ms: Inversion time in ms, only for IR.
        flip_angle_deg: Flip angle in degrees.
        snr: Signal of average white matter over the standard deviation of noise.
    """

    plane: Plane
    sequence: Literal["SE", "GRE", "IR"]
    dimensionality: Literal["2D", "3D"]
    rows: int
    columns: int
    slices: tuple[int, int]
    pixel_mm: float
    thickness_mm: float
    slice_step_mm: float
    tr_ms: float
    te_ms: float
    snr: float
    flip_angle_deg: float = 90.0
    ti_ms: float | None = None

    def signal(self, tissue: Tissue) -> float:
        """Return the signed signal of a tissue, before magnitude and noise."""
        if self.sequence == "SE":
            return spin_echo(tissue, tr_ms=self.tr_ms, te_ms=self.te_ms)
        if self.sequence == "GRE":
            return spoiled_gradient_echo(tissue, tr_ms=self.tr_ms, te_ms=self.te_ms, flip_angle_deg=self.flip_angle_deg)
        assert self.ti_ms is not None  # every IR series of the table has one
        return inversion_recovery(tissue, tr_ms=self.tr_ms, te_ms=self.te_ms, ti_ms=self.ti_ms)


@dataclass(frozen=True)
class Protocol:
    """One scanner with its settings for every modality.

    Args:
        name: Name in tables of the phantom; never written to a header.
        manufacturer: As in the DICOM header.
        model: As in the DICOM header (invented).
        field_t: Field strength in T.
        years: First and last year of use.
        bias: Standard deviation of the logarithm of the bias field.
        tilt_deg: Standard deviation of the tilt of axial stacks towards the skull base.
        numbering: How files and instances are numbered along the stack.
        rescale: Slope and intercept of the stored values.
        series: Settings by modality.
    """

    name: str
    manufacturer: str
    model: str
    field_t: float
    years: tuple[int, int]
    bias: float
    tilt_deg: float
    numbering: Literal["ascending", "descending", "shuffled"]
    rescale: tuple[float, float]
    series: MappingProxyType[str, SeriesProtocol]


def _protocol(flair: dict, t1: dict, t1ce: dict, t2: dict, **scanner: Any) -> Protocol:
    chosen = {"flair": flair, "t1": t1, "t1ce": t1ce, "t2": t2}
    return Protocol(series=MappingProxyType({k: SeriesProtocol(**v) for k, v in chosen.items()}), **scanner)


def _geometry(plane: Plane, rows: int, columns: int, slices: tuple[int, int], *mm: float) -> dict:
    pixel, thickness, step = mm
    size = {"rows": rows, "columns": columns, "slices": slices}
    return {"plane": plane, **size, "pixel_mm": pixel, "thickness_mm": thickness, "slice_step_mm": step}


def _spin_echo(tr: float, te: float, snr: float) -> dict:
    return {"sequence": "SE", "dimensionality": "2D", "tr_ms": tr, "te_ms": te, "snr": snr}


def _gradient_echo(tr: float, te: float, flip: float, snr: float) -> dict:
    return {"sequence": "GRE", "dimensionality": "3D", "tr_ms": tr, "te_ms": te, "flip_angle_deg": flip, "snr": snr}


def _inversion(tr: float, te: float, ti: float, snr: float, dimensionality: str = "2D") -> dict:
    return {"sequence": "IR", "dimensionality": dimensionality, "tr_ms": tr, "te_ms": te, "ti_ms": ti, "snr": snr}


PROTOCOLS = (
    _protocol(
        name="axial-3t", manufacturer="SIEMENS", model="Aurora 3", field_t=3.0, years=(2012, 2019),
        bias=0.10, tilt_deg=0.0, numbering="ascending", rescale=(1.0, 0.0),
        flair=_geometry("axial", 88, 72, (34, 38), 2.3, 4.0, 4.2) | _inversion(9000, 90, 2480, 38),
        t1=_geometry("sagittal", 72, 80, (56, 64), 2.5, 2.5, 2.5) | _gradient_echo(20, 4.6, 25, 40),
        t1ce=_geometry("sagittal", 72, 80, (56, 64), 2.5, 2.5, 2.5) | _gradient_echo(20, 4.6, 25, 40),
        t2=_geometry("axial", 96, 80, (34, 38), 2.1, 4.0, 4.2) | _spin_echo(4500, 95, 36),
    ),
    _protocol(
        name="axial-1.5t", manufacturer="GE MEDICAL SYSTEMS", model="Meridian 15", field_t=1.5, years=(2006, 2014),
        bias=0.05, tilt_deg=4.0, numbering="descending", rescale=(1.0, 0.0),
        flair=_geometry("axial", 80, 66, (25, 29), 2.5, 5.0, 5.7) | _inversion(8500, 120, 2420, 26),
        t1=_geometry("axial", 80, 66, (25, 29), 2.5, 5.0, 5.7) | _spin_echo(520, 12, 34),
        t1ce=_geometry("axial", 80, 66, (25, 29), 2.5, 5.0, 5.7) | _spin_echo(520, 12, 34),
        t2=_geometry("axial", 88, 72, (25, 29), 2.3, 5.0, 5.7) | _spin_echo(4000, 102, 28),
    ),
    _protocol(
        name="sagittal-3t", manufacturer="Philips Medical Systems", model="Solstice 3", field_t=3.0, years=(2014, 2021),
        bias=0.12, tilt_deg=0.0, numbering="shuffled", rescale=(1.37, 0.0),
        flair=_geometry("sagittal", 60, 74, (50, 56), 2.8, 2.8, 2.8) | _inversion(5500, 110, 1920, 32, "3D"),
        t1=_geometry("sagittal", 68, 78, (56, 62), 2.6, 2.6, 2.6) | _gradient_echo(25, 4.0, 30, 40),
        t1ce=_geometry("sagittal", 68, 78, (56, 62), 2.6, 2.6, 2.6) | _gradient_echo(25, 4.0, 30, 40),
        t2=_geometry("axial", 92, 76, (32, 36), 2.2, 4.0, 4.4) | _spin_echo(3500, 85, 36),
    ),
    _protocol(
        name="coronal-1.5t", manufacturer="SIEMENS", model="Borealis 15", field_t=1.5, years=(2004, 2012),
        bias=0.06, tilt_deg=0.0, numbering="ascending", rescale=(1.0, 0.0),
        flair=_geometry("coronal", 76, 70, (38, 43), 2.4, 4.5, 4.7) | _inversion(8000, 105, 2360, 28),
        t1=_geometry("axial", 84, 70, (27, 31), 2.4, 5.0, 5.3) | _spin_echo(600, 14, 34),
        t1ce=_geometry("coronal", 76, 70, (38, 43), 2.4, 4.5, 4.7) | _spin_echo(600, 14, 34),
        t2=_geometry("coronal", 76, 70, (38, 43), 2.4, 4.5, 4.7) | _spin_echo(4200, 110, 28),
    ),
)  # fmt: skip
"""Four scanners. Under full confounding, the first two scan healthy subjects and the last two scan tumours."""


def draw_protocol(label: int, confounding: float, generator: np.random.Generator) -> Protocol:
    """Draw a subject's protocol, independently of all other subjects.

    Args:
        label: 0 = healthy, 1 = tumour.
        confounding: Probability that the protocol comes from the label's half of the scanners instead of from all.
        generator: Random generator of the subject; three numbers are always drawn.
    """
    follows, of_half, any_of_all = generator.random(3)
    half = len(PROTOCOLS) // 2
    if follows < confounding:
        return PROTOCOLS[label * half + int(of_half * half)]
    return PROTOCOLS[int(any_of_all * len(PROTOCOLS))]
