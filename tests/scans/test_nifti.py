"""NIfTI files, whole and damaged."""

import gzip
import os
import struct
import tracemalloc

import nibabel
import numpy as np
import pytest

from brain_cae.errors import ScanError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.formats import is_nifti, nifti_files
from brain_cae.scans.nifti import read_nifti, unusual

AFFINE = np.array([[-9.5, 0, 0, 10], [0, 0, 12.0, 20], [0, -10.0, 0, -30], [0, 0, 0, 1]])
FIELDS = {
    "dim": (40, "<8h"), "pixdim": (76, "<8f"), "vox_offset": (108, "<f"), "scl_slope": (112, "<f"),
    "scl_inter": (116, "<f"), "sform_code": (254, "<h"), "quatern_b": (256, "<f"),
}  # fmt: skip
"""Byte and format of fields in a little-endian NIfTI-1 header."""


def save(path, array, affine=AFFINE, kind=nibabel.Nifti1Image, **fields):
    kind(array, affine).to_filename(path)
    content = bytearray(path.read_bytes())
    for name, value in fields.items():
        struct.pack_into(FIELDS[name][1], content, FIELDS[name][0], *np.ravel(value))
    if fields:
        path.write_bytes(content)
    return path


def noise(shape=(12, 13, 7), kind=np.float32):
    return np.random.default_rng(0).normal(100, 20, shape).astype(kind)


def reason_of(path, **options):
    with pytest.raises(ScanError) as raised:
        read_nifti(path, **options)
    assert str(path) in str(raised.value) and advice_for(raised.value.reason)
    return raised.value.reason


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_keeps_voxels_axes_and_affine(tmp_path, name):
    array = noise()
    volume = read_nifti(save(tmp_path / name, array))
    assert np.array_equal(volume.array, array)
    assert np.array_equal(volume.affine, AFFINE)
    assert volume.acquisition == {
        "columns": 12, "rows": 13, "slices": 7, "spacing_column_mm": 9.5, "spacing_row_mm": 10.0,
        "spacing_slice_mm": 12.0, "orientation": "coronal",
    }  # fmt: skip
    assert read_nifti(tmp_path / name, pixels=False).acquisition == volume.acquisition


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_2_is_read(tmp_path, name):
    volume = read_nifti(save(tmp_path / name, noise(), kind=nibabel.Nifti2Image))
    assert np.array_equal(volume.array, noise()) and np.array_equal(volume.affine, AFFINE)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Pair, nibabel.nifti2.Nifti2Pair])
@pytest.mark.parametrize("names", ["a.hdr a.img", "a.hdr.gz a.img.gz", "a.hdr a.img.gz", "A.HDR A.IMG"])
def test_a_pair_of_header_and_image_is_one_scan(tmp_path, kind, names):
    save(tmp_path / "x.img", noise(), kind=kind)
    files = tuple(tmp_path / name for name in names.split())
    for path in files:
        content = (tmp_path / f"x{path.name[1:5].lower()}").read_bytes()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    for path in files:
        assert nifti_files(path) == files
        assert np.array_equal(read_nifti(path).array, noise()) and np.array_equal(read_nifti(path).affine, AFFINE)
    assert [is_nifti(path) for path in files] == [True, False]
    files[1].unlink()
    assert reason_of(files[0]) == "half of a pair"


def test_an_analyze_pair_is_refused_by_name(tmp_path):
    nibabel.AnalyzeImage(noise(kind=np.int16), np.diag([9.5, 10, 12, 1])).to_filename(tmp_path / "a.img")
    assert reason_of(tmp_path / "a.hdr") == "Analyze without orientation"


def test_integers_are_kept_as_int16(tmp_path):
    assert read_nifti(save(tmp_path / "a.nii", noise(kind=np.uint8))).array.dtype == np.int16


