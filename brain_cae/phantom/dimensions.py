"""Dimensions that vary between subjects as in a multi-centre data set such as RSNA-MICCAI."""

from dataclasses import replace

import numpy as np

from brain_cae.phantom.protocol import SeriesProtocol

MATRIX = {1.0: 0.6, 0.75: 0.2, 1.3: 0.2}
"""Factors of rows and columns with their probabilities."""

SLICES = {
    "2D": {8: 0.4, 10: 0.3, 14: 0.2, 24: 0.1},
    "3D": {56: 0.4, 40: 0.2, 80: 0.2, 130: 0.2},
}
"""Numbers of slices with their probabilities. Like the phantom's matrices, they are a third of a clinical scan's (24 to
72 slices in 2D, 120 to 390 in 3D)."""


def vary_dimensions(series: SeriesProtocol, generator: np.random.Generator) -> SeriesProtocol:
    """Draw matrix and number of slices of one series; plane, field of view, contrast and noise do not change.

    The slices cover the same length as the protocol's largest number of slices, so the slice distance follows from the
    number. The ratio of thickness to distance is kept.

    Args:
        series: The scanner's settings.
        generator: Random generator of this series only.
    """
    matrix = float(generator.choice(list(MATRIX), p=list(MATRIX.values())))
    number = SLICES[series.dimensionality]
    count = int(generator.choice(list(number), p=list(number.values())))
    step = round(series.slice_step_mm * series.slices[1] / count, 3)
    return replace(
        series,
        rows=2 * round(series.rows * matrix / 2),
        columns=2 * round(series.columns * matrix / 2),
        pixel_mm=round(series.pixel_mm / matrix, 3),
        slices=(count, count),
        slice_step_mm=step,
        thickness_mm=round(series.thickness_mm / series.slice_step_mm * step, 3),
    )
