"""Sidecars: inheritance, units, and values that are never used."""

import pytest

from brain_cae.scans.sources.sidecar import Sidecars, parse_name

from .layouts import touch, write_json


def test_a_name_is_entities_and_a_suffix(tmp_path):
    name = parse_name(tmp_path / "sub-01_ses-2_acq-a-b_T1w.nii.gz")
    assert name.entities == {"sub": "01", "ses": "2", "acq": "a-b"} and name.suffix == "T1w"


def test_specific_sidecars_win_over_general_ones(tmp_path):
    scan = tmp_path / "sub-01" / "ses-2" / "anat" / "sub-01_ses-2_acq-fast_T1w.nii.gz"
    touch(tmp_path, str(scan.relative_to(tmp_path)))
    write_json(tmp_path / "T1w.json", RepetitionTime=1, EchoTime=0.001, FlipAngle=1, MagneticFieldStrength=1.5)
    write_json(tmp_path / "acq-fast_T1w.json", RepetitionTime=2, EchoTime=0.002, FlipAngle=2)
    write_json(tmp_path / "acq-slow_T1w.json", RepetitionTime=9, Manufacturer="other acquisition")
    write_json(tmp_path / "T2w.json", Manufacturer="other suffix")
    write_json(tmp_path / "sub-01" / "sub-01_T1w.json", EchoTime=0.003, FlipAngle=3)
    write_json(scan.with_name("sub-01_ses-2_acq-fast_T1w.json"), FlipAngle=4)
    assert Sidecars(tmp_path).acquisition(scan) == {
        "repetition_time_ms": 2000.0, "echo_time_ms": 3.0, "flip_angle_deg": 4.0, "field_strength_t": 1.5
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ({"ScanningSequence": "GR\\IR", "MRAcquisitionType": "3D"}, {"sequence": "IR", "dimensionality": "3D"}),
        ({"ScanningSequence": ["SE"], "ManufacturersModelName": " Sky ra "}, {"sequence": "SE", "model": "Sky ra"}),
        ({"ScanningSequence": "GR"}, {"sequence": "GRE"}),
        ({"MagneticFieldStrength": 15000}, {"field_strength_t": 1.5}),
        ({"InversionTime": 0, "EchoTime": "0.09", "RepetitionTime": None, "FlipAngle": True}, {}),
        ({"EchoTime": 10**400, "RepetitionTime": float("inf"), "FlipAngle": float("nan")}, {}),
        ({"EchoTime": [0.09, 0.1]}, {"echo_time_ms": 90.0}),
        ({"PatientName": "Secret^Person", "InstitutionName": "a", "ProtocolName": "b", "SeriesDescription": "c"}, {}),
    ],
)
def test_values(tmp_path, content, columns):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    write_json(scan.with_name("sub-01_T1w.json"), **content)
    assert Sidecars(tmp_path).acquisition(scan) == columns


def test_milliseconds_are_not_taken_for_seconds(tmp_path):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    write_json(scan.with_name("sub-01_T1w.json"), RepetitionTime=2300, EchoTime=0.003)
    sidecars = Sidecars(tmp_path)
    assert sidecars.acquisition(scan) == {"echo_time_ms": 3.0}
    assert sidecars.implausible == {"RepetitionTime of sub-01_T1w.nii.gz"}


@pytest.mark.parametrize("text", ["{", "[1]", '"a"', "", "[" * 100_000])
def test_a_broken_sidecar_is_named_and_ignored(tmp_path, text):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    scan.with_name("sub-01_T1w.json").write_text(text)
    sidecars = Sidecars(tmp_path)
    assert sidecars.acquisition(scan) == {}
    assert sidecars.broken == {"sub-01/anat/sub-01_T1w.json"}
