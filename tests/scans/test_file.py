"""Opening one file: what is DICOM, whether it is complete, and its series."""

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_series
from brain_cae.scans.file import open_dicom

from .synthesise import transcode, write_series
from .test_dicom import reason_of


def test_other_files_are_not_dicom(tmp_path):
    for name, content in {"a": b"# text\n", "b": b"\x08\x00" + b"rubbish" * 40, "c": b"{}"}.items():
        (tmp_path / name).write_bytes(content)
        assert reason_of([tmp_path / name]) == "not DICOM"


def test_an_export_without_preamble_is_read(tmp_path):
    files = write_series(tmp_path / "series")
    expected = read_series(files)
    for path in files:
        content = path.read_bytes()
        # Skip preamble, prefix and meta group, whose length is in its first element.
        start = 144 + int.from_bytes(content[140:144], "little")
        path.write_bytes(content[start:])
    assert np.array_equal(read_series(files).array, expected.array)


def test_a_missing_end_is_detected_with_and_without_reading_pixels(tmp_path):
    path = write_series(tmp_path)[0]
    content = path.read_bytes()
    for pixels in (True, False):
        whole = open_dicom(path, pixels=pixels)
        assert (whole.series, whole.cut, whole.is_directory) == ("1.2.3.1", False, False)
    path.write_bytes(content[:-1])
    assert open_dicom(path).cut and open_dicom(path, pixels=False).cut


def test_an_empty_or_missing_file_has_its_own_reason(tmp_path):
    (tmp_path / "empty").touch()
    for name, reason in {"empty": "truncated file", "none": "unreadable file"}.items():
        with pytest.raises(ScanError) as raised:
            open_dicom(tmp_path / name)
        assert raised.value.reason == reason


def test_a_long_header_is_read_without_the_pixels(tmp_path):
    def change(header, number):
        header.add_new(0x00091001, "OB", bytes(10**6) if number else bytes(10**5))

    for path in write_series(tmp_path, change=change)[:2]:
        file = open_dicom(path, pixels=False)
        assert file.elements.whole("Rows", 0) == 5 and not file.cut


def test_a_damaged_start_is_not_taken_for_another_kind_of_file(tmp_path):
    path = write_series(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"DICM", b"D\0CM"))
    with pytest.raises(ScanError) as raised:
        open_dicom(path)
    assert raised.value.reason == "damaged header"


def test_a_deflated_file_is_not_inflated_beyond_the_limit(tmp_path, monkeypatch):
    path = transcode(write_series(tmp_path / "deflated")[0], DeflatedExplicitVRLittleEndian)
    assert open_dicom(path).series == "1.2.3.1"
    monkeypatch.setattr("brain_cae.scans.raw_header.INFLATED", 100)
    monkeypatch.setattr("brain_cae.scans.raw_header.INFLATED_TIMES", 0)
    with pytest.raises(ScanError, match="damaged header"):
        open_dicom(path)
    open_dicom(write_series(tmp_path / "plain")[0])
