"""Series that are parts of one volume are joined, or refused together; repeats and other stacks are kept apart."""

import numpy as np
import pytest

from brain_cae.scans.dicom import PARTS, read_folder

from .synthesise import CORONAL, set_all, voxels, write_enhanced, write_series

STACK = voxels((12, 5, 4))


def part(folder, slices, *, series, stack=STACK, change=None, **options):
    """Write some slices of a stack of 12 as one series; without a UID for ``series=""``."""

    def edit(header, number):
        header.SliceThickness = 2.5
        if change:
            change(header, number)
        if not series:
            del header.SeriesInstanceUID

    files = write_series(folder / (series or "stray"), stack, series=series or "1.2.9", change=edit, **options)
    chosen = range(len(stack))[slices] if isinstance(slices, slice) else slices
    return [files[number] for number in chosen]


def reasons(reading):
    return [one.reason for one in reading.refused]


PACKAGES = {
    "two packages": [slice(0, None, 2), slice(1, None, 2)],
    "three packages": [slice(0, None, 3), slice(1, None, 3), slice(2, None, 3)],
    "an upper and a lower half": [slice(0, 6), slice(6, None)],
    "one slice under a UID of its own": [slice(0, 11), [11]],
}


@pytest.mark.parametrize("orientation", [None, CORONAL])
@pytest.mark.parametrize("case", PACKAGES)
def test_parts_are_one_volume_with_a_note(tmp_path, case, orientation):
    options = {"orientation": orientation} if orientation else {}
    whole = read_folder(part(tmp_path / "whole", slice(None), series="1.2.8", **options))
    files = [
        path for n, slices in enumerate(PACKAGES[case]) for path in part(tmp_path, slices, series=f"1.2.{n}", **options)
    ]
    for pixels in (True, False):
        reading = read_folder(files, pixels=pixels)
        assert reading.volume.array.shape == (4, 5, 12)
        assert (reading.refused, reading.notes) == ((), (PARTS,))
        assert np.array_equal(reading.volume.affine, whole.volume.affine)
    assert np.array_equal(read_folder(files).volume.array, STACK.transpose(2, 1, 0))


@pytest.mark.parametrize(("distance", "times"), [(2.0, (2.41, 2.41)), (3.0, (2.41, 2.41)), (2.0, (2.41, 5.0))])
def test_halves_in_enhanced_files_are_one_volume(tmp_path, distance, times):
    def half(number):
        def change(header):
            header.SeriesInstanceUID = f"1.2.{number}"
            for place, group in enumerate(header.PerFrameFunctionalGroupsSequence):
                group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2.0 * place + number * 6 * distance]
                group.MREchoSequence[0].EffectiveEchoTime = times[number]

        return write_enhanced(tmp_path / f"{number}", STACK[6 * number : 6 * number + 6], change=change)

    files = [half(0), half(1)]
    for pixels in (True, False):
        reading = read_folder(files, pixels=pixels)
        one = distance == 2.0 and len({*times}) == 1
        assert reading.volume.array.shape == (4, 5, 12 if one else 6)
        assert reading.notes == ((PARTS,) if one else ())


@pytest.mark.parametrize(("thickness", "slices"), [(2.0, 6), (1.0, 12)])
def test_enhanced_volumes_that_are_shifted_by_half_a_slice_are_no_packages(tmp_path, thickness, slices):
    def half(number):
        def change(header):
            header.SeriesInstanceUID = f"1.2.{number}"
            header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = thickness
            for place, group in enumerate(header.PerFrameFunctionalGroupsSequence):
                group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2.0 * place + number]

        return write_enhanced(tmp_path / f"{number}", STACK[6 * number : 6 * number + 6], change=change)

    assert read_folder([half(0), half(1)]).volume.array.shape == (4, 5, slices)


def test_parts_that_lack_a_slice_are_refused_together(tmp_path):
    """Either of them alone would be a regular volume with half of the slices."""
    files = [
        *part(tmp_path, slice(0, None, 2), series="1.2.1"),
        *part(tmp_path, [1, 3, 7, 9, 11], series="1.2.2"),
    ]
    reading = read_folder(files)
    assert reading.volume is None
    assert [(one.reason, one.files) for one in reading.refused] == [(f"{PARTS}: gap between slices", 11)]


