"""Bias fields are found and removed, and anatomy stays."""

import numpy as np
from scipy import ndimage

from brain_cae.data.bias import without_bias

SHAPE, SPACING = (30, 36, 24), (4.0, 4.0, 5.0)


def brain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a brain of two tissues, its mask, and a bias field of ±30 %."""
    x, y, z = (np.linspace(-1, 1, size)[tuple(np.newaxis if i != a else slice(None) for i in range(3))]
               for a, size in enumerate(SHAPE))  # fmt: skip
    mask = x**2 + y**2 + z**2 < 0.8
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1.5)
    volume = np.where(mask, np.where(blobs > 0, 400.0, 280.0), 0).astype(np.float32)
    return volume, mask, 1 + 0.3 * (0.7 * x - 0.5 * y + 0.4 * z)


def test_a_bias_field_is_removed_and_tissues_stay_apart() -> None:
    volume, mask, field = brain()
    corrected = without_bias((volume * field).astype(np.float32), mask, SPACING)
    for tissue in (400, 280):
        inside = volume == tissue
        before = (volume * field)[inside].std() / tissue
        after = corrected[inside].std() / corrected[inside].mean()
        assert before > 0.1 and after < 0.35 * before
    ratio = corrected[volume == 400].mean() / corrected[volume == 280].mean()
    assert abs(ratio - 400 / 280) < 0.03
    assert not corrected[~mask].any()


def test_a_lesion_keeps_its_contrast() -> None:
    volume, mask, field = brain()
    lesion = np.zeros(SHAPE, bool)
    lesion[16:21, 15:20, 10:14] = True
    volume[lesion] *= 1.8
    corrected = without_bias((volume * field).astype(np.float32), mask, SPACING)
    plain = without_bias((np.where(lesion, volume / 1.8, volume) * field).astype(np.float32), mask, SPACING)
    assert corrected[lesion].mean() / plain[lesion].mean() > 1.6


def test_the_same_volume_gives_the_same_bytes_and_an_empty_one_is_left_alone() -> None:
    volume, mask, field = brain()
    biased = (volume * field).astype(np.float32)
    assert without_bias(biased, mask, SPACING).tobytes() == without_bias(biased, mask, SPACING).tobytes()
    assert without_bias(biased, np.zeros(SHAPE, bool), SPACING) is biased
