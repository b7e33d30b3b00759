import numpy as np
import pytest
from scipy import ndimage

from brain_cae.scans.padding import without_padding


@pytest.fixture
def brain():
    """A stripped brain of 35 to 180 in a background of 0, a third of the volume."""
    shape = (24, 28, 20)
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
    inside = (axes**2).sum(axis=0) < 0.7
    return np.where(inside, np.random.default_rng(0).uniform(35, 180, shape), 0).astype(np.float32)


@pytest.fixture
def head(brain):
    """The same brain in a noisy head: air of 0 to 20 of its own."""
    return np.where(brain > 0, brain, np.random.default_rng(1).uniform(0, 20, brain.shape)).astype(np.float32)


def framed(volume, value, width=3):
    inner = (slice(width, -width),) * 3
    frame = np.full(volume.shape, value, volume.dtype)
    frame[inner] = volume[inner]
    return frame


@pytest.mark.parametrize("value", [-100, -1024, -2000, -32768, np.nan])
def test_padding_around_a_brain_becomes_its_background(brain, value):
    assert np.array_equal(without_padding(np.where(brain == 0, np.float32(value), brain)), brain)


@pytest.mark.parametrize("value", [-1, -1024, -32768, np.nan])
@pytest.mark.parametrize("scale", [1, 30])
def test_padding_around_a_head_becomes_air(head, value, scale):
    padded = framed(head * scale, value)
    filled = without_padding(padded)
    outside = padded != head * scale
    assert np.array_equal(filled[~outside], padded[~outside])
    assert np.ptp(filled[outside]) == 0 and 0 <= filled[outside][0] <= scale


def test_padding_outside_a_scan_with_shifted_intensities_becomes_its_air(head):
    filled = without_padding(framed(head - 500, -3000))
    assert filled[0, 0, 0] == filled.min() and -500 <= filled.min() < -499


@pytest.mark.parametrize("shift", [-20, -500, -5000, 1000])
def test_shifted_intensities_are_not_padding(brain, head, shift):
    for volume in (brain + shift, head + shift, (brain - 90) / 45):
        assert np.array_equal(without_padding(volume), volume)


@pytest.mark.parametrize("value", [60, 2000, 32767])
def test_declared_padding_becomes_background_however_bright_it_is(brain, value):
    """Tissue of the same value stays."""
    padded = np.where(brain == 0, value, brain).astype(np.int16)
    expected = brain.astype(np.int16)
    assert (expected == 60).sum() > 10
    assert np.array_equal(without_padding(padded), padded)
    # Along the border of the brain, a voxel of tissue may touch the padding.
    differ = without_padding(padded, padded == value) != expected
    assert np.all(expected[differ] == value) and differ.sum() < 0.01 * (expected > 0).sum()


def test_declared_padding_outside_a_head_becomes_its_air(head):
    for shift in (0, 500):
        padded = framed(head + shift, 4095)
        filled = without_padding(padded, padded == 4095)
        assert np.array_equal(filled[padded != 4095], padded[padded != 4095])
        assert shift <= filled[0, 0, 0] < shift + 1


def test_saturated_tissue_is_not_padding(head):
    """Of 12 bits 4095 is the highest value; if no border shows it, it is not padding, whatever the header says."""
    bright = np.minimum(head * 30, 4095)
    assert (bright == 4095).sum() > 50
    assert without_padding(bright, bright == 4095) is bright
    padded = framed(bright, 4095, 1)
    filled = without_padding(padded, padded == 4095)
    assert np.array_equal(filled[1:-1, 1:-1, 1:-1], bright[1:-1, 1:-1, 1:-1])
    assert filled[0].max() == filled[:, 0].max() == filled[0, 0, 0] == bright[1:-1, 1:-1, 1:-1].min()


def test_declared_padding_that_is_the_background_already_stays(brain):
    for shift in (0, 1000):
        volume = brain + shift
        assert without_padding(volume, volume == shift) is volume


def test_integers_stay_integers_and_several_paddings_are_removed(brain):
    stored = framed(framed(brain.astype(np.int16), -1024, 4), -32768, 2)
    filled = without_padding(stored)
    assert filled.dtype == np.int16 and filled.min() == 0 and filled[3, 3, 3] == filled[0, 0, 0] == 0


def test_values_missing_inside_the_image_or_infinite_are_left_to_be_refused(head):
    column = head.copy()
    column[11:13, 13:15] = np.nan  # from top to bottom
    assert without_padding(column) is column
    head[12, 14, 10] = np.nan
    assert np.isnan(without_padding(head)[12, 14, 10])
    head[12, 14, 10], head[0, 0, 0] = 50, np.inf
    assert np.isinf(without_padding(head)[0, 0, 0])


def test_nan_in_place_of_every_0_of_a_stripped_brain_is_its_background(brain):
    """Also where single voxels within the brain are 0, as in dark fluid; more of them are damage."""
    few, many = brain.copy(), brain.copy()
    few[12, 14, 8:12] = 0
    many[10:14, 12:16, 8:12] = 0
    assert np.array_equal(without_padding(np.where(few == 0, np.nan, few)), few)
    assert np.isnan(without_padding(np.where(many == 0, np.nan, many))).any()


@pytest.mark.parametrize("shape_of", ["brain", "head"])
def test_a_frame_of_0_around_z_scores_becomes_their_background(shape_of, request):
    """As programs pad that crop all scans to one shape. Around a brain of which the mean was subtracted, 0 may stay."""
    volume = request.getfixturevalue(shape_of)
    scores = (volume - volume.mean()) / volume.std()
    filled = without_padding(np.pad(scores, 5))
    assert np.array_equal(filled[5:-5, 5:-5, 5:-5], scores)
    assert np.ptp(filled[:5]) == 0 and filled[0, 0, 0] == pytest.approx(np.median(scores[0]), abs=0.05)
    centred = np.pad(np.where(volume > 30, scores, 0), 5).astype(np.float32)
    assert np.array_equal(without_padding(centred), centred)


def test_a_frame_of_0_around_values_of_0_and_above_or_waves_of_splines_stays(brain, head):
    for volume in (np.pad(head, 5), np.pad(brain + 20, 5), np.pad(brain, 5)):
        assert without_padding(volume) is volume
    waves = ndimage.shift(np.pad(brain, 5), (0.4, 0.3, 0.4), order=3)
    assert waves.min() < -1 and np.array_equal(without_padding(waves), waves)
