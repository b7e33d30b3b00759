import gzip

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from brain_cae.data import masks
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


def tumour(size=48):
    """Labels 1, 2 and 4 in shells, as in BraTS: core, oedema and enhancing rim."""
    grid = np.stack(np.meshgrid(*[np.arange(size) - size / 2] * 3, indexing="ij"))
    return np.select([(grid**2).sum(axis=0) < radius**2 for radius in (6, 10, 16)], [1, 4, 2], 0).astype(float)


@pytest.mark.parametrize("rounding", [np.rint, np.floor])
def test_labels_that_were_scaled_to_a_byte_are_all_marked(rounding):
    """Written as floats into a file of bytes, 1 of 4 becomes 64 of 255, and is read as 1.004."""
    labels = tumour()
    marked, cut = marked_voxels(rounding(labels / 4 * 255) * (4 / 255))
    assert np.array_equal(marked, labels > 0) and not cut


def test_labels_in_a_file_of_bytes_with_a_slope_are_all_marked(tmp_path):
    image = nibabel.Nifti1Image(tumour(), np.eye(4))
    image.header.set_data_dtype(np.uint8)
    nibabel.save(image, tmp_path / "mask.nii.gz")
    assert nibabel.load(tmp_path / "mask.nii.gz").dataobj.slope == pytest.approx(4 / 255)
    mask = read_mask(tmp_path / "mask.nii.gz", "lesion mask")
    assert np.array_equal(mask.marked > 0, tumour() > 0) and not mask.cut


def test_several_labels_that_were_interpolated_are_cut_at_half_of_the_lowest():
    """Half of the highest label would lose two of three."""
    labels = tumour()
    moved = ndimage.shift(labels, (0.3, 0.2, 0.4), order=1)
    marked, cut = marked_voxels(moved)
    assert cut and (labels > 0).sum() < marked.sum() < 1.1 * (labels > 0).sum()
    # Of one label, the half of it is the edge.
    marked, cut = marked_voxels(ndimage.shift(4.0 * (labels > 0), (0.3, 0.2, 0.4), order=1))
    assert cut and marked.sum() == pytest.approx((labels > 0).sum(), rel=0.01)


def test_labels_below_0_alone_mark_nothing_and_are_reported(tmp_path, truth):
    for stored, negative in ((-truth.astype(np.int8), True), (0 * truth.astype(np.int8), False)):
        nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), tmp_path / "mask.nii")
        mask = read_mask(tmp_path / "mask.nii", "lesion mask")
        assert not mask.marked.any() and mask.negative == negative


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
    assert reason_of(path) == "unreadable lesion mask: not NIfTI"
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.stack([truth, ~truth], axis=-1).astype(np.uint8), np.eye(4)), path)
    assert reason_of(path) == "unreadable lesion mask: not three-dimensional: 2 volumes"


def reason_of(path):
    with pytest.raises(ScanError) as raised:
        read_mask(path, "lesion mask")
    assert str(path) in str(raised.value) and "Save the mask again" in str(raised.value)
    return raised.value.reason


def saved(path, truth, **fields):
    """Write a mask, with fields of its header replaced by what nibabel would not write."""
    image = nibabel.Nifti1Image(truth.astype(np.uint8), np.eye(4))
    image.set_sform(np.eye(4), int(fields.pop("sform_code", 1)))
    image.set_qform(np.eye(4), 1)
    nibabel.save(image, path)
    content = bytearray(path.read_bytes())
    for name, value in fields.items():
        kind, offset = nibabel.Nifti1Header.template_dtype.fields[name][:2]
        content[offset : offset + kind.itemsize] = np.array(value, kind.base).tobytes()
    path.write_bytes(content)
    return path


ODD = {
    "no intercept": {"scl_slope": 1, "scl_inter": np.nan},
    "start within the header": {"vox_offset": 348},
    "no start": {"vox_offset": np.nan},
    "a fourth axis of no voxel": {"dim": [4, 24, 24, 24, 0, 1, 1, 1]},
    "a quaternion longer than 1": {"sform_code": 0, "quatern_d": 1.0005},
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_headers_of_masks_are_read_as_those_of_scans(tmp_path, truth, kind):
    mask = read_mask(saved(tmp_path / "mask.nii", truth, **ODD[kind]), "lesion mask")
    assert np.array_equal(mask.marked, truth)


def test_the_content_of_a_mask_tells_whether_it_is_compressed(tmp_path, truth):
    plain = saved(tmp_path / "a.nii", truth)
    (tmp_path / "b.nii").write_bytes(gzip.compress(plain.read_bytes()))
    plain.rename(tmp_path / "c.nii.gz")
    for name in ("b.nii", "c.nii.gz"):
        assert np.array_equal(read_mask(tmp_path / name, "lesion mask").marked, truth)


def test_a_mask_of_one_slice_is_read(tmp_path, truth):
    mask = read_mask(saved(tmp_path / "mask.nii", truth[:, :, 12:13]), "lesion mask")
    assert np.array_equal(mask.marked, truth[:, :, 12:13])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"datatype": 9999}, "unsupported data type: code 9999"),
        ({"datatype": 1, "bitpix": 1}, "unsupported data type: binary"),
        ({"dim": [0, 24, 24, 24, 1, 1, 1, 1]}, "unusable dimensions: 24 x 24 x 24 x 1 x 1 x 1 x 1"),
        ({"sform_code": 0, "qform_code": 0}, "no orientation"),
        ({"quatern_d": 1.0, "pixdim": [-1, 1, 1, 1, 0, 0, 0, 0]}, "contradictory orientation"),
    ],
)
def test_a_header_that_cannot_be_used_is_named_as_that_of_the_mask(tmp_path, truth, fields, reason):
    path = saved(tmp_path / "mask.nii", truth, **fields)
    assert reason_of(path) == f"unreadable lesion mask: {reason}"


def test_any_other_error_in_a_mask_is_named(tmp_path, truth, monkeypatch):
    path = saved(tmp_path / "mask.nii", truth)
    monkeypatch.setattr(masks, "read_values", lambda path: 1 / 0)
    assert reason_of(path) == "unreadable lesion mask: cannot be read (ZeroDivisionError)"
