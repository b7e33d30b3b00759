import numpy as np
import pytest
from scipy import ndimage

from brain_cae.data.foreground import foreground_mask, intensity_scale, skull_state, without_air
from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_series
from brain_cae.scans.nifti import read_nifti


def ball(size=32, radius=10):
    grid = np.stack(np.meshgrid(*[np.arange(size) - size / 2] * 3, indexing="ij"))
    return (grid**2).sum(axis=0) < radius**2


@pytest.mark.parametrize("background", [0.0, -3.5])
def test_a_stripped_brain_is_what_is_not_background(background):
    truth = ball()
    volume = np.where(truth, 100.0, background)
    volume[16, 16, 16] = background  # a hole
    assert np.array_equal(foreground_mask(volume, np.eye(4)), truth)


def test_a_stripped_brain_without_its_mean_is_whole():
    truth = ball()
    values = np.random.default_rng(0).normal(0, 1, truth.shape)
    assert np.array_equal(foreground_mask(np.where(truth, values, 0), np.eye(4)), truth)


@pytest.mark.parametrize("rim", ["smoothed", "splines"])
def test_the_rim_around_a_smoothed_or_interpolated_brain_is_background(rim):
    """Splines leave weak waves, of which whole numbers keep the strongest."""
    truth = ball(64, 25)
    brain = np.where(truth, np.random.default_rng(0).normal(100, 20, truth.shape).clip(40, 160), 0)
    smooth = ndimage.gaussian_filter(brain, 0.5)
    volume = smooth if rim == "smoothed" else ndimage.shift(smooth * truth, (0.4, 0.4, 0.3), order=3).round()
    differs = volume != 0
    assert differs.sum() > 1.2 * truth.sum()
    assert foreground_mask(volume, np.eye(4)).sum() < 1.15 * truth.sum()


def test_dark_fluid_at_the_edge_of_a_stripped_brain_is_no_rim():
    truth = ball(48, 17)
    volume = np.where(ball(48, 16), 100.0, np.where(truth, 3.0, 0.0))
    assert np.array_equal(foreground_mask(volume, np.eye(4)), truth)


def dice(one, two):
    return 2 * (one & two).sum() / (one.sum() + two.sum())


def head(contrast, *, noise=4.0, frame=0):
    """Simulate a noisy head with 4 mm voxels, cut off at the neck, and its true mask.

    ``contrast``: intensities of scalp, bone, brain and fluid; ``frame``: width in voxels of zero padding on each side.
    """
    shape = (56, 64, 56)
    x, y, z = np.indices(shape) - np.reshape([27.5, 31.5, 20], (3, 1, 1, 1))
    radius = np.sqrt((x / 19) ** 2 + (y / 23) ** 2 + (np.clip(z, 0, None) / 22) ** 2)
    volume = np.zeros(shape)
    for limit, value in zip((1.0, 0.93, 0.85, 0.3), contrast, strict=True):
        volume[radius < limit] = value
    generator = np.random.default_rng(0)
    volume = np.hypot(volume + generator.normal(0, noise, shape), generator.normal(0, noise, shape))
    return np.pad(volume, frame), np.pad(radius < 1, frame)


CONTRASTS = {
    "T1": (160, 8, 100, 25),
    "T2": (60, 5, 80, 250),
    "FLAIR": (110, 8, 100, 10),
    "FLAIR, fat suppressed": (35, 8, 100, 10),
}


@pytest.mark.parametrize("frame", [0, 12])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_a_head_in_noise_is_segmented_with_holes_filled(contrast, frame):
    volume, truth = head(CONTRASTS[contrast], frame=frame)
    assert dice(foreground_mask(volume, np.diag([4, 4, 4, 1])), truth) > 0.96


@pytest.mark.parametrize("stripped", [False, True])
def test_single_voxels_far_brighter_than_tissue_do_not_change_the_mask(stripped):
    """As where a bias field, or a ratio of two images, is nearly 0."""
    volume, truth = head(CONTRASTS["T1"])
    volume = np.where(truth, volume, 0) if stripped else volume
    hot = volume.copy()
    hot[28, 32, 30:33] *= 1e6
    assert dice(foreground_mask(hot, np.diag([4, 4, 4, 1])), foreground_mask(volume, np.diag([4, 4, 4, 1]))) > 0.99


def test_strong_noise_does_not_add_air_to_the_mask():
    volume, truth = head(CONTRASTS["T1"], noise=9.0)
    assert dice(foreground_mask(volume, np.diag([4, 4, 4, 1])), truth) > 0.95


