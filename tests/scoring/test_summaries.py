"""Several summaries of one map: each equals its definition, and together they find what one of them misses."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brain_cae.scoring.scorer import Scorer
from brain_cae.scoring.signal import Signal
from brain_cae.scoring.smoothing import smooth_inside
from brain_cae.scoring.summaries import COMBINED, combined

SHAPE = (40, 36, 32)
PLACES = (np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2) / np.reshape(SHAPE, (3, 1, 1, 1))
MASK = (PLACES**2).sum(axis=0) < 0.2
SETTINGS = {
    "modalities": ["flair"], "sign": {"flair": "brighter"}, "percentile": 99.9, "frame": (20, 18, 16), "shrinkage": 8.0,
    "voxel_rate": 0.01, "statistic": "combined",
}  # fmt: skip


def smooth_noise(generator: np.random.Generator) -> np.ndarray:
    return gaussian_filter(generator.standard_normal(SHAPE), 1.5).astype(np.float32) * 8


@pytest.mark.parametrize(("spacing", "tolerance"), [((4.0, 4.0, 5.0), 1e-5), ((1.0, 1.0, 1.0), 0.1)])
def test_each_summary_is_a_percentile_of_the_map_or_of_the_smoothed_map(spacing, tolerance) -> None:
    volume = smooth_noise(np.random.default_rng(0))
    found = combined(volume[MASK], MASK, spacing)
    for number, (percentile, sigma) in zip(found, COMBINED, strict=True):
        smoothed = smooth_inside(volume[None], MASK, spacing, sigma)[0][MASK]
        # Voxels much smaller than the smoothing are not all evaluated.
        assert number == pytest.approx(np.percentile(smoothed, percentile), rel=tolerance)


def test_a_mask_of_one_slice_has_summaries() -> None:
    flat = np.zeros((6, 6, 9), bool)
    flat[:, :, 4] = True
    assert np.isfinite(combined(np.arange(36.0), flat, (1.0, 1.0, 1.0))).all()


def test_small_and_large_lesions_are_both_unusual() -> None:
    generator = np.random.default_rng(1)

    def brain(radius: float = 0.0, effect: float = 0.0) -> Signal:
        lesion = effect * ((PLACES**2).sum(axis=0) < radius**2)
        return Signal(np.where(MASK, smooth_noise(generator) + lesion, 0)[None].astype(np.float32), MASK, "a")

    healthy = [brain() for _ in range(25)]
    scorer = Scorer(**SETTINGS)
    framed = [one.framed(scorer.frame) for one in healthy]
    samples = [scorer.held_out(framed, [n]).sample(one, seed=[n]) for n, one in enumerate(healthy)]
    scorer.learn(framed)
    scorer.observe(samples)
    scorer.calibrate(samples)
    highest = scorer.calibration.scores.max()
    assert abs(scorer.calibration.scores).max() < 5  # in standard deviations of healthy brains
    for radius, effect in ((0.05, 9.0), (0.3, 1.6)):
        ill = brain(radius, effect)
        assert scorer.score(scorer.joint(ill), ill) > highest, (radius, effect)

    arrays, values = scorer.state()
    again = Scorer(**SETTINGS).restore(arrays, values)
    assert again.score(again.joint(ill), ill) == scorer.score(scorer.joint(ill), ill)
