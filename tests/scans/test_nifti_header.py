"""What a NIfTI header says: place, unit, scaling, type; each field that cannot be used is named."""

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from scipy.spatial.transform import Rotation

from brain_cae.errors import ScanError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.nifti_header import affine_of_header, read_header

AFFINE = np.array([[-9.0, 0, 0, 50], [0, 0, 12.0, -60], [0, -10.0, 0, 70], [0, 0, 0, 1]])


def header(kind=Nifti1Header, *, sform=1, qform=1, affine=AFFINE, byte_order="<", **fields):
    """Return a header of 12 x 13 x 8 voxels, with these fields set after everything else."""
    made = kind(endianness=byte_order)
    made.set_data_shape((12, 13, 8))
    made.set_data_dtype(np.int16)
    made.set_sform(affine, sform)
    made.set_qform(affine, qform)
    made["vox_offset"] = made.single_vox_offset
    for name, value in fields.items():
        made[name] = value
    return made


def read(made, *, pair=False):
    return read_header(made.binaryblock, where="a.nii", pair=pair)


def fault(made, *, pair=False):
    with pytest.raises(ScanError) as raised:
        read(made, pair=pair)
    assert raised.value.where == "a.nii" and advice_for(raised.value.reason)
    return raised.value.reason


@pytest.mark.parametrize("kind", [Nifti1Header, Nifti2Header])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_both_versions_and_byte_orders_are_read(kind, byte_order):
    found = read(header(kind, byte_order=byte_order))
    assert found.shape == (12, 13, 8) and found.size == 2 * 12 * 13 * 8
    assert found.dtype == np.dtype(f"{byte_order}i2")
    assert np.allclose(found.affine, AFFINE)
    assert found.offset == found.starts[0] == kind.single_vox_offset


@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 30)] * 3),
    mirrored=st.booleans(),
    form=st.sampled_from(["sform", "qform"]),
    kind=st.sampled_from([Nifti1Header, Nifti2Header]),
)
def test_the_affine_is_that_of_either_form(angles, spacing, mirrored, form, kind):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = -80, 7, 90
    affine[:, 2] *= -1 if mirrored else 1
    made = header(kind, affine=affine, **{form: 1, "qform" if form == "sform" else "sform": 0})
    assert np.allclose(affine_of_header(made, "a"), affine, atol=2e-3)


@pytest.mark.parametrize("excess", [4e-7, 1e-3, 8e-3])
def test_a_quaternion_slightly_longer_than_1_is_half_a_turn(excess):
    made = header(sform=0, affine=np.diag([9.0, 10, 12, 1]), quatern_b=0, quatern_c=np.sqrt(1 + excess), quatern_d=0)
    assert np.allclose(affine_of_header(made, "a")[:3, :3], np.diag([-9, 10, -12]), atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"quatern_b": 1.2}, "unusable quaternion: 1.2, 0, 0"),
        ({"quatern_b": np.nan}, "unusable quaternion: nan, 0, 0"),
        ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, "unusable pixdim: 0 x 0 x 0"),
        ({"pixdim": [1, -4, 4, 4, 0, 0, 0, 0]}, "unusable pixdim: -4 x 4 x 4"),
        ({"pixdim": [1, 4, np.nan, 4, 0, 0, 0, 0]}, "unusable pixdim: 4 x nan x 4"),
        ({"qoffset_x": np.inf}, "unusable affine"),
        ({"qoffset_x": 1e9}, "unusable affine"),
    ],
)
def test_a_qform_that_cannot_be_used_is_named_unless_the_sform_is_good(fields, reason):
    affine = np.diag([9.0, 10, 12, 1])
    assert fault(header(affine=affine, sform=0, **fields)) == reason
    assert np.allclose(read(header(affine=affine, **fields)).affine, affine)


@pytest.mark.parametrize("row", [[0, 0, 0, 0], [np.nan, 0, 0, 0], [1e38, 1e38, 1e38, 1e38]])
def test_an_sform_that_cannot_be_used_is_refused_unless_the_qform_is_good(row):
    assert fault(header(qform=0, srow_x=row)) == "unusable affine"
    assert np.allclose(read(header(srow_x=row)).affine, AFFINE)


def test_a_header_without_a_form_has_no_orientation():
    for codes in ({"sform": 0, "qform": 0}, {"sform_code": -1, "qform_code": 0}):
        assert fault(header(**codes)) == "no orientation"


