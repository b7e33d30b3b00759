import nibabel
import numpy as np
import pytest
from scipy import ndimage

from brain_cae.errors import ScanError
from brain_cae.scans.nifti import read_nifti
from brain_cae.scans.overflow import check_overflow


@pytest.fixture
def brain():
    """A brain of 0.35 to 0.7 with a lesion in its middle of 0.9 to 1, in a background of 0."""
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in (24, 28, 20)], indexing="ij"))
    radius = np.sqrt((axes**2).sum(axis=0))
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=radius.shape), 2)
    tissue = np.clip(0.55 + 1.5 * texture, 0.35, 0.7)
    return np.where(radius < 0.8, np.where(radius < 0.25, 0.9 + radius / 3, tissue), 0)


def has_overflowed(stored):
    try:
        check_overflow(stored, where="scan.nii")
    except ScanError as error:
        return error.reason == "unsigned values read as signed"
    return False


def as_signed(brain, brightest):
    return (brain * brightest).astype(np.uint16).view(np.int16)


@pytest.mark.parametrize("brightest", [34000, 40000, 60000])
def test_bright_voxels_that_became_negative_are_found(brain, brightest):
    assert has_overflowed(as_signed(brain, brightest))


def test_numbers_that_fit_have_not_overflowed(brain):
    assert not has_overflowed(as_signed(brain, 32767))
    assert not has_overflowed((brain * 60000).astype(np.uint16))


def test_intensities_that_are_shifted_have_not_overflowed(brain):
    """The whole range of 16 bits in use, with the background at its lowest value, or z-scores times 10 000."""
    whole = (brain / brain.max() * 65535 - 32768).astype(np.int16)
    centred = np.where(brain > 0, (brain - 0.55) * 65535, 0).astype(np.int16)
    assert whole.min() == -32768 and whole.max() == 32767 and centred.min() < 0
    assert not has_overflowed(whole) and not has_overflowed(centred)


@pytest.mark.parametrize("slope, intercept", [(1, 0), (0.25, 0), (0.5, 100)])
def test_a_scan_with_overflow_is_refused_whatever_its_scaling(brain, tmp_path, slope, intercept):
    image = nibabel.Nifti1Image(as_signed(brain, 40000), np.diag([8.0, 8, 8, 1]))
    image.header.set_slope_inter(slope, intercept)
    image.to_filename(tmp_path / "flair.nii.gz")
    with pytest.raises(ScanError, match="unsigned numbers") as raised:
        read_nifti(tmp_path / "flair.nii.gz")
    assert raised.value.reason == "unsigned values read as signed"
