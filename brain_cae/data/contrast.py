"""The contrast that an image shows and the one that its header implies, to find scans under a wrong name.

A wrong alarm is worse than a miss: whatever is not clearly one contrast gets no name. The margins were measured on 22
real scans and on the phantom. They hold for adults: before myelination, in the first year of life, grey matter is
brighter than white on T1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brain_cae.arrays.boxes import box_of
from brain_cae.vocabulary import MODALITIES

T1_WEIGHTED = ("t1", "t1ce")
"""They cannot always be told apart: healthy brain hardly enhances."""

WHITE_PROBABILITY, GREY_PROBABILITY, FLUID_PROBABILITY = 0.8, 0.8, 0.7
"""Voxels above these probabilities represent their tissue."""

MIN_VOXELS = 30
"""A median of fewer voxels is not trusted."""

BRIGHT_FLUID = 1.5
"""Fluid is brighter than this on T2, relative to white matter. Measured: 1.5 to 3.6 on T2, at most 1.01 elsewhere."""

LARGEST_VOXEL_MM = 10.0
"""In larger voxels, fluid and the tissue beside it are one: a FLAIR looks like a T1."""

DARK_FLUID = 0.85
"""Fluid is darker than this on T1 and, unless voxels are coarse, on FLAIR. Proton density lies between both limits."""

NULLED_FLUID, VISIBLE_FLUID = 0.15, 0.25
"""The darkest tenth of fluid: at most 0.16 on FLAIR, which suppresses it, up to 0.5 with coarse voxels; 0.20 to 0.6 on
T1."""

FORAMEN_CM2 = 12.0
"""Area of the largest foramen magnum, where brain and spinal cord meet."""

LAST_SLICE_CM2 = 6.0
"""Area of the last slice of a brain for each mm of its thickness, at most: of an ellipsoid of 176 x 140 x 130 mm."""

MASK_END_MM = 3.0
"""The mask of a brain that is cut may end a voxel or two before the edge of the field of view."""

T1_GREY, FLAIR_GREY, DARK_WHITE = 0.80, 0.90, 1.03
"""Grey matter relative to white: 0.68 to 0.98 on T1 with or without contrast agent, 0.88 to 1.28 on FLAIR."""


@dataclass(frozen=True)
class Contrast:
    """What an image shows.

    Args:
        name: ``t1``, ``t2`` or ``flair``; ``""`` if it cannot be told. ``t1`` also stands for t1ce.
        grey: Median of grey matter relative to white matter's; NaN if it cannot be measured.
        fluid: The same for fluid in the ventricles.
        darkest_fluid: The 10th percentile of that fluid: partial volume and a shifted brain hardly move it.
        evidence: One clause for a caution, without full stop.
    """

    name: str
    grey: float = math.nan
    fluid: float = math.nan
    darkest_fluid: float = math.nan
    evidence: str = "the tissues cannot be measured"


def looks_like(
    volume: np.ndarray, mask: np.ndarray, priors: dict[str, np.ndarray], *, voxel_mm: float = 0.0
) -> Contrast:
    """Return the contrast that an image shows.

    Args:
        volume: (X, Y, Z) intensities; air may have a constant value below 0.
        mask: (X, Y, Z) boolean, the brain.
        priors: ``grey``, ``white`` and ``fluid``, each (X, Y, Z), of :func:`brain_cae.data.template.tissue_priors`.
        voxel_mm: Longest side of a voxel of the scan from which these intensities were resampled.
    """
    if voxel_mm > LARGEST_VOXEL_MM:
        return Contrast("", evidence="voxels are too large to tell tissues apart")
    limits = {"white": WHITE_PROBABILITY, "grey": GREY_PROBABILITY, "fluid": FLUID_PROBABILITY}
    air = min(float(np.median(volume[~mask])), 0.0) if not mask.all() else 0.0
    values = {name: volume[mask & (priors[name] > limit)] - air for name, limit in limits.items()}
    if min(len(one) for one in values.values()) < MIN_VOXELS:
        return Contrast("")
    white = float(np.median(values["white"]))
    # Values standardised inside the brain have no zero that ratios could refer to.
    if white <= 0 or np.percentile(values["fluid"], 10) < 0:
        return Contrast("")
    grey, fluid = (float(np.median(values[name])) / white for name in ("grey", "fluid"))
    darkest = float(np.percentile(values["fluid"], 10)) / white
    name = _name(grey, fluid, darkest)
    return Contrast(name, grey, fluid, darkest, _evidence(name, grey, fluid))


def _name(grey: float, fluid: float, darkest_fluid: float) -> str:
    if fluid > BRIGHT_FLUID:
        return "t2" if grey > 1 else ""
    if fluid > DARK_FLUID:
        return ""
    if darkest_fluid < NULLED_FLUID and grey > FLAIR_GREY:
        return "flair"
    if darkest_fluid < VISIBLE_FLUID and grey > DARK_WHITE:
        return "flair"
    if grey < T1_GREY or (grey < 1 and darkest_fluid > VISIBLE_FLUID):
        return "t1"
    return ""


def _evidence(name: str, grey: float, fluid: float) -> str:
    if fluid > max(grey, 1):
        fluid_is = "fluid is brighter than grey and white matter"
    elif fluid < min(grey, 1):
        fluid_is = "fluid is darker than grey and white matter"
    else:
        fluid_is = "fluid is as bright as grey and white matter"
    if abs(grey - 1) < 0.05:
        white_is = "white matter is about as bright as grey"
    else:
        white_is = f"white matter is {'brighter' if grey < 1 else 'darker'} than grey"
    article = {"t1": ", as in a T1", "t2": ", as in a T2", "flair": ", as in a FLAIR"}.get(name, "")
    return f"{fluid_is} ({fluid:.2f} of white) and {white_is} ({grey:.2f}){article}"


def header_contrast(
    repetition_time_ms: float,
    echo_time_ms: float,
    inversion_time_ms: float,
    sequence: str,
    contrast_agent: bool = False,
) -> str:
    """Return the contrast that the times of a sequence imply, or ``""`` if they do not settle it.

    Args:
        repetition_time_ms: TR; NaN if unknown, as for the other times.
        echo_time_ms: TE, the effective one of an echo train.
        inversion_time_ms: TI; NaN also means no inversion.
        sequence: SE, GRE, IR or unknown, as in the index.
        contrast_agent: Whether the header names a contrast agent; makes a T1 ``t1ce``.
    """
    tr, te, ti = repetition_time_ms, echo_time_ms, inversion_time_ms
    weighted = "t1ce" if contrast_agent else "t1"
    if math.isnan(te):
        return ""
    if not math.isnan(ti):
        if 1500 <= ti <= 3000 and te > 60:
            return "flair"
        return weighted if 600 <= ti <= 1300 and te < 30 else ""
    if sequence == "IR":
        return ""  # an inversion of unknown time
    if te > 60 and tr > 2000 and sequence != "GRE":
        return "t2"
    # Gradient echoes of 15 ms and more are weighted by T2*, as in susceptibility imaging.
    return weighted if te < (15 if sequence == "GRE" else 30) and tr < 1000 else ""


def compatible(named: str, seen: str) -> bool:
    """Return whether a scan may have this name; ``t1`` and ``t1ce`` are compatible, and ``""`` with everything."""
    if named not in MODALITIES or seen not in MODALITIES:
        return True
    return named == seen or {named, seen} == set(T1_WEIGHTED)


def coverage_mm(mask: np.ndarray, affine: np.ndarray) -> float:
    """Return how many mm a foreground reaches from inferior to superior, 0 if it is empty.

    Args:
        mask: (X, Y, Z) boolean.
        affine: (4, 4), voxel to RAS+ mm; for oblique slices, the reach of the foreground itself counts.
    """
    if not mask.any():
        return 0.0
    height = affine[2, :3]
    along = int(np.abs(height).argmax())
    columns = np.moveaxis(mask, along, 2)
    across, filled = np.delete(height, along), columns.any(axis=2)
    base = (np.argwhere(filled) * across).sum(axis=1)
    first = columns.argmax(axis=2)[filled]
    last = columns.shape[2] - 1 - columns[:, :, ::-1].argmax(axis=2)[filled]
    ends = np.concatenate([base + height[along] * first, base + height[along] * last])
    return float(np.ptp(ends) + abs(height[along]))


def cut_cm2(brain: np.ndarray, covered: np.ndarray, spacing: Sequence[float]) -> float:
    """Return the area in which the edge of a scan's field of view cuts a brain, in cm²; 0 if it may show all of it.

    The brain leaves the skull through the foramen magnum, and its last slices have an area even if nothing follows:
    less than both together is not a cut.

    Args:
        brain: (X, Y, Z) boolean.
        covered: (X, Y, Z) boolean, the field of view of the scan.
        spacing: Voxel size in mm.
    """
    largest = 0.0
    # Slices that count as near the edge, by axis; all the rest happens around the brain.
    reach = [max(1, round(MASK_END_MM / thickness)) for thickness in spacing]
    around = [slice(max(0, side.start - far), side.stop + far) for side, far in zip(box_of(brain), reach, strict=True)]
    brain, covered = brain[tuple(around)], covered[tuple(around)]
    for axis, (thickness, steps) in enumerate(zip(spacing, reach, strict=True)):
        inside, field = (np.moveaxis(array, axis, 0) for array in (brain & covered, covered))
        least = FORAMEN_CM2 + LAST_SLICE_CM2 * steps * thickness
        for along in (slice(None), slice(None, None, -1)):
            beyond = np.pad(~field[along], [(0, steps), (0, 0), (0, 0)], constant_values=True)
            near = np.any([beyond[step : step + len(field)] for step in range(1, steps + 1)], axis=0)
            columns = (inside[along] & near).any(axis=0)
            area = float(columns.sum() * np.prod(spacing) / thickness / 100)
            largest = max(largest, area if area > least else 0.0)
    return largest
