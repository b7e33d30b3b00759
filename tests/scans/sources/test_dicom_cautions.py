"""Cautions about a tree of DICOM name what is in use."""

import pytest

from brain_cae.scans.sources.dicom import Dicom
from tests.scans.sources.hospital import EXAM, write_exam


@pytest.mark.parametrize(
    ("modalities", "named"), [(("t1", "flair"), []), (("t1", "t1ce"), ["t1ce"]), (("t1", "flair", "t1ce"), ["t1ce"])]
)
def test_series_in_doubt_are_named_if_they_are_in_use(tmp_path, modalities, named):
    exam = {"t1": EXAM["t1"], "flair": EXAM["flair"], "after": EXAM["t1"]}

    def describe(header, name):
        header.SeriesDescription = "t1 post Gd" if name == "after" else name

    write_exam(tmp_path / "scans", exam=exam, change=describe)
    # Of a later visit, which is not used, nothing is said.
    write_exam(tmp_path / "scans", date="20200101", exam=exam, change=describe)
    key = tmp_path / "key"
    source = Dicom(str(tmp_path / "scans"), key_file=str(key), modalities=modalities, progress=False)
    assert len(source.locate()) == 2 * len(modalities)
    found = [note for note in source.notes() if "in doubt" in note]
    assert [note.count(" t1ce: ") for note in found] == [1] * len(named)


def test_a_localiser_is_no_scan_that_was_left_out(tmp_path):
    exam = dict.fromkeys(("t1", "again", "scout"), EXAM["t1"])
    exam["three slices"] = EXAM["t1"] | {"slices": 3, "times": (8.6, 4.0, None, 20)}

    def describe(header, name):
        header.SeriesDescription = "3-plane localizer" if name == "scout" else "t1"

    files = write_exam(tmp_path / "scans", exam=exam, change=describe)
    source = Dicom(str(tmp_path / "scans"), key_file=str(tmp_path / "key"), modalities=("t1",), progress=False)
    (location,) = source.locate()
    assert location.left_out == () and set(location.files) == {*files["t1"], *files["again"]}
    assert len(source.overview()) == 4