def test_a_stripped_brain_with_much_dark_fluid_keeps_its_fluid():
    truth = ball(40, 16)
    volume = np.where(truth, 100.0, 0.0)
    volume[ball(40, 9)] = 3.0  # a quarter of the brain: large ventricles on FLAIR
    assert np.array_equal(foreground_mask(volume, np.eye(4)), truth)


def litres(mask, affine):
    return mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1e6


def test_real_heads_with_a_skull(real_data):
    for path in sorted((real_data / "nifti" / "nichart-demo").rglob("*.nii.gz")):
        volume = read_nifti(path)
        mask = foreground_mask(volume.array, volume.affine)
        # A whole head in the field of view of a brain scan; air would add several litres, a brain alone has 1.3.
        assert 2.5 < litres(mask, volume.affine) < 5.5, path.name
        middle = tuple(slice(size // 3, 2 * size // 3) for size in mask.shape)
        assert mask[middle].mean() > 0.97, path.name


@pytest.mark.parametrize("name", ["ge-signa-pd", "siemens-xa30-enhanced-t1"])
def test_real_heads_from_dicom(real_data, name):
    volume = read_series(sorted((real_data / "dicom" / name).iterdir()))
    assert 2.5 < litres(foreground_mask(volume.array, volume.affine), volume.affine) < 5.5


def test_real_stripped_brains(real_data):
    folder = real_data / "nifti" / "brats2013-pat0005"
    truth = read_nifti(folder / "brainmask.nii.gz").array > 0
    for name in ("Flair_subtrMeanDivStd.nii.gz", "T1c_subtrMeanDivStd.nii.gz"):
        volume = read_nifti(folder / name)
        assert dice(foreground_mask(volume.array, volume.affine), truth) > 0.99
    for path in sorted((real_data / "nifti" / "stroke-triplet").glob("[FT]*.nii.gz")):
        volume = read_nifti(path)
        assert 1.0 < litres(foreground_mask(volume.array, volume.affine), volume.affine) < 1.2


def test_a_scan_with_background_only_is_refused():
    with pytest.raises(ScanError, match="empty mask"):
        foreground_mask(np.zeros((8, 8, 8)), np.eye(4))


@pytest.mark.parametrize("method", ["median", "white_matter"])
def test_a_tumour_does_not_move_the_scale(method):
    generator = np.random.default_rng(0)
    healthy = np.concatenate([generator.normal(60, 4, 3000), generator.normal(100, 4, 6000)])
    tumour = np.concatenate([healthy, generator.normal(220, 10, 900)])
    plain, changed = intensity_scale(healthy, method), intensity_scale(tumour, method)
    assert abs(changed / plain - 1) < 0.02
    assert np.percentile(tumour, 99) / np.percentile(healthy, 99) > 1.9


def test_a_scale_that_is_not_positive_is_refused():
    with pytest.raises(ScanError, match="no positive intensity scale"):
        intensity_scale(np.zeros(10), "median")


@pytest.mark.parametrize("method", ["median", "white_matter"])
@pytest.mark.parametrize("middle", [-0.2, 0.0, 0.2])
def test_intensities_around_their_mean_have_no_scale_and_a_few_below_zero_do_no_harm(method, middle):
    rng = np.random.default_rng(0)
    tissue = np.concatenate([rng.normal(80, 5, 4000), rng.normal(110, 5, 6000), rng.normal(2, 3, 1500)])
    assert intensity_scale(tissue, method) == pytest.approx(intensity_scale(np.maximum(tissue, 0), method), rel=0.05)
    with pytest.raises(ScanError, match="no positive intensity scale"):
        intensity_scale((tissue - np.median(tissue)) / tissue.std() + middle, method)


@pytest.mark.parametrize(
    ("millilitres", "state"), [(1050, "stripped"), (1750, "stripped"), (2100, "unknown"), (2750, "on"), (4800, "on")]
)
def test_the_size_of_the_foreground_tells_a_brain_from_a_head(millilitres, state):
    assert skull_state(millilitres, shortest_mm=130, constant=True) == state


def test_a_small_foreground_in_noise_or_of_a_slab_may_be_part_of_a_head():
    assert skull_state(1300, shortest_mm=130, constant=False) == "unknown"
    assert skull_state(450, shortest_mm=20, constant=True) == "unknown"


def test_a_scan_without_air_is_named():
    """The uniform image of an MP2RAGE has noise as bright as tissue around the head."""
    covered, head = np.ones((2, 10, 10, 10), bool)
    head[:2] = False
    assert without_air((head, covered), (head, covered)) == ""
    assert "MP2RAGE" in without_air((head, covered), (covered, covered))