def test_a_single_fourth_axis_is_dropped(tmp_path):
    array = noise((12, 13, 7, 1))
    assert np.array_equal(read_nifti(save(tmp_path / "a.nii", array)).array, array[..., 0])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (noise((12, 13, 7, 3)), "not three-dimensional: 3 volumes"),
        (noise().astype(np.complex64), "complex image"),
        (np.zeros((12, 13, 7), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "colour image"),
    ],
)
def test_images_of_another_kind_are_refused_by_name(tmp_path, array, reason):
    assert reason_of(save(tmp_path / "a.nii.gz", array)) == reason
    assert reason_of(tmp_path / "a.nii.gz", pixels=False) == reason


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("pixels", [True, False])
def test_a_cut_file_is_truncated(tmp_path, share, pixels):
    for name in ("a.nii", "a.nii.gz"):
        path = save(tmp_path / name, noise())
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert reason_of(path, pixels=pixels) == "truncated file"


@pytest.mark.parametrize("size", [0, 1, 100, 347])
def test_a_file_that_ends_within_its_header_is_truncated(tmp_path, size):
    path = save(tmp_path / "a.nii.gz", noise())
    path.write_bytes(path.read_bytes()[:size])
    assert reason_of(path) == "truncated file"


def test_a_damaged_stream_is_named(tmp_path):
    path = tmp_path / "a.nii.gz"
    content = save(path, noise()).read_bytes()
    for place in (len(content) // 2, len(content) - 7):  # among the voxels, in the checksum
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        assert reason_of(path) == "damaged compression"


def test_what_follows_the_voxels_does_not_matter(tmp_path):
    plain = save(tmp_path / "a.nii", noise()).read_bytes()
    whole = gzip.compress(plain)
    parts = gzip.compress(plain[:999]) + gzip.compress(plain[999:])
    for content in (plain + b"more", whole + b"more", whole + bytes(9), gzip.compress(plain + b"more"), parts):
        (tmp_path / "b.nii.gz").write_bytes(content)
        assert np.array_equal(read_nifti(tmp_path / "b.nii.gz").array, noise())
        assert read_nifti(tmp_path / "b.nii.gz", pixels=False).array.shape == (12, 13, 7)


def test_other_files_are_not_nifti(tmp_path):
    for name, content in {
        "a.nii": b"text " * 100,
        "b.nii.gz": gzip.compress(b"text " * 100),
        "c.nii.gz": b"text",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert reason_of(tmp_path / name) == "not NIfTI"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gzip.compress(gzip.compress(b"voxels" * 100)), "compressed twice"),
        (b"PK\x03\x04" + bytes(500), "a zip archive"),
        (b"\n<!DOCTYPE html><html>404 Not Found", "a web page"),
        (bytes(128) + b"DICM" + bytes(500), "a DICOM file"),
    ],
    ids=["gzip", "zip", "page", "dicom"],
)
def test_what_downloads_and_exports_leave_under_the_name_is_named(tmp_path, content, kind):
    (tmp_path / "a.nii.gz").write_bytes(content)
    assert reason_of(tmp_path / "a.nii.gz") == f"not NIfTI: {kind}" and advice_for(f"not NIfTI: {kind}")


POINTERS = {
    "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "git-annex": b"/annex/objects/MD5E-s9--0.nii.gz\n",
    "link": b"../../.git/annex/objects/a/b/c/c",
}


@pytest.mark.parametrize("pointer", POINTERS)
def test_a_pointer_is_a_file_that_was_not_fetched(tmp_path, pointer):
    (tmp_path / "a.nii.gz").write_bytes(POINTERS[pointer])
    assert reason_of(tmp_path / "a.nii.gz") == "not downloaded"


def test_the_content_tells_whether_a_file_is_compressed(tmp_path):
    content = save(tmp_path / "a.nii", noise()).read_bytes()
    (tmp_path / "plain.nii.gz").write_bytes(content)
    (tmp_path / "packed.nii").write_bytes(gzip.compress(content))
    for name in ("plain.nii.gz", "packed.nii"):
        assert np.array_equal(read_nifti(tmp_path / name).array, noise())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("between", "offset", "read"),
    [
        (bytes(4), 0, True),  # not filled in
        (b"", 0, True),  # without the four bytes after the header
        (b"", 348, True),
        (bytes(4), 348, True),
        (bytes(4), -1e30, True),
        (bytes(4), np.nan, True),
        (bytes(4), 352.5, True),
        (bytes(5), 353, True),  # SPM needs a multiple of 16, the standard does not
        (b"\1\0\0\0" + struct.pack("<2i", 144, 6) + b" " * 136, 496, True),
        (b"\1\0\0\0" + struct.pack("<2i", -7, 6) + b" " * 136, 496, True),  # an extension with an impossible size
        (bytes(20), 0, False),
        (bytes(20), 1e9, False),
    ],
)
def test_voxels_start_where_header_and_length_of_the_file_agree(tmp_path, packed, between, offset, read):
    content = save(tmp_path / "a.nii", noise(), vox_offset=offset).read_bytes()
    content = content[:348] + between + content[352:]
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    if read:
        assert np.array_equal(read_nifti(path).array, noise())
        assert read_nifti(path, pixels=False).array.shape == (12, 13, 7)
    else:
        assert reason_of(path) == reason_of(path, pixels=False) == f"unusable vox_offset: {offset:g}"


