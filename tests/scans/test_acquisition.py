"""Index columns from headers: units, and no private data."""

import math

import pytest
from pydicom.dataset import Dataset

from brain_cae.scans.acquisition import age_in_years, in_tesla, read_acquisition, scan_year, times_of
from brain_cae.scans.file import open_dicom

from .synthesise import PRIVATE, make_header, set_all, write_series


def test_a_full_header():
    assert read_acquisition(make_header("1.2", "1.2.3")) == pytest.approx(
        {
            "age": 45.0, "sex": "F", "scan_year": 2019.0, "sequence": "SE", "dimensionality": "2D",
            "repetition_time_ms": 5000.0, "echo_time_ms": 90.0, "inversion_time_ms": math.nan,
            "flip_angle_deg": 150.0, "field_strength_t": 3.0, "manufacturer": "SIEMENS", "model": "Skyra",
        },
        nan_ok=True,
    )  # fmt: skip


def test_an_empty_header_is_unknown_everywhere():
    acquisition = read_acquisition(Dataset())
    texts = {"sex": "", "sequence": "unknown", "dimensionality": "unknown", "manufacturer": "", "model": ""}
    assert {name: acquisition[name] for name in texts} == texts
    assert all(math.isnan(value) for name, value in acquisition.items() if name not in texts)


@pytest.mark.parametrize(("written", "tesla"), [
    (15000, 1.5), (30000, 3.0), (1.494, 1.494), (3, 3.0), (0, math.nan), (1500, 1.5), (3000, 3.0), (7000, 7.0),
    (14940, 1.494), (64, 0.064), (640, 0.064), (4700, 4.7), (2000, 0.2), (5000, 0.5), (123456789, math.nan),
    (-3, math.nan), (0.00015, math.nan),
    ("1.5T", 1.5), ("3.0 Tesla", 3.0), ("1500 mT", 1.5), ("15000G", 1.5), ("15 kG", 1.5), ("1.5e+00", 1.5),
    ("", math.nan), ("high", math.nan), ("1,5", math.nan), ("3 V", math.nan),
])  # fmt: skip
def test_field_strength_becomes_tesla(written, tesla):
    assert in_tesla(written) == pytest.approx(tesla, nan_ok=True)


def test_times_with_a_decimal_comma_are_read(tmp_path):
    path = write_series(tmp_path, change=set_all(RepetitionTime="2300.5", EchoTime="12.75"))[0]
    content = path.read_bytes()
    path.write_bytes(content.replace(b"2300.5", b"2300,5").replace(b"12.75", b"12,75"))
    assert path.read_bytes() != content
    times = times_of(open_dicom(path).elements).times
    assert (times["repetition_time_ms"], times["echo_time_ms"]) == (2300.5, 12.75)


def test_a_malformed_field_strength_is_read_or_unknown(tmp_path):
    for number, (text, tesla) in enumerate({b"3.0T": 3.0, b"here": math.nan}.items()):
        path = write_series(tmp_path / str(number), change=set_all(MagneticFieldStrength="1234"))[0]
        path.write_bytes(path.read_bytes().replace(b"\x18\0\x87\0DS\4\x001234", b"\x18\0\x87\0DS\4\0" + text))
        assert read_acquisition(open_dicom(path).elements)["field_strength_t"] == pytest.approx(tesla, nan_ok=True)


def test_times_in_seconds_are_converted_together():
    header = make_header("1.2", "1.2.3")
    header.RepetitionTime, header.EchoTime, header.InversionTime = 2.3, 0.003, 0.9
    header.ScanningSequence = ["GR", "IR"]
    times = times_of(header)
    assert (times.times, times.unit) == (
        {"repetition_time_ms": 2300.0, "echo_time_ms": 3.0, "inversion_time_ms": 900.0}, "seconds"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "sequence"), [(["GR", "IR"], "IR"), ("GR", "GRE"), ("SE", "SE"), ("RM", "unknown"), (["SE", "IR"], "IR")]
)
def test_sequence(kinds, sequence):
    header = make_header("1.2", "1.2.3")
    header.ScanningSequence = kinds
    assert read_acquisition(header)["sequence"] == sequence


@pytest.mark.parametrize(
    ("text", "years"),
    [("045Y", 45.0), ("018M", 1.5), ("014D", 0.04), ("", math.nan), ("old", math.nan), ("45", math.nan),
     ("000Y", math.nan), ("000D", math.nan), ("219Y", math.nan), ("999Y", math.nan), ("101Y", 101.0)],
)  # fmt: skip
def test_age(text, years):
    assert age_in_years(text) == pytest.approx(years, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "year"),
    [("20220711", 2022.0), ("1996.03.14", 1996.0), ("", math.nan), ("0000", math.nan), ("12345678", math.nan),
     ("19000101", math.nan), ("19700101", math.nan), ("19840515", 1984.0), ("00000000", math.nan)],
)  # fmt: skip
def test_scan_year(text, year):
    assert scan_year(text) == pytest.approx(year, nan_ok=True)


def test_the_year_comes_only_from_the_study():
    header = make_header("1.2", "1.2.3")
    header.StudyDate = ""
    header.ContentDate = header.AcquisitionDate = "20200101"
    assert math.isnan(read_acquisition(header)["scan_year"])


def test_an_unknown_sex_is_empty():
    header = make_header("1.2", "1.2.3")
    header.PatientSex = "O"
    assert read_acquisition(header)["sex"] == ""


def test_no_private_data_are_read_from_a_header():
    text = repr(read_acquisition(make_header("1.2", "1.2.3")))
    assert not any(value in text for value in (*PRIVATE.values(), "confidential"))
