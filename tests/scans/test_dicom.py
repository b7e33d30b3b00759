"""Volumes from DICOM series, and the reasons for refusal."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.fileset import FileSet

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_folder, read_series
from brain_cae.scans.sources.base import visible_files

from .synthesise import AXIAL, CORONAL, SAGITTAL, make_header, remove, set_all, set_some, voxels, write_series


def reason_of(files) -> str:
    with pytest.raises(ScanError) as raised:
        read_series(files)
    assert raised.value.args[0].startswith(raised.value.reason)
    return raised.value.reason


@settings(max_examples=15)
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


CHANGES = {
    "no pixel data": remove("PixelData"),
    "several series": set_some(2, SeriesInstanceUID="1.2.3.2"),
    "unreadable pixel data": set_all(BitsAllocated=24),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_reasons(tmp_path, reason):
    assert reason_of(write_series(tmp_path, change=CHANGES[reason])) == reason.split(",")[0]


def test_a_missing_slice_is_a_gap(tmp_path):
    files = write_series(tmp_path)
    assert reason_of(files[:2] + files[3:]) == "gap between slices"


def test_one_slice_is_not_a_volume(tmp_path):
    assert reason_of(write_series(tmp_path)[:1]) == "single slice"


def test_a_series_without_files_is_refused():
    assert reason_of([]) == "no files"


def test_infinite_pixels_are_refused(tmp_path):
    def to_float(header, number):
        pixels = np.ones((5, 4), np.float32)
        pixels[number % 5, 0] = np.nan
        del header.PixelData
        header.FloatPixelData, header.BitsAllocated = pixels.tobytes(), 32

    assert reason_of(write_series(tmp_path, change=to_float)) == "non-finite"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999), number=st.integers(0, 5))
def test_a_cut_file_never_gives_a_volume(tmp_path, share, number):
    files = write_series(tmp_path / "series")
    content = files[number].read_bytes()
    files[number].write_bytes(content[: int(share * len(content))])
    reading = read_folder(files)
    assert reading.volume is None
    # A file that was cut between two elements is valid DICOM without an image.
    assert {one.reason for one in reading.refused} <= {
        "truncated file", "damaged header", "no pixel data", "gap between slices"
    }  # fmt: skip


def test_of_several_series_the_largest_regular_one_is_taken(tmp_path):
    small = write_series(tmp_path, voxels((4, 5, 4)), series="1.2.3.2", names=[f"b{number}" for number in range(4)])
    large = write_series(tmp_path, voxels((6, 5, 4)), series="1.2.3.5", names=[f"a{number}" for number in range(6)])
    holes = write_series(tmp_path, voxels((9, 5, 4)), series="1.2.3.4", names=[f"c{number}" for number in range(9)])
    (tmp_path / "README.md").write_text("not a scan")
    reading = read_folder([*small, *large, *holes[:3], *holes[4:], tmp_path / "README.md"])
    assert reading.volume is not None
    assert np.array_equal(reading.volume.array, voxels((6, 5, 4)).transpose(2, 1, 0))
    refused = sorted((one.reason, one.files) for one in reading.refused)
    assert refused == [("another series was taken: it has more slices", 4), ("gap between slices", 8), ("not DICOM", 1)]


def test_cut_compressed_pixels_are_refused(tmp_path):
    def compress(header, number):
        header.compress(uid.RLELossless, generate_instance_uid=False)

    files = write_series(tmp_path, voxels((3, 64, 64)).astype(np.uint16), change=compress)
    content = files[1].read_bytes()
    files[1].write_bytes(content[:-3000])
    assert reason_of(files) in ("truncated file", "unreadable pixel data")


def test_slices_are_ordered_by_geometry_alone(tmp_path):
    expected = read_series(write_series(tmp_path / "plain"))
    files = write_series(tmp_path / "bare", change=remove("InstanceNumber"))
    volume = read_series(files[::-1])
    assert np.array_equal(volume.array, expected.array)
    assert np.array_equal(volume.affine, expected.affine)


def test_a_repeated_export_is_used_once(tmp_path):
    first = write_series(tmp_path / "first")
    again = write_series(tmp_path / "second", names=[f"copy{number}" for number in range(6)])
    reading = read_folder([*first, *again[:4]])
    assert np.array_equal(reading.volume.array, read_series(first).array)
    assert [(one.reason, one.files) for one in reading.refused] == [("identical copy", 4)]


def test_one_series_over_several_folders_is_one_volume(tmp_path):
    files = write_series(tmp_path)
    for number, path in enumerate(files):
        folder = tmp_path / f"disc{number % 2}" / "IMAGES"
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / f"IM{number:04d}")
    files = visible_files(tmp_path)
    assert len(files) == 6
    assert np.array_equal(read_folder(files).volume.array, voxels().transpose(2, 1, 0))


def test_a_dicomdir_is_ignored(tmp_path):
    facts = {"PatientID": "1", "StudyID": "1", "StudyTime": "120000", "SeriesNumber": 1}
    directory = FileSet()
    for path in write_series(tmp_path, change=set_all(**facts)):
        directory.add(path)
    directory.write(tmp_path / "disc")
    files = visible_files(tmp_path / "disc")
    assert "DICOMDIR" in {path.name for path in files}
    reading = read_folder(files)
    assert reading.volume is not None and reading.refused == ()
    assert np.array_equal(read_series(files).array, reading.volume.array)
    assert read_folder([tmp_path / "disc" / "DICOMDIR"]).refused == ()


DERIVED = ["DERIVED", "SECONDARY", "MPR"]
CHOICES = {
    # by reason in the report: how the better series differs from the other one
    "shows the head": ({}, {"change": set_all(BodyPartExamined="SPINE"), "stack": voxels((9, 5, 4))}),
    "is an ordinary image": ({}, {"change": set_all(ImageType=["DERIVED", "PRIMARY", "DIXON", "FAT"], SeriesNumber=9)}),
    "is an ordinary image, EPI": ({}, {"change": set_all(ScanningSequence=["EP", "SE"]), "stack": voxels((9, 5, 4))}),
    "is original": ({}, {"change": set_all(ImageType=DERIVED), "stack": voxels((9, 5, 4))}),
    "is no fast scout": (
        {},
        {"change": set_all(RepetitionTime=3.15, EchoTime=1.37, SeriesNumber=9), "stack": voxels((20, 5, 4))},
    ),
    "has more slices": ({"stack": voxels((7, 5, 4))}, {"stack": voxels((6, 9, 9))}),
    "has more voxels": ({"stack": voxels((6, 6, 4))}, {}),
    "has the higher number": ({"change": set_all(SeriesNumber=12)}, {"change": set_all(SeriesNumber=9)}),
    "was acquired later": (
        {"change": set_all(SeriesDate="20190304", SeriesTime="110000")},
        {"change": set_all(SeriesDate="20190304", SeriesTime="101500")},
    ),
    "has the later UID": ({}, {}),
    "has the shorter echo time": ({"change": set_all(EchoTime=80.0)}, {"change": set_all(EchoTime=160.0)}),
}


@pytest.mark.parametrize("advantage", CHOICES)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_of_several_series_is_taken_by_rule(tmp_path, advantage, swapped):
    better, worse = CHOICES[advantage]
    names = ("1.2.3.5", "1.2.3.4") if advantage == "has the later UID" or not swapped else ("1.2.3.4", "1.2.3.5")
    if advantage == "has the shorter echo time":
        names = ("1.2.3.4", "1.2.3.4")
    taken = write_series(tmp_path / "a", series=names[0], **better)
    other = write_series(tmp_path / "b", series=names[1], **worse)
    files = [*other, *taken] if swapped else [*taken, *other]
    reading = read_folder(files)
    assert reading.path in taken
    assert [(one.reason, one.path in other) for one in reading.refused] == [
        (f"another series was taken: it {advantage.removesuffix(', EPI')}", True)
    ]


def test_a_chosen_series_wins_over_the_rule(tmp_path):
    large = write_series(tmp_path / "large", voxels((9, 5, 4)), series="1.2.3.2")
    small = write_series(tmp_path / "small", voxels((4, 5, 4)), series="1.2.3.1")
    for chosen in (small[2], tmp_path / "small"):
        reading = read_folder([*large, *small], chosen)
        assert reading.volume.array.shape == (4, 5, 4)
        assert [one.reason for one in reading.refused] == ["another series was taken: it was chosen"]


def test_a_chosen_series_that_cannot_be_read_is_not_replaced(tmp_path):
    large = write_series(tmp_path / "large", voxels((9, 5, 4)), series="1.2.3.2")
    holes = write_series(tmp_path / "holes", series="1.2.3.1")
    reading = read_folder([*large, *holes[:3], *holes[4:]], holes[0])
    assert reading.volume is None
    assert max(reading.refused, key=lambda one: one.weight).reason == "gap between slices"
    (tmp_path / "notes.txt").write_text("no image")
    reading = read_folder([*large, tmp_path / "notes.txt"], tmp_path / "notes.txt")
    assert max(reading.refused, key=lambda one: one.weight).reason == "the chosen file is no image"


OBJECTS = {
    "raw data": "1.2.840.10008.5.1.4.1.1.66",
    "structured report": "1.2.840.10008.5.1.4.1.1.88.11",
    "presentation state": "1.2.840.10008.5.1.4.1.1.11.1",
    "spectroscopy": "1.2.840.10008.5.1.4.1.1.4.2",
    "encapsulated document": "1.2.840.10008.5.1.4.1.1.104.1",
    "not an image": "1.3.46.670589.11.0.0.12.2",
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_under_the_uid_of_the_images_is_set_aside(tmp_path, kind):
    files = write_series(tmp_path)
    header = make_header("1.2.3.1", "1.2.3.1.99")
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = OBJECTS[kind]
    header.Modality = "SR"
    header.save_as(tmp_path / "XX_0001", enforce_file_format=True)
    reading = read_folder([tmp_path / "XX_0001", *files])
    assert np.array_equal(reading.volume.array, voxels().transpose(2, 1, 0))
    assert [(one.reason, one.path.name) for one in reading.refused] == [(kind, "XX_0001")]
    assert read_folder([tmp_path / "XX_0001"]).refused[0].reason == kind


def test_a_screenshot_under_the_uid_of_the_images_is_set_aside(tmp_path):
    def change(header, number):
        header.SOPClassUID, header.ImageType = "1.2.840.10008.5.1.4.1.1.7", ["DERIVED", "SECONDARY", "SCREEN SAVE"]
        del header.ImagePositionPatient

    files = write_series(tmp_path) + write_series(tmp_path / "b", voxels((1, 9, 9)), change=change)
    reading = read_folder(files)
    assert reading.volume.array.shape == (4, 5, 6)
    assert [(one.reason, one.files) for one in reading.refused] == [("set aside: screenshot", 1)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty", b"", "truncated file"),
        ("zeros", bytes(4096), "truncated file"),
        ("notes.txt", b"no scan", "not DICOM"),
    ],
)
def test_a_foreign_file_is_named_and_the_images_are_taken(tmp_path, name, content, reason):
    files = write_series(tmp_path)
    (tmp_path / name).write_bytes(content)
    for pixels in (True, False):
        reading = read_folder([*files, tmp_path / name], pixels=pixels)
        assert reading.volume is not None and reading.volume.array.shape == (4, 5, 6)
        assert [(one.reason, one.path.name) for one in reading.refused] == [(reason, name)]


@pytest.mark.parametrize("place", [0, 5])
def test_an_empty_first_or_last_slice_is_not_passed_over(tmp_path, place):
    files = write_series(tmp_path)
    for content, reason in ((b"", "truncated file"), (b"/annex/objects/MD5E-s9--0.dcm\n", "not downloaded")):
        files[place].write_bytes(content)
        reading = read_folder(files)
        assert reading.volume is None
        assert max(reading.refused, key=lambda one: one.weight).reason == reason


@pytest.mark.parametrize("left", [0, 300, 700])
@pytest.mark.parametrize("folders", [("a", "b"), ("b", "a")])
def test_a_slice_that_another_export_has_is_not_lost(tmp_path, left, folders):
    first, second = (write_series(tmp_path / name) for name in folders)
    first[-1].write_bytes(first[-1].read_bytes()[:left])
    for pixels in (True, False):
        reading = read_folder([*first, *second], pixels=pixels)
        assert reading.volume is not None and reading.volume.array.shape == (4, 5, 6)
        assert "truncated file" in {one.reason for one in reading.refused}
    # But a folder of the same names may hold other slices.
    half = [*first[3:], *second[:3]]
    assert read_folder(half).volume is None


def test_a_lost_magnitude_is_not_found_in_the_folder_of_the_phase(tmp_path):
    magnitude = write_series(tmp_path / "m")
    phase = write_series(tmp_path / "p", change=set_all(ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]))
    magnitude[-1].write_bytes(b"")
    assert read_folder([*magnitude, *phase]).volume is None


def test_without_identifiers_the_number_tells_series_apart(tmp_path):
    def nameless(number):
        return lambda header, place: [delattr(header, "SeriesInstanceUID"), setattr(header, "SeriesNumber", number)]

    first = write_series(tmp_path / "a", voxels(seed=1), change=nameless(3))
    repeat = write_series(tmp_path / "b", voxels(seed=2), change=nameless(4))
    reading = read_folder([*first, *repeat])
    assert reading.path in repeat and reading.volume.array.shape == (4, 5, 6)
    assert [one.reason for one in reading.refused] == ["another series was taken: it has the higher number"]


def test_a_choice_between_contrasts_dates_or_patients_is_noted(tmp_path):
    first = write_series(tmp_path / "a", change=set_all(SeriesNumber=3))
    repeat = write_series(tmp_path / "b", series="1.2.3.2", change=set_all(SeriesNumber=4))
    t1 = set_all(RepetitionTime=500.0, EchoTime=12.0, SeriesNumber=5)
    contrast = write_series(tmp_path / "c", series="1.2.3.3", change=t1)
    stranger = write_series(tmp_path / "d", series="1.2.3.4", change=set_all(PatientID="4712"))
    assert read_folder([*first, *repeat]).notes == ()
    assert read_folder([*first, *contrast]).notes == ("series of several contrasts",)
    later = write_series(tmp_path / "f", series="1.2.3.6", change=set_all(StudyDate="20220102", SeriesNumber=4))
    assert read_folder([*first, *later]).notes == ("series of several dates",)
    assert read_folder([*first, *later], chosen=first[0].parent).notes == ()
    own = write_series(tmp_path / "e", series="1.2.3.5", change=set_all(PatientID="4711", SeriesNumber=2))
    assert read_folder([*own, *stranger]).notes == ("series of several patients",)


@pytest.mark.parametrize(
    ("thickness", "declared", "step", "noted"),
    [(3.0, 3.0, 2, True), (3.0, 3.0, 1, False), (1.0, 3.0, 1, True), (6.0, 6.0, 2, False), (3.0, None, 2, False),
     (6.0, 1.0, 1, False), (2.0, 1.0, 1, True)],
)  # fmt: skip
def test_slices_that_lie_twice_as_far_apart_as_they_say_are_noted(tmp_path, thickness, declared, step, noted):
    def change(header, number):
        header.SliceThickness, header.InstanceNumber = thickness, 1 + step * number
        if declared:
            header.SpacingBetweenSlices = declared

    reading = read_folder(write_series(tmp_path, distance=6.0, change=change))
    assert reading.volume is not None
    assert reading.notes == (("slices between the others may be missing",) if noted else ())


def test_a_slow_scan_in_seconds_is_no_scout(tmp_path):
    slow = write_series(tmp_path / "a", change=set_all(RepetitionTime="2.3", EchoTime="0.0029", ScanningSequence="GR"))
    scout = write_series(
        tmp_path / "b", voxels((9, 5, 4)), series="1.2.3.2", change=set_all(RepetitionTime="3.15", EchoTime="1.37")
    )
    reading = read_folder([*slow, *scout])
    assert reading.path in slow and reading.notes == ("times in seconds",)
    assert reading.volume.acquisition["repetition_time_ms"] == 2300.0


def test_malformed_values_that_place_no_slice_are_unknown(tmp_path):
    files = write_series(tmp_path)
    for path in files:
        content = path.read_bytes()
        at = content.index(b"\x20\0\x0d\0UI")
        more = b"\x18\0\x87\x90FD\2\0000 " + b"\x18\0\x79\x90FD\6\x000.264 "
        path.write_bytes((content[:at] + more + content[at:]).replace(b"DS\6\x005000.0", b"FL\6\x005000.0"))
    volume = read_series(files)
    assert np.isnan(volume.acquisition["repetition_time_ms"]) and volume.acquisition["echo_time_ms"] == 90.0
    assert np.array_equal(volume.array, voxels().transpose(2, 1, 0))
