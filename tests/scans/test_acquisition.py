"""Index columns from headers: units, and no private data."""

import math

import pytest
from pydicom.dataset import Dataset

from brain_cae.scans.acquisition import age_in_years, read_acquisition, scan_year

from .synthesise import PRIVATE, make_header


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


@pytest.mark.parametrize(("written", "tesla"), [(15000, 1.5), (30000, 3.0), (1.494, 1.494), (3, 3.0), (0, math.nan)])
def test_field_strength_in_gauss_becomes_tesla(written, tesla):
    header = make_header("1.2", "1.2.3")
    header.MagneticFieldStrength = written
    assert read_acquisition(header)["field_strength_t"] == pytest.approx(tesla, nan_ok=True)


@pytest.mark.parametrize(
    ("kinds", "sequence"), [(["GR", "IR"], "IR"), ("GR", "GRE"), ("SE", "SE"), ("RM", "unknown"), (["SE", "IR"], "IR")]
)
def test_sequence(kinds, sequence):
    header = make_header("1.2", "1.2.3")
    header.ScanningSequence = kinds
    assert read_acquisition(header)["sequence"] == sequence


@pytest.mark.parametrize(
    ("text", "years"),
    [("045Y", 45.0), ("018M", 1.5), ("014D", 0.04), ("", math.nan), ("old", math.nan), ("45", math.nan)],
)
def test_age(text, years):
    assert age_in_years(text) == pytest.approx(years, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "year"),
    [("20220711", 2022.0), ("1996.03.14", 1996.0), ("", math.nan), ("0000", math.nan), ("12345678", math.nan)],
)
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
