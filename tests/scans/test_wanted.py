"""Of several series in a folder that is named after a contrast, one of this contrast is taken."""

import pytest

from brain_cae.scans.contrast_rules import Contrast
from brain_cae.scans.dicom import read_folder
from brain_cae.scans.wanted import Seen, fit
from tests.scans.synthesise import SAGITTAL, set_all, voxels, write_series

T1 = {"RepetitionTime": 500.0, "EchoTime": 12.0}
T2 = {"RepetitionTime": 5000.0, "EchoTime": 95.0}
OPEN = {"RepetitionTime": None}
AGENT = {"ContrastBolusAgent": "Gadovist"}
NOT_WANTED = "another series was taken: it has the contrast that is wanted"
DOUBTFUL = "another series was taken: it leaves no doubt about it"


def write_two(folder, first, second):
    """Write a series and a later one; return the files of each."""
    return [
        write_series(folder / name, voxels(seed=n), series=f"1.2.3.{n}", change=set_all(SeriesNumber=n, **values))
        for n, (name, values) in enumerate((("first", first), ("second", second)), start=1)
    ]


@pytest.mark.parametrize(
    ("modality", "first", "second", "place"),
    [
        ("t1", T1, T1 | AGENT, 0),
        ("t1ce", T1 | AGENT, T1, 0),
        ("t1", T1, T1 | {"SeriesDescription": "T1 post Gd"}, 0),
        ("t1", T1, T2, 0),
        ("t2", T2, T1, 0),
        ("t1", T1, T1, 1),  # a repeat
        ("flair", T1, T2, 1),  # neither is
        ("t2", T2, T2 | AGENT, 0),
        ("t1", T1, T1 | {"SeriesDescription": "T1 SUB"}, 0),
        ("t1", OPEN, OPEN | AGENT, 0),
        ("t1ce", OPEN | AGENT, OPEN, 0),
    ],
)
@pytest.mark.parametrize("pixels", [True, False])
def test_the_contrast_of_the_folder_goes_before_the_number(tmp_path, modality, first, second, place, pixels):
    files = write_two(tmp_path, first, second)
    reading = read_folder([*files[0], *files[1]], modality=modality, pixels=pixels)
    assert reading.path in files[place]
    if place == 0:
        assert [one.reason for one in reading.refused] in ([NOT_WANTED], [DOUBTFUL]) and reading.notes == ()


def test_an_agent_that_the_first_file_does_not_name_is_found(tmp_path):
    first, second = write_two(tmp_path, T1, T1)
    others = write_series(
        tmp_path / "second",
        voxels(seed=2),
        series="1.2.3.2",
        change=lambda header, number: set_all(SeriesNumber=2, **T1, **(AGENT if number else {}))(header, number),
    )
    assert others == second
    assert read_folder([*first, *second], modality="t1").path in first


def test_of_a_dual_echo_the_wanted_one_is_taken(tmp_path):
    pd = write_series(tmp_path / "pd", voxels(seed=1), change=set_all(EchoTime=12.0))
    t2 = write_series(tmp_path / "t2", voxels(seed=2), change=set_all(EchoTime=95.0))
    reading = read_folder([*pd, *t2], modality="t2")
    assert reading.path in t2 and [one.reason for one in reading.refused] == [NOT_WANTED]


def test_of_an_mp2rage_in_one_folder_the_uniform_image_is_taken(tmp_path):
    inverted = {"RepetitionTime": 5000.0, "EchoTime": 2.98, "FlipAngle": 4.0, "ScanningSequence": ["GR", "IR"]}
    uniform = inverted | {"InversionTime": None, "ImageType": ["DERIVED", "PRIMARY", "M", "ND", "UNI"]}
    first, second = write_two(tmp_path, uniform, inverted | {"InversionTime": 700.0})
    assert read_folder([*first, *second], modality="t1").path in first


def test_what_was_reformatted_under_the_identifier_of_a_scan_is_another_series(tmp_path):
    scan = write_series(tmp_path / "scan", voxels(seed=1), orientation=SAGITTAL, change=set_all(**T1))
    reformatted = write_series(
        tmp_path / "mpr", voxels(seed=2), change=set_all(ImageType=["DERIVED", "SECONDARY", "MPR"], **T1)
    )
    reading = read_folder([*reformatted, *scan], modality="t1")
    assert reading.path in scan
    assert [one.reason for one in reading.refused] == ["another series was taken: it is original"]


def seen(name, doubt="", *, agent=False):
    return Seen(Contrast(name, "", doubt), agent)


def test_a_contrast_fits_better_without_doubt_and_a_t1_after_contrast_agent_less():
    assert fit(seen("t1"), "t1") > fit(seen("t1", "in doubt"), "t1") > fit(seen("t1ce", agent=True), "t1")
    assert fit(seen("unknown"), "t1") > fit(seen("unknown", agent=True), "t1") > fit(seen("t2"), "t1")
    assert fit(seen("t1"), "") == fit(seen("unknown"), "") == (0, True)
