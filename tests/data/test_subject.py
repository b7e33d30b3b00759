import nibabel
import numpy as np
import pytest

from brain_cae.data.subject import cropped, to_source_space


@pytest.fixture
def on_disk(make_subject, tmp_path):
    """A subject whose arrays lie in files, and the same in memory."""
    subject = make_subject()
    np.save(tmp_path / "volume.npy", subject.volume.astype(np.float16))
    np.save(tmp_path / "mask.npy", subject.mask)
    stored = make_subject()
    vars(stored).update(volume=tmp_path / "volume.npy", mask=tmp_path / "mask.npy")
    return stored, subject


def test_arrays_on_disk_are_read_when_asked_for_and_not_kept(on_disk):
    stored, subject = on_disk
    assert stored.volume.dtype == np.float32 and stored.lesion is None
    np.testing.assert_allclose(stored.volume, subject.volume, rtol=5e-4)
    assert stored.volume is not stored.volume
    assert stored.grid == subject.grid and stored.foreground_ml == subject.foreground_ml
    assert not stored.has_lesion


def test_other_intensities_leave_the_rest_as_it_is(on_disk):
    stored, subject = on_disk
    other = stored.with_volume(subject.volume * 2, {"noise": 1.0})
    assert (other.volume == subject.volume * 2).all() and other.appearance == {"noise": 1.0}
    np.testing.assert_allclose(stored.volume, subject.volume, rtol=5e-4)
    assert (other.mask == subject.mask).all()


def test_a_cropped_subject_lies_where_it_lay(make_subject):
    subject = make_subject()
    subject.mask[:6] = False
    subject.volume[:, :6] = 0
    box = cropped(subject)
    assert box.mask.any(axis=(1, 2)).all() and box.mask.any(axis=(0, 1)).all()
    assert box.native_shape == subject.native_shape and box.start[0] == 6
    assert box.grid == subject.grid
    np.testing.assert_array_equal(box.on_native_grid(box.volume), subject.volume)
    voxel = np.argwhere(box.mask)[0]
    there, here = subject.affine @ [*(voxel + box.start), 1], box.affine @ [*voxel, 1]
    np.testing.assert_allclose(here, there)
    assert cropped(box).start == box.start


def test_values_inside_the_mask_return_to_the_scan_as_it_was_stored(make_subject):
    subject = make_subject()
    flipped = np.diag([-2.0, 2.0, 3.0, 1.0])
    vars(subject).update(source_affine=flipped)
    box = cropped(subject)
    values = np.arange(box.mask.sum(), dtype=np.float32)
    image = to_source_space(box.on_grid(values), box)
    assert image.shape == subject.source_shape and np.array_equal(image.affine, flipped)
    back = np.asarray(nibabel.as_closest_canonical(image).dataobj)
    np.testing.assert_array_equal(back[subject.mask], values)


def test_maps_are_placed_by_both_forms_of_their_header(make_subject):
    """Viewers that read the qform showed a map beside its scan."""
    subject = make_subject()
    oblique = np.diag([-2.0, 2.0, 3.0, 1.0])
    oblique[:3, :3] = np.array([[0.9, -np.sqrt(0.19), 0], [np.sqrt(0.19), 0.9, 0], [0, 0, 1]]) @ oblique[:3, :3]
    oblique[:3, 3] = 10, -20, 30
    sheared = oblique.copy()
    sheared[0, 1] += 0.5
    for affine, codes in ((oblique, (1, 1)), (sheared, (1, 0))):
        vars(subject).update(source_affine=affine)
        image = to_source_space(subject.mask.astype(np.float32), subject)
        assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == codes
        np.testing.assert_allclose(image.affine, affine)
    np.testing.assert_allclose(to_source_space(subject.mask * 1.0, subject).get_sform(), sheared, atol=1e-5)
