"""The hash that finds copies, and the smallest exact type."""

import itertools

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from brain_cae.errors import ScanError
from brain_cae.scans.volume import check_values, content_hash, smallest_type


def test_a_copy_with_other_axes_or_type_has_the_same_hash():
    array = np.random.default_rng(0).integers(0, 500, (4, 5, 6)).astype(np.int16)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    expected = content_hash(array, affine)
    assert content_hash(array.astype(np.float32), affine) == expected
    for axes, flips in itertools.product(itertools.permutations(range(3)), itertools.product([1, -1], repeat=3)):
        turn = np.array(list(zip(axes, flips, strict=True)), dtype=float)
        turned = apply_orientation(array, turn)
        assert content_hash(turned, affine @ inv_ornt_aff(turn, array.shape)) == expected


def test_one_changed_voxel_or_shape_changes_the_hash():
    array, affine = np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)
    other = array.copy()
    other[1, 2, 3] += 1
    hashes = {content_hash(a, affine) for a in (array, other, array.reshape(3, 2, 4), array.transpose(1, 0, 2))}
    assert len(hashes) == 4


def test_the_hash_does_not_depend_on_the_position():
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    moved = np.diag([2.0, 2.0, 2.0, 1.0])
    moved[:3, 3] = 7
    assert content_hash(array, np.eye(4)) == content_hash(array, moved)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 255], "uint8"),
        ([0, 32767], "uint16"),
        ([-32768, 32767], "int32"),
        ([0, 32768], "uint16"),
        ([0, 258], ">u2"),
        ([0.5, 1], "float64"),
    ],
)
def test_the_smallest_type_keeps_the_values(values, kind):
    array = np.array(values, dtype=kind)
    small = smallest_type(array)
    assert np.array_equal(small, array)
    assert small.dtype == (np.float32 if max(values) > 32767 or kind == "float64" else np.int16)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_that_lost_its_content_is_refused_but_an_empty_border_is_not(axis):
    array = np.random.default_rng(0).uniform(1, 9, (6, 7, 8)).astype(np.float32)
    planes = np.moveaxis(array, axis, 0)
    planes[0] = planes[-2:] = 0
    check_values(array, where="x")
    planes[2] = 5
    with pytest.raises(ScanError, match="one value throughout 1 of") as raised:
        check_values(array, where="x")
    assert raised.value.reason == "blank slice"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_rest_beside_a_stripped_brain_is_no_image_but_a_lost_slice_of_a_large_one_is_found(axis):
    array = np.zeros((80, 90, 70), np.int16)
    array[20:60, 20:70, 20:50] = np.random.default_rng(0).integers(1, 900, (40, 50, 30))
    array[5:7, 5:7, 5:7] = 300
    check_values(array, where="x")
    np.moveaxis(array, axis, 0)[30:32] = 0
    with pytest.raises(ScanError, match="one value throughout 2 of"):
        check_values(array, where="x")


def bright_egg(level):
    """An egg of tissue (20, 22, 18), brightest in its middle, in air of 0 to 3, with noise."""
    generator = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.linspace(-1.3, 1.3, n) for n in (20, 22, 18)], indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    tissue = level * (1.2 - radius**2) + generator.normal(0, 0.02 * level, radius.shape)
    return np.where(radius < 1, tissue, generator.integers(0, 4, radius.shape))


def test_unsigned_values_that_a_header_calls_signed_are_refused():
    values = bright_egg(40000)
    check_values(values.astype(np.uint16), where="scan")
    with pytest.raises(ScanError, match="unsigned values read as signed"):
        check_values(values.astype(np.uint16).view(np.int16), where="scan")
    # The whole range of signed values, with air at the lowest one, is an image.
    check_values((values * 65535 / values.max() - 32768).astype(np.int16), where="scan")
