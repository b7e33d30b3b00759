import nibabel
import numpy as np
import pytest
from scipy import ndimage

from brain_cae.data.masks import marked_voxels, read_mask
from brain_cae.errors import ScanError


@pytest.fixture
def truth():
    grid = np.stack(np.meshgrid(*[np.arange(24) - 11.5] * 3, indexing="ij"))
    return (grid**2).sum(axis=0) < 8**2


LABELS = {
    "0 and 255": lambda truth: (truth * 255).astype(np.uint8),
    "a byte scaled by 1/255": lambda truth: truth * 255 * float(np.float32(1 / 255)),
    "-1 and 1": lambda truth: np.where(truth, 1, -1).astype(np.int8),
    "six labels": lambda truth: np.where(truth, 1 + np.arange(24) % 6, 0).astype(np.float32),
    "0.999": lambda truth: truth * np.float32(0.999),
    "noise of 1e-9": lambda truth: np.where(truth, 1.0, 1e-9),
    "NaN and infinity outside": lambda truth: np.where(truth, 1.0, np.where(np.arange(24) % 2, np.nan, np.inf)),
    "1 of 255 as a fraction": lambda truth: truth / 255,
}


@pytest.mark.parametrize("kind", LABELS)
def test_hard_masks_are_whole(truth, kind):
    marked, cut = marked_voxels(LABELS[kind](truth))
    assert np.array_equal(marked, truth) and not cut


@pytest.mark.parametrize("scale", [1, 0.6, 100, 255])
def test_soft_masks_are_cut_at_the_half_and_reported(truth, scale):
    soft = ndimage.gaussian_filter(truth.astype(float), 1.5)
    stored = np.rint(soft * scale).astype(np.uint8) if scale > 1 else soft * scale
    marked, cut = marked_voxels(stored)
    assert cut and (marked != (soft > 0.5)).sum() < 0.01 * truth.sum()
    assert (stored > 0).sum() > 1.5 * truth.sum()


def test_a_segmentation_up_to_255_is_not_a_grey_scale(truth):
    """FreeSurfer's segmentation of subcortical structures ends at 255 and has about 45 labels."""
    labels = np.where(truth, 2 + 5 * (np.arange(24) % 20), 0)
    labels[truth.nonzero()[0][0], 12, 12] = 255
    assert np.array_equal(marked_voxels(labels)[0], truth)


@pytest.mark.parametrize("values", [np.zeros((2, 2, 2)), np.full((2, 2, 2), np.nan), -np.ones((2, 2, 2))])
def test_a_mask_without_a_value_above_0_is_empty(values):
    marked, cut = marked_voxels(values)
    assert not marked.any() and not cut


def test_a_mask_in_another_format_or_of_several_volumes_is_refused(tmp_path, truth):
    path = tmp_path / "mask.mgz"
    nibabel.save(nibabel.MGHImage(truth.astype(np.uint8), np.eye(4)), path)
    with pytest.raises(ScanError, match="MGHImage"):
        read_mask(path)
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.stack([truth, ~truth], axis=-1).astype(np.uint8), np.eye(4)), path)
    with pytest.raises(ScanError, match="unreadable mask"):
        read_mask(path)
