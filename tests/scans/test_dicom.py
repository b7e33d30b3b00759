"""DICOM series to volumes, and every reason why there is none."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_folder, read_series

from .synthesise import AXIAL, CORONAL, SAGITTAL, set_pixels, voxels, write_enhanced, write_series


def reason_of(files) -> str:
    with pytest.raises(ScanError) as raised:
        read_series(files)
    assert raised.value.args[0].startswith(raised.value.reason)
    return raised.value.reason


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), orientation=st.sampled_from([AXIAL, CORONAL, SAGITTAL]))
def test_shuffled_and_renamed_slices_give_the_same_volume(tmp_path_factory, seed, orientation):
    rng = np.random.default_rng(seed)
    stack = voxels(seed=seed)
    plain = write_series(tmp_path_factory.mktemp("plain"), stack, orientation=orientation)
    expected = read_series(plain)
    names = [f"{number:08x}" for number in rng.permutation(2**20)[: len(stack)]]

    def scramble(header, number):
        header.InstanceNumber = int(rng.integers(1, 999))

    other = write_series(tmp_path_factory.mktemp("other"), stack, orientation=orientation, names=names, change=scramble)
    volume = read_series([other[number] for number in rng.permutation(len(other))])
    assert np.array_equal(volume.array, expected.array)
    assert np.array_equal(volume.array, stack.transpose(2, 1, 0))
    assert np.array_equal(volume.affine, expected.affine)
    assert volume.acquisition == pytest.approx(expected.acquisition, nan_ok=True)


def test_affine_and_spacing_of_an_axial_series(tmp_path):
    volume = read_series(write_series(tmp_path))
    assert volume.array.shape == (4, 5, 6)
    assert volume.affine == pytest.approx(
        np.array([[-1.0, 0, 0, 10], [0, -1.5, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])
    )
    facts = {"rows": 5, "columns": 4, "slices": 6, "spacing_row_mm": 1.5, "spacing_column_mm": 1.0}
    assert facts | {"spacing_slice_mm": 3.0, "orientation": "axial"} | volume.acquisition == volume.acquisition


def test_rescale_is_applied_slice_by_slice(tmp_path):
    def rescale(header, number):
        header.RescaleSlope, header.RescaleIntercept = 1 + 0.5 * number, -3

    stack = voxels()
    volume = read_series(write_series(tmp_path, stack, change=rescale))
    expected = stack * (1 + 0.5 * np.arange(6))[:, None, None] - 3
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, expected.transpose(2, 1, 0))


def test_whole_rescale_stays_whole(tmp_path):
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


def test_enhanced_frames_are_placed_by_their_groups(tmp_path):
    stack = voxels()
    volume = read_series([write_enhanced(tmp_path / "one", stack, order=[5, 3, 4, 0, 1, 2])])
    assert np.array_equal(volume.array, (2 * stack - 7).transpose(2, 1, 0))
    assert volume.affine[:3, 2] == pytest.approx([0, 0, 2.0])
    facts = {"sequence": "IR", "repetition_time_ms": 1800.0, "echo_time_ms": 2.41, "inversion_time_ms": 900.0}
    assert facts | volume.acquisition == volume.acquisition


def set_all(**values):
    return lambda header, number: [setattr(header, name, value) for name, value in values.items()]


def set_some(number_changed, **values):
    return lambda header, number: [
        setattr(header, name, value) for name, value in values.items() if number == number_changed
    ]


def remove(name):
    return lambda header, number: delattr(header, name)


CHANGES = {
    "mixed orientation": set_some(2, ImageOrientationPatient=list(SAGITTAL)),
    "varying matrix": lambda header, number: set_pixels(header, voxels((1, 7, 4))[0]) if number == 3 else None,
    "varying spacing": set_some(4, PixelSpacing=[1.5, 1.1]),
    "mixed echo times": set_some(0, EchoTime=30.0),
    "duplicate slice position": set_some(3, ImagePositionPatient=[-10.0, -20.0, -30.0]),
    "slices shifted sideways": set_some(3, ImagePositionPatient=[-5.0, -20.0, -21.0]),
    "mosaic": set_all(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]),
    "localiser": set_all(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "not MR": set_all(Modality="CT"),
    "no pixel data": remove("PixelData"),
    "no slice position": remove("ImagePositionPatient"),
    "no pixel spacing": remove("PixelSpacing"),
    "several series": set_some(2, SeriesInstanceUID="1.2.3.2"),
    "constant volume": lambda header, number: set_pixels(header, np.full((5, 4), 7, np.int16)),
    "no pixel spacing, not even a number": set_all(PixelSpacing=[1.0, 0.0]),
    "colour image": set_all(SamplesPerPixel=3),
    "unusable orientation": set_all(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
    "unreadable pixel data": set_all(BitsAllocated=24),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_reasons(tmp_path, reason):
    assert reason_of(write_series(tmp_path, change=CHANGES[reason])) == reason.split(",")[0]


def test_a_missing_slice_is_a_gap(tmp_path):
    files = write_series(tmp_path)
    assert reason_of(files[:2] + files[3:]) == "gap between slices"


def test_one_slice_is_no_volume(tmp_path):
    assert reason_of(write_series(tmp_path)[:1]) == "single slice"


def test_no_file_is_no_volume():
    assert reason_of([]) == "no files"


def test_other_files_are_not_dicom(tmp_path):
    for name, content in {"a": b"# text\n", "b": b"\x08\x00" + b"rubbish" * 40, "c": b"{}"}.items():
        (tmp_path / name).write_bytes(content)
        assert reason_of([tmp_path / name]) == "not DICOM"


def test_infinite_pixels_are_refused(tmp_path):
    def to_float(header, number):
        pixels = np.ones((5, 4), np.float32)
        pixels[number % 5, 0] = np.nan
        del header.PixelData
        header.FloatPixelData, header.BitsAllocated = pixels.tobytes(), 32

    assert reason_of(write_series(tmp_path, change=to_float)) == "non-finite"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999), number=st.integers(0, 5))
def test_a_cut_file_never_gives_a_volume(tmp_path, share, number):
    files = write_series(tmp_path / "series")
    content = files[number].read_bytes()
    files[number].write_bytes(content[: int(share * len(content))])
    reading = read_folder(files)
    assert reading.volume is None
    # A file that was cut between two elements is whole DICOM without an image.
    assert {one.reason for one in reading.refused} <= {"truncated file", "no pixel data", "gap between slices"}


def test_a_headerless_export_is_read(tmp_path):
    files = write_series(tmp_path / "series")
    expected = read_series(files)
    for path in files:
        content = path.read_bytes()
        # Skip preamble, prefix and the meta group: its length stands in its first element.
        start = 144 + int.from_bytes(content[140:144], "little")
        path.write_bytes(content[start:])
    assert np.array_equal(read_series(files).array, expected.array)


def test_of_several_series_the_largest_regular_one_is_taken(tmp_path):
    small = write_series(tmp_path, voxels((4, 5, 4)), series="1.2.3.2", names=[f"b{number}" for number in range(4)])
    large = write_series(tmp_path, voxels((6, 5, 4)), series="1.2.3.5", names=[f"a{number}" for number in range(6)])
    holes = write_series(tmp_path, voxels((9, 5, 4)), series="1.2.3.4", names=[f"c{number}" for number in range(9)])
    (tmp_path / "README.md").write_text("not a scan")
    reading = read_folder([*small, *large, *holes[:3], *holes[4:], tmp_path / "README.md"])
    assert reading.volume is not None
    assert np.array_equal(reading.volume.array, voxels((6, 5, 4)).transpose(2, 1, 0))
    found = sorted((one.reason, one.files) for one in reading.refused)
    assert found == [("another series was taken: it has more slices", 4), ("gap between slices", 8), ("not DICOM", 1)]


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
def test_compressed_pixels_are_the_same_pixels(tmp_path, syntax):
    stack = voxels((3, 64, 64)).astype(np.uint16)
    plain = read_series(write_series(tmp_path / "plain", stack))

    def compress(header, number):
        header.compress(syntax, generate_instance_uid=False)

    files = write_series(tmp_path / "packed", stack, change=compress)
    assert files[0].stat().st_size != (tmp_path / "plain" / "Image-1.dcm").stat().st_size
    assert np.array_equal(read_series(files).array, plain.array)


def test_cut_compressed_pixels_are_refused(tmp_path):
    def compress(header, number):
        header.compress(uid.RLELossless, generate_instance_uid=False)

    files = write_series(tmp_path, voxels((3, 64, 64)).astype(np.uint16), change=compress)
    content = files[1].read_bytes()
    files[1].write_bytes(content[:-3000])
    assert reason_of(files) in ("truncated file", "unreadable pixel data")