def test_voxels_of_a_pair_start_at_the_start(tmp_path):
    save(tmp_path / "a.img", noise(), kind=nibabel.Nifti1Pair)
    header = bytearray((tmp_path / "a.hdr").read_bytes())
    struct.pack_into("<f", header, 108, 352)
    (tmp_path / "a.hdr").write_bytes(header)
    assert np.array_equal(read_nifti(tmp_path / "a.hdr").array, noise())


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"), [(2, 5, (2, 5)), (2, np.nan, (2, 0)), (0, 7, (1, 0)), (np.inf, 7, (1, 0))]
)
def test_scaling_is_applied_where_it_is_valid(tmp_path, slope, intercept, expected):
    path = save(tmp_path / "a.nii", noise(kind=np.int16), scl_slope=slope, scl_inter=intercept)
    assert np.array_equal(read_nifti(path).array, noise(kind=np.int16) * expected[0] + expected[1])


@pytest.mark.parametrize(("slope", "intercept"), [(1e38, 0), (1e-44, 1), (1, 1e30)])
def test_scaling_that_destroys_the_image_is_named(tmp_path, slope, intercept):
    path = save(tmp_path / "a.nii", noise(kind=np.int16), scl_slope=slope, scl_inter=intercept)
    assert reason_of(path).startswith("unusable scaling: slope ")


@pytest.mark.parametrize(
    ("factor", "reason"),
    [
        (1e50, "unusable scaling: values from "),
        (1e-50, "unusable scaling: values from "),
        (np.inf, "non-finite"),
        (0, "constant volume"),
        (1e-30, ""),
    ],
)
def test_values_beyond_single_precision_are_named(tmp_path, factor, reason):
    with np.errstate(invalid="ignore"):
        array = np.where(noise() != 0, np.abs(noise(kind=np.float64)) * factor, 0)
    path = save(tmp_path / "a.nii", array)
    if not reason:
        assert read_nifti(path).array.max() > 0
    else:
        assert reason_of(path).startswith(reason)


def test_a_size_that_no_head_has_is_refused_before_memory_is_allocated(tmp_path):
    path = save(tmp_path / "a.nii", noise(), dim=[3, 32767, 32767, 32767, 1, 1, 1, 1])
    # The same number of voxels within 100 mm: then the file is too short.
    small = save(tmp_path / "b.nii", noise(), np.diag([0.004] * 3 + [1]), dim=[3, 32767, 32767, 32767, 1, 1, 1, 1])
    tracemalloc.start()
    assert reason_of(path).startswith("not the size of a head: 311286 x ")
    assert reason_of(small) == reason_of(small, pixels=False) == "truncated file"
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_lengths_in_micron_are_converted_and_absurd_ones_refused(tmp_path):
    for name, scale, unit in (("a", 1000, "micron"), ("b", 1000, "mm"), ("c", 1, "micron")):
        affine = AFFINE.copy()
        affine[:3] *= scale
        image = nibabel.Nifti1Image(noise(), affine)
        image.header.set_xyzt_units(unit)
        image.to_filename(tmp_path / f"{name}.nii")
    assert np.allclose(read_nifti(tmp_path / "a.nii").affine, AFFINE)
    assert read_nifti(tmp_path / "a.nii").acquisition["spacing_slice_mm"] == 12
    assert reason_of(tmp_path / "b.nii") == "not the size of a head: 114000 x 130000 x 84000 mm"
    with pytest.raises(ScanError, match="the header gives lengths in micron"):
        read_nifti(tmp_path / "c.nii")