@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize(
    ("code", "unit", "scale"), [(1, "metre", 1e-3), (2, "mm", 1), (3, "micron", 1e3), (0, "mm", 1), (7, "mm", 1)]
)
def test_lengths_are_in_the_unit_of_the_header(form, code, unit, scale):
    stored = AFFINE.copy()
    stored[:3] *= scale
    codes = {form: 1, "qform" if form == "sform" else "sform": 0}
    # The bits above the third are the unit of time.
    found = read(header(affine=stored, xyzt_units=code | 8, **codes))
    assert found.unit == unit and np.allclose(found.affine, AFFINE, rtol=1e-5)


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [(2, 3, (2, 3)), (2, np.nan, (2, 0)), (2, np.inf, (2, 0)), (0, 5, (1, 0)), (np.nan, 5, (1, 0)), (-1, 0, (-1, 0))],
)
def test_scaling_that_says_nothing_is_none(slope, intercept, expected):
    found = read(header(scl_slope=slope, scl_inter=intercept))
    assert (found.slope, found.intercept) == expected


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (128, "colour image"), (2304, "colour image"), (32, "complex image"), (1792, "complex image"),
        (0, "unsupported data type: none"), (1, "unsupported data type: binary"),
        (77, "unsupported data type: code 77"),
    ],
)  # fmt: skip
def test_voxels_that_are_not_real_numbers_are_named(code, reason):
    assert fault(header(datatype=code)) == reason


@pytest.mark.parametrize(
    ("dim", "reason"),
    [
        ([4, 12, 13, 8, 30, 1, 1, 1], "not three-dimensional: 30 volumes"),
        ([5, 12, 13, 8, 1, 3, 1, 1], "not three-dimensional: 3 volumes"),
        ([3, 12, 13, 0, 1, 1, 1, 1], "unusable dimensions: 12 x 13 x 0"),
        ([3, -12, 13, 8, 1, 1, 1, 1], "unusable dimensions: -12 x 13 x 8"),
        ([9, 12, 13, 8, 1, 1, 1, 1], "unusable dimensions: 12 x 13 x 8 x 1 x 1 x 1 x 1"),
    ],
)
def test_dimensions_of_no_volume_are_named(dim, reason):
    assert fault(header(dim=dim)) == reason
    assert fault(header(dim=dim, byte_order=">")) == reason


def test_axes_of_no_voxels_beyond_the_third_do_not_count():
    assert read(header(dim=[5, 12, 13, 8, 0, 0, 0, 0])).shape == (12, 13, 8)


def test_a_pair_has_its_voxels_elsewhere():
    assert read(header(magic=b"ni1"), pair=True).starts == (0,)
    assert fault(header(magic=b"ni1")) == "half of a pair"


def test_analyze_is_refused_by_name():
    assert fault(nibabel.AnalyzeHeader(), pair=True) == "Analyze without orientation"
    assert fault(nibabel.AnalyzeHeader()) == "not NIfTI"


@pytest.mark.parametrize(
    ("factor", "contradicts"), [(1.0, False), (1.25, False), (0.7, False), (2.0, True), (0.5, True)]
)
def test_sform_and_qform_must_agree_in_the_voxel_size_but_for_the_scale_of_a_template(factor, contradicts):
    made = header()
    made.set_sform(AFFINE @ np.diag([factor, 1, 1, 1]), 4)
    reason = fault(made) if contradicts else ""
    assert reason.startswith("contradictory voxel size: ") == contradicts
    if not contradicts:
        assert np.allclose(read(made).affine, AFFINE @ np.diag([factor, 1, 1, 1]), rtol=1e-6)
    made.set_qform(None, 0)
    assert np.allclose(read(made).affine, AFFINE @ np.diag([factor, 1, 1, 1]), rtol=1e-6)
    assert read(made).other_size == contradicts


@pytest.mark.parametrize("pixdim", [[0, 0, 0], [1, 1, 1], [np.nan, 4, 4], [-4, 4, 4]])
def test_a_pixdim_that_was_never_set_does_not_contradict_the_sform(pixdim):
    made = header()
    made.set_qform(None, 0)
    made["pixdim"][1:4] = pixdim
    assert not read(made).other_size


@pytest.mark.parametrize(("degrees", "contradicts"), [(0, False), (40, False), (90, True), (180, True)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sform_and_qform_must_not_be_turned_against_each_other(degrees, contradicts, axis):
    """By 180 degrees about the vertical axis, left becomes right, although the handedness is the same."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    one, other = {0, 1, 2} - {axis}
    turn[[one, other], [one, other]] = np.cos(angle)
    turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
    made = header()
    made.set_sform(turn @ AFFINE, 1)
    if contradicts:
        assert fault(made) == "contradictory orientation"
    else:
        assert np.allclose(read(made).affine, turn @ AFFINE, atol=1e-4)
