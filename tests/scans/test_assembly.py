"""Slices to one volume: order, affine, values, and the reasons for refusal."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from brain_cae.errors import ScanError
from brain_cae.scans.assembly import assemble
from brain_cae.scans.dicom import read_series
from brain_cae.scans.file import open_dicom

from .synthesise import SAGITTAL, set_all, set_pixels, set_some, voxels, write_enhanced, write_series
from .test_dicom import reason_of


def test_affine_and_spacing_of_an_axial_series(tmp_path):
    volume = read_series(write_series(tmp_path))
    assert volume.array.shape == (4, 5, 6)
    assert volume.affine == pytest.approx(
        np.array([[-25.0, 0, 0, 10], [0, -30.0, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])
    )
    facts = {"rows": 5, "columns": 4, "slices": 6, "spacing_row_mm": 30.0, "spacing_column_mm": 25.0}
    assert facts | {"spacing_slice_mm": 3.0, "orientation": "axial"} | volume.acquisition == volume.acquisition


def test_rescale_is_applied_slice_by_slice(tmp_path):
    def rescale(header, number):
        header.RescaleSlope, header.RescaleIntercept = 1 + 0.5 * number, -3

    stack = voxels()
    volume = read_series(write_series(tmp_path, stack, change=rescale))
    expected = stack * (1 + 0.5 * np.arange(6))[:, None, None] - 3
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, expected.transpose(2, 1, 0))


def test_integer_rescale_gives_integers(tmp_path):
    def rescale(header, number):
        header.RescaleSlope, header.RescaleIntercept = 2, -1000

    stack = voxels()
    volume = read_series(write_series(tmp_path, stack, change=rescale))
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, (2 * stack - 1000).transpose(2, 1, 0))


@pytest.mark.parametrize(("kind", "stored"), [("uint8", "int16"), ("uint16", "float32"), ("int16", "int16")])
def test_stored_types_keep_their_values(tmp_path, kind, stored):
    limits = np.iinfo(kind)
    stack = np.random.default_rng(1).integers(limits.min, limits.max, (3, 5, 7), endpoint=True).astype(kind)
    stack[0, 0, :2] = limits.min, limits.max
    volume = read_series(write_series(tmp_path, stack))
    assert volume.array.dtype == stored
    assert np.array_equal(volume.array, stack.transpose(2, 1, 0))


CHANGES = {
    "mixed orientation": set_some(2, ImageOrientationPatient=list(SAGITTAL)),
    "varying matrix": lambda header, number: set_pixels(header, voxels((1, 7, 4))[0]) if number == 3 else None,
    "varying spacing": set_some(4, PixelSpacing=[1.5, 1.1]),
    "mixed echo times": set_some(0, EchoTime=30.0),
    "duplicate slice position": set_some(3, ImagePositionPatient=[-10.0, -20.0, -30.0]),
    "slices shifted sideways": set_some(3, ImagePositionPatient=[-5.0, -20.0, -21.0]),
    "constant volume": lambda header, number: set_pixels(header, np.full((5, 4), 7, np.int16)),
    "unusable orientation": set_all(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_reasons(tmp_path, reason):
    assert reason_of(write_series(tmp_path, change=CHANGES[reason])) == reason.split(",")[0]


def test_a_different_slice_at_the_same_position_is_not_a_copy(tmp_path):
    files = write_series(tmp_path / "first")
    changed = voxels()
    changed[2, 0, 0] += 1
    again = write_series(tmp_path / "second", changed)
    assert reason_of([*files, again[2]]) == "duplicate slice position"


def test_a_few_slices_far_apart_are_a_localiser(tmp_path):
    with pytest.raises(ScanError) as raised:
        read_series(write_series(tmp_path / "far", voxels((3, 6, 5)), distance=20))
    assert raised.value.reason == "localiser" and "3 slices 20 mm apart" in str(raised.value)
    assert read_series(write_series(tmp_path / "near", voxels((3, 6, 5)), distance=7)).array.shape == (5, 6, 3)
    assert read_series(write_series(tmp_path / "many", voxels((8, 6, 5)), distance=20)).array.shape == (5, 6, 8)


def test_copies_are_listed_and_without_pixels_the_volume_is_zero(tmp_path):
    files = write_series(tmp_path / "a") + write_series(tmp_path / "b")[:2]
    whole = assemble([open_dicom(path) for path in files], "here")
    assert [path.parent.name for path in whole.copies] == ["b", "b"]
    bare = assemble([open_dicom(path, pixels=False) for path in files], "here")
    assert bare.volume.array.shape == whole.volume.array.shape == (4, 5, 6) and not bare.volume.array.any()
    assert np.array_equal(bare.volume.affine, whole.volume.affine)


@pytest.mark.parametrize("pixels", [True, False])
def test_two_times_under_one_identifier_are_no_copies(tmp_path, pixels):
    # The first slice shows air alone.
    first, second = voxels(seed=1), voxels(seed=2)
    first[0] = second[0] = 0
    files = write_series(tmp_path / "a", first) + write_series(tmp_path / "b", second)
    with pytest.raises(ScanError, match="duplicate slice position"):
        assemble([open_dicom(path, pixels=pixels) for path in files], "here")


def test_a_copy_may_have_another_encoding_and_a_scaling_that_changes_nothing(tmp_path):
    stack = voxels()
    files = write_series(tmp_path / "a", stack)
    again = write_series(tmp_path / "b", stack.astype(np.uint16), change=set_all(RescaleSlope=1, RescaleIntercept=0))
    whole = assemble([open_dicom(path) for path in (*files, *again)], "here")
    assert np.array_equal(whole.volume.array, stack.transpose(2, 1, 0))
    assert {path.parent.name for path in whole.copies} == {"b"} and len(whole.copies) == 6
    rounded = write_series(tmp_path / "d", origin=[-80.0012, -90.0, 12.0004])
    exact = write_series(tmp_path / "e", origin=[-80.0, -90.0, 12.0])
    assert len(assemble([open_dicom(path) for path in (*exact, *rounded)], "here").copies) == 6
    doubled = write_series(tmp_path / "c", change=set_all(RescaleSlope=2, RescaleIntercept=0))
    assert reason_of([*files, *doubled]) == "unknown scaling"


def phase_of(series="1.2.3.1", *, moved=0.0):
    return {
        "series": series,
        "names": [f"P{number}" for number in range(6)],
        "origin": (-10.0, -20.0, -30.0 + moved),
        "change": set_all(ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]),
    }


def test_the_phase_of_a_series_is_set_aside(tmp_path):
    magnitude, phase = write_series(tmp_path), write_series(tmp_path, voxels(seed=1), **phase_of())
    assembly = assemble([open_dicom(path) for path in (*phase, *magnitude)], "here")
    assert np.array_equal(assembly.volume.array, voxels().transpose(2, 1, 0))
    assert [(kind, path.name) for kind, path in assembly.set_aside] == [("phase image", f"P{n}") for n in range(6)]
    assert assembly.first.path in magnitude


def test_a_phase_image_that_may_be_a_missing_slice_is_not_set_aside(tmp_path):
    magnitude, phase = write_series(tmp_path), write_series(tmp_path, **phase_of(moved=18.0))
    assert reason_of([*magnitude, phase[0]]) == "phase image"
    assert reason_of(phase) == "phase image"


def test_a_planning_image_in_a_series_is_set_aside_unless_it_may_be_a_slice(tmp_path):
    planning, sagittal = ["ORIGINAL", "PRIMARY", "LOCALIZER"], list(SAGITTAL)
    slices = write_series(tmp_path)
    across = set_all(ImageType=planning, ImageOrientationPatient=sagittal)
    (image,) = write_series(tmp_path / "planning", voxels((1, 5, 4)), change=across)
    assembly = assemble([open_dicom(path) for path in (image, *slices)], "here")
    assert np.array_equal(assembly.volume.array, voxels().transpose(2, 1, 0))
    assert assembly.set_aside == (("localiser", image),)
    alike = write_series(tmp_path / "alike", change=set_some(5, ImageType=planning))
    assert reason_of(alike) == reason_of([image]) == "localiser"


def test_of_a_diffusion_series_no_image_is_taken(tmp_path):
    plain, weighted = write_series(tmp_path), write_series(tmp_path / "b", change=set_all(DiffusionBValue=1000.0))
    assert reason_of([*plain, *weighted]) == "diffusion image"


def test_a_scaling_that_only_some_slices_have_is_refused(tmp_path):
    assert reason_of(write_series(tmp_path / "a", change=set_some(2, RescaleSlope=3))) == "unknown scaling"
    whole = read_series(write_series(tmp_path / "b", change=set_all(RescaleSlope=0, RescaleIntercept=0)))
    assert np.array_equal(whole.array, voxels().transpose(2, 1, 0))


def test_echoes_in_seconds_are_told_apart(tmp_path):
    def change(header, number):
        header.RepetitionTime, header.EchoTime = "3.0", "0.012" if number % 2 else "0.090"

    assert reason_of(write_series(tmp_path, change=change)) == "mixed echo times"


@pytest.mark.parametrize("enhanced", [False, True])
def test_slices_with_a_real_world_scale_of_their_own_are_scaled(tmp_path, enhanced):
    def mapping(number):
        item = Dataset()
        item.RealWorldValueSlope, item.RealWorldValueIntercept = 0.5 * (number + 1), 2.0
        item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 4095
        return Sequence([item])

    def change(header):
        for number, group in enumerate(header.PerFrameFunctionalGroupsSequence):
            del group.PixelValueTransformationSequence
            group.RealWorldValueMappingSequence = mapping(number)

    stack = voxels((6, 5, 4))
    if enhanced:
        paths = [write_enhanced(tmp_path / "one", stack, change=change)]
    else:
        paths = write_series(
            tmp_path, stack, change=lambda header, n: setattr(header, "RealWorldValueMappingSequence", mapping(n))
        )
    expected = stack * 0.5 * np.arange(1, 7)[:, None, None] + 2
    assert np.allclose(read_series(paths).array, expected.transpose(2, 1, 0))


@pytest.mark.parametrize(("size", "pages", "kept"), [((14, 5, 4), 1, 13), ((14, 5, 4), 2, 0), ((6, 5, 4), 1, 0)])
def test_a_page_with_planning_lines_is_set_aside_and_several_planes_are_not(tmp_path, size, pages, kept):
    def change(header, number):
        if number >= size[0] - pages:  # in another plane and with another matrix
            header.ImageOrientationPatient = list(SAGITTAL)
            set_pixels(header, voxels((1, 7, 9))[0])

    files = [open_dicom(path) for path in write_series(tmp_path, voxels(size), change=change)]
    if not kept:
        with pytest.raises(ScanError):
            assemble(files, "scan")
        return
    assembly = assemble(files, "scan")
    assert np.array_equal(assembly.volume.array, voxels(size)[:kept].transpose(2, 1, 0))
    assert assembly.set_aside == (("a page among the slices", files[kept].path),)


@pytest.mark.parametrize(("place", "taken"), [(10.0, True), (-10.0, True), (-16.0, False)])
def test_one_image_of_another_size_between_the_slices_is_set_aside(tmp_path, place, taken):
    files = write_series(tmp_path / "a", voxels((14, 5, 4)))
    files += write_series(tmp_path / "b", voxels((1, 9, 8)), origin=(-10.0, -20.0, place - 20.0))
    opened = [open_dicom(path) for path in files]
    if taken:
        assembly = assemble(opened, "here")
        assert np.array_equal(assembly.volume.array, voxels((14, 5, 4)).transpose(2, 1, 0))
        assert assembly.set_aside == (("a page among the slices", files[-1]),)
    else:  # it may be the first slice
        with pytest.raises(ScanError, match="varying matrix"):
            assemble(opened, "here")
    # A slice that is missing leaves a gap.
    with pytest.raises(ScanError, match=r"gap between slices|varying matrix"):
        assemble([file for number, file in enumerate(opened) if number != 5], "here")