def test_a_localiser_is_refused_along_any_axis(tmp_path):
    for axis in range(3):
        shape, spacing = [48, 56, 60], [4.0, 4, 4]
        shape[axis], spacing[axis] = 3, 25
        assert reason_of(save(tmp_path / "a.nii", noise(shape), np.diag([*spacing, 1]))) == "localiser"
        spacing[axis] = 9
        assert read_nifti(save(tmp_path / "a.nii", noise(shape), np.diag([*spacing, 1]))).array.shape == tuple(shape)


@pytest.mark.parametrize(("value", "where"), [(np.nan, np.s_[:]), (np.nan, np.s_[2, 3, 4]), (np.inf, np.s_[0, 0])])
def test_nan_and_infinity_are_refused(tmp_path, value, where):
    array = noise()
    array[where] = value
    assert reason_of(save(tmp_path / "a.nii", array)) == "non-finite"


def test_a_constant_volume_is_refused(tmp_path):
    assert reason_of(save(tmp_path / "a.nii", np.full((12, 13, 7), 3.0, np.float32))) == "constant volume"


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


def test_a_folder_and_an_absent_file_are_unreadable(tmp_path):
    (tmp_path / "a.nii").mkdir()
    assert reason_of(tmp_path / "a.nii") == reason_of(tmp_path / "b.nii") == "unreadable file"


def test_voxels_are_read_not_mapped_into_memory(tmp_path):
    path = save(tmp_path / "a.nii", noise(kind=np.int16))
    array = read_nifti(path).array
    before = array.copy()
    # Reading mapped voxels of a file that became shorter would end the process.
    owner = array
    while owner is not None:
        assert not isinstance(owner, np.memmap)
        owner = getattr(owner, "base", None)
    os.truncate(path, 352)
    assert np.array_equal(array, before)


def test_a_map_of_tissues_in_place_of_a_scan_is_unusual(tmp_path):
    labels = np.digitize(noise(), [80, 95, 110]).astype(np.uint8)
    for name, values, few in (("labels", labels, True), ("scan", noise(kind=np.int16), False)):
        volume = read_nifti(save(tmp_path / f"{name}.nii", values))
        assert unusual(volume) == (("as few values as a mask",) if few else ())
        assert unusual(read_nifti(tmp_path / f"{name}.nii", pixels=False)) == ()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_that_repeat_their_neighbours_are_unusual(tmp_path, axis):
    """Converters that fill gaps write them, and so does a padding with the last slice."""
    values = noise(kind=np.int16)
    planes = np.moveaxis(values, axis, 0)
    planes[2] = planes[1]
    assert unusual(read_nifti(save(tmp_path / "a.nii", values))) == ()
    planes[3] = planes[1]
    (doubt,) = unusual(read_nifti(save(tmp_path / "a.nii", values)))
    assert doubt == "slices that are copies of others" and advice_for(doubt)
    thick = np.repeat(noise(kind=np.int16), 3, axis)
    assert unusual(read_nifti(save(tmp_path / "b.nii", thick))) == ()


@pytest.mark.parametrize(
    ("affine", "unknown"),
    [(np.diag([10, 9, 15, 1]), True), (np.diag([-10, -9, 15, 1]), True), (AFFINE, False)],
)
def test_a_first_voxel_at_the_origin_is_unusual(tmp_path, affine, unknown):
    """nibabel writes it for np.eye(4), SimpleITK for an array: neither knows how the head lies."""
    expected = ("first voxel at the origin",) if unknown else ()
    path = save(tmp_path / "a.nii", noise(), affine)
    assert unusual(read_nifti(path)) == unusual(read_nifti(path, pixels=False)) == expected
    assert all(map(advice_for, expected))


def test_a_voxel_size_that_was_set_in_the_header_alone_is_unusual(tmp_path):
    image = nibabel.Nifti1Image(noise(), AFFINE)
    image.header.set_zooms((9.5, 10, 30))
    image.to_filename(tmp_path / "t1.nii")
    assert unusual(read_nifti(tmp_path / "t1.nii", pixels=False)) == ("another voxel size in pixdim",)
