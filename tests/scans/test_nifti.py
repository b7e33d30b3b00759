"""NIfTI files, whole and damaged."""

import gzip

import nibabel
import numpy as np
import pytest

from brain_cae.errors import ScanError
from brain_cae.scans.nifti import read_nifti

AFFINE = np.array([[-1.5, 0, 0, 10], [0, 0, 4.0, 20], [0, -2.0, 0, -30], [0, 0, 0, 1]])


def save(path, array, affine=AFFINE):
    nibabel.Nifti1Image(array, affine).to_filename(path)
    return path


def noise(shape=(5, 6, 7), kind=np.float32):
    return np.random.default_rng(0).normal(100, 20, shape).astype(kind)


def reason_of(path):
    with pytest.raises(ScanError) as raised:
        read_nifti(path)
    assert str(path) in str(raised.value)
    return raised.value.reason


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_keeps_voxels_axes_and_affine(tmp_path, name):
    array = noise()
    volume = read_nifti(save(tmp_path / name, array))
    assert np.array_equal(volume.array, array)
    assert np.array_equal(volume.affine, AFFINE)
    assert volume.acquisition == {
        "columns": 5, "rows": 6, "slices": 7, "spacing_column_mm": 1.5, "spacing_row_mm": 2.0,
        "spacing_slice_mm": 4.0, "orientation": "coronal",
    }  # fmt: skip


def test_integers_are_kept_as_int16(tmp_path):
    assert read_nifti(save(tmp_path / "a.nii", noise(kind=np.uint8))).array.dtype == np.int16


def test_a_single_fourth_axis_is_dropped(tmp_path):
    array = noise((5, 6, 7, 1))
    assert np.array_equal(read_nifti(save(tmp_path / "a.nii", array)).array, array[..., 0])


def test_time_series_are_refused(tmp_path):
    assert reason_of(save(tmp_path / "a.nii", noise((5, 6, 7, 3)))) == "not three-dimensional"


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_cut_file_is_truncated(tmp_path, share):
    for name in ("a.nii", "a.nii.gz"):
        path = save(tmp_path / name, noise())
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert reason_of(path) == "truncated file"


def test_a_damaged_stream_is_truncated(tmp_path):
    path = tmp_path / "a.nii.gz"
    save(path, noise())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert reason_of(path) == "truncated file"


def test_other_files_are_not_nifti(tmp_path):
    for name, content in {
        "a.nii": b"text " * 100,
        "b.nii.gz": gzip.compress(b"text " * 100),
        "c.nii.gz": b"text",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert reason_of(tmp_path / name) == "not NIfTI"


@pytest.mark.parametrize(("value", "where"), [(np.nan, np.s_[:]), (np.nan, np.s_[2, 3, 4]), (np.inf, np.s_[0, 0])])
def test_nan_and_infinity_are_refused(tmp_path, value, where):
    array = noise()
    array[where] = value
    assert reason_of(save(tmp_path / "a.nii", array)) == "non-finite"


def test_a_constant_volume_is_refused(tmp_path):
    assert reason_of(save(tmp_path / "a.nii", np.full((4, 4, 4), 3.0, np.float32))) == "constant volume"


def test_a_header_without_orientation_is_refused(tmp_path):
    image = nibabel.Nifti1Image(noise(), None)
    image.to_filename(tmp_path / "a.nii")
    assert reason_of(tmp_path / "a.nii") == "no orientation"


def test_an_axis_without_length_is_refused(tmp_path):
    image = nibabel.Nifti1Image(noise(), None)
    image.set_sform(np.diag([1.0, 0.0, 1.0, 1.0]), code=1)
    image.to_filename(tmp_path / "a.nii")
    assert reason_of(tmp_path / "a.nii") == "unusable affine"


def test_forms_that_swap_left_and_right_are_refused_and_forms_that_differ_are_not(tmp_path):
    image = nibabel.Nifti1Image(noise(), AFFINE)
    for name, other in {"swapped": np.diag([-1, 1, 1, 1]) @ AFFINE, "moved": AFFINE + np.diag([0.1, 0, 0], 1)}.items():
        image.set_sform(AFFINE, 1)
        image.set_qform(other, 1)
        image.to_filename(tmp_path / f"{name}.nii")
    assert reason_of(tmp_path / "swapped.nii") == "contradictory orientation"
    assert np.allclose(read_nifti(tmp_path / "moved.nii").affine, AFFINE)


def test_a_wrong_ending_for_compression_is_named(tmp_path):
    content = save(tmp_path / "a.nii", noise()).read_bytes()
    (tmp_path / "plain.nii.gz").write_bytes(content)
    (tmp_path / "packed.nii").write_bytes(gzip.compress(content))
    for name, text in {"plain.nii.gz": "not compressed", "packed.nii": "name it .nii.gz"}.items():
        with pytest.raises(ScanError, match=text):
            read_nifti(tmp_path / name)