@pytest.mark.parametrize("stray", [[0], [11], [10, 11], [4], [4, 5, 6], [0, 5, 11]])
def test_slices_without_a_series_complete_the_others(tmp_path, stray):
    rest = [number for number in range(12) if number not in stray]
    files = part(tmp_path, rest, series="1.2.1") + part(tmp_path, stray, series="")
    reading = read_folder(files)
    assert np.array_equal(reading.volume.array, STACK.transpose(2, 1, 0))
    assert (reading.refused, reading.notes) == ((), (PARTS,))


def test_slices_without_a_series_that_leave_a_gap_refuse_the_others(tmp_path):
    """Without them the first nine would be taken for the whole."""
    reading = read_folder(part(tmp_path, range(9), series="1.2.1") + part(tmp_path, [11], series=""))
    assert (reading.volume, reasons(reading)) == (None, [f"{PARTS}: gap between slices"])


OTHERS = {
    "off the grid": {"origin": (-10.0, -20.0, -28.9)},
    "shifted sideways": {"origin": (-7.0, -20.0, -30.0)},
    "another orientation": {"orientation": CORONAL},
    "another echo time": {"change": set_all(EchoTime=12.0)},
    "another kind of image": {"change": set_all(ImageType=["DERIVED", "SECONDARY", "M"])},
    "after contrast agent": {"change": set_all(ContrastBolusAgent="Gadovist")},
    "another frame of reference": {"change": set_all(StudyInstanceUID="1.2.4")},
}


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("series", ["", "1.2.2"])
def test_slices_that_cannot_belong_are_named(tmp_path, case, series):
    files = part(tmp_path, range(10), series="1.2.1") + part(tmp_path, [10, 11], series=series, **OTHERS[case])
    reading = read_folder(files)
    assert np.array_equal(reading.volume.array, STACK[:10].transpose(2, 1, 0))
    assert reading.notes == () and len(reading.refused) == 1


def test_a_repeat_is_not_a_part(tmp_path):
    """Not at the same positions, not shifted by a slice, and not by half of one, where slices would overlap."""
    for shift in (0.0, 3.0, 1.5, 1.0):
        folder = tmp_path / str(shift)
        files = part(folder, slice(None), series="1.2.1") + part(
            folder, slice(None), series="1.2.2", stack=voxels((12, 5, 4), 1), origin=(-10.0, -20.0, -30.0 + shift)
        )
        reading = read_folder(files)
        assert np.array_equal(reading.volume.array, voxels((12, 5, 4), 1).transpose(2, 1, 0)), shift
        assert reasons(reading) == ["another series was taken: it has the later UID"]


def test_of_repeated_parts_the_later_ones_are_joined(tmp_path):
    files = [
        path
        for n in range(4)
        for path in part(
            tmp_path, slice(n % 2, None, 2), series=f"1.2.{n}", stack=voxels((12, 5, 4), n // 2),
            change=set_all(SeriesNumber=n),
        )
    ]  # fmt: skip
    reading = read_folder(files)
    assert np.array_equal(reading.volume.array, voxels((12, 5, 4), 1).transpose(2, 1, 0))
    assert len(reading.refused) == 2 and all(one.startswith("another series was taken") for one in reasons(reading))


def test_two_slabs_with_a_gap_between_them_are_two_series(tmp_path):
    reading = read_folder(part(tmp_path, range(7), series="1.2.1") + part(tmp_path, range(8, 12), series="1.2.2"))
    assert np.array_equal(reading.volume.array, STACK[:7].transpose(2, 1, 0))
    assert reasons(reading) == ["another series was taken: it has more slices"]


def test_parts_with_phase_images_are_joined_with_them(tmp_path):
    files = []
    for n in range(2):
        files += part(tmp_path, slice(n, None, 2), series=f"1.2.{n}")
        phase = part(
            tmp_path / "phase", slice(n, None, 2), series=f"1.2.{n}",
            change=set_all(ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]),
        )  # fmt: skip
        files += phase
    reading = read_folder(files)
    assert np.array_equal(reading.volume.array, STACK.transpose(2, 1, 0))
    assert reasons(reading) == ["set aside: phase image"]
