"""Sidecars: inheritance, units, and values that are never used."""

import pytest

from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.sidecar import Sidecars, parse_name, written_in

from .layouts import touch, write_json


def test_a_name_is_entities_and_a_suffix(tmp_path):
    name = parse_name(tmp_path / "sub-01_ses-2_acq-a-b_T1w.nii.gz")
    assert name.entities == {"sub": "01", "ses": "2", "acq": "a-b"} and name.suffix == "T1w"


@pytest.mark.parametrize(
    ("name", "folder", "written"),
    [
        ("sub-01_T1w.nii.gz", "sub-02", "sub-01"),
        ("sub-a_1_T1w.nii.gz", "sub-a_1", "sub-a_1"),
        ("sub-a_10_T1w.nii.gz", "sub-a_1", "sub-a"),
        ("T1w.nii.gz", "sub-01", ""),
        ("sub-01_T1w.nii.gz", "", "sub-01"),
    ],
)
def test_the_subject_of_a_name_may_have_an_underscore_if_the_folder_has_it(tmp_path, name, folder, written):
    assert written_in(tmp_path / name, "sub", folder) == written


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
        ({"InversionTime": 0, "EchoTime": "0.09", "RepetitionTime": None, "FlipAngle": True}, {"echo_time_ms": 90.0}),
        (
            {"MagneticFieldStrength": "3T", "RepetitionTime": "2.3"},
            {"field_strength_t": 3.0, "repetition_time_ms": 2300.0},
        ),
        ({"MagneticFieldStrength": 1500, "EchoTime": 10**400}, {"field_strength_t": 1.5}),
        ({"EchoTime": 10**400, "RepetitionTime": float("inf"), "FlipAngle": float("nan")}, {}),
        ({"EchoTime": [0.09, 0.1]}, {"echo_time_ms": 90.0}),
        ({"PatientName": "Secret^Person", "InstitutionName": "a", "ProtocolName": "b", "SeriesDescription": "c"}, {}),
    ],
)
def test_values(tmp_path, content, columns):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    write_json(scan.with_name("sub-01_T1w.json"), **content)
    assert Sidecars(tmp_path).acquisition(scan) == columns


@pytest.mark.parametrize(
    ("content", "columns", "kind"),
    [
        (
            {"RepetitionTime": 7.1, "EchoTime": 2.9, "InversionTime": 450},
            {"repetition_time_ms": 7.1, "echo_time_ms": 2.9, "inversion_time_ms": 450.0},
            "in_milliseconds",
        ),
        ({"RepetitionTime": 2300, "EchoTime": 0.003, "FlipAngle": 9}, {"flip_angle_deg": 9.0}, "implausible"),
        ({"RepetitionTime": 2.3, "EchoTime": 0.003}, {"repetition_time_ms": 2300.0, "echo_time_ms": 3.0}, ""),
    ],
)
def test_the_unit_of_times_is_decided_for_the_whole_sidecar_and_named(tmp_path, content, columns, kind):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    write_json(scan.with_name("sub-01_T1w.json"), **content)
    sidecars = Sidecars(tmp_path)
    assert sidecars.acquisition(scan) == columns
    named = {name for name in ("in_milliseconds", "implausible") if getattr(sidecars, name)}
    assert named == ({kind} if kind else set())


def test_values_that_are_not_numbers_are_named(tmp_path):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    write_json(scan.with_name("sub-01_T1w.json"), EchoTime="short", InversionTime=None, MagneticFieldStrength="strong")
    sidecars = Sidecars(tmp_path)
    assert sidecars.acquisition(scan) == {}
    assert sidecars.malformed == {
        f"{name} in sub-01/anat/sub-01_T1w.json" for name in ("EchoTime", "MagneticFieldStrength")
    }


@pytest.mark.parametrize("text", ["{", "[1]", '"a"', "", "[" * 100_000])
def test_a_broken_sidecar_is_named_and_ignored(tmp_path, text):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    scan.with_name("sub-01_T1w.json").write_text(text)
    sidecars = Sidecars(tmp_path)
    assert sidecars.acquisition(scan) == {}
    assert sidecars.broken == {"sub-01/anat/sub-01_T1w.json"}


def test_in_a_folder_only_the_sidecar_of_the_same_name_counts(tmp_path):
    touch(tmp_path, "a/t1.nii.gz", "a/flair/scan.nii.gz", "b/t1.nii", "b/t1.txt")
    write_json(tmp_path / "a" / "t1.json", RepetitionTime=2.3, Manufacturer="Siemens")
    write_json(tmp_path / "a" / "flair" / "scan.json", EchoTime=0.09)
    write_json(tmp_path / "t1.json", EchoTime=0.01)  # in BIDS, it would apply to all
    write_json(tmp_path / "b" / "protocol.json")
    source = Folder(tmp_path, modalities=["t1", "flair"])
    assert {(one.subject, one.modality): one.acquisition for one in source.locate()} == {
        ("a", "t1"): {"repetition_time_ms": 2300.0, "manufacturer": "Siemens"},
        ("a", "flair"): {"echo_time_ms": 90.0}, ("b", "t1"): {}, ("b", "flair"): {},
    }  # fmt: skip
    assert [note for note in source.notes() if "a/" in note] == []
    assert any("b/protocol.json, b/t1.txt" in note for note in source.notes())


def test_of_contrasts_and_in_a_table_of_paths_as_well(tmp_path):
    for contrast in ("T1", "FLAIR"):
        touch(tmp_path, *(f"{contrast}/{name}_{contrast}.nii.gz" for name in "ab"))
        write_json(tmp_path / contrast / f"b_{contrast}.json", FlipAngle=9)
    (tmp_path / "scans.csv").write_text("subject,modality,path\na,t1,T1/a_T1.nii.gz\nb,t1,T1/b_T1.nii.gz\n")
    for keys in ({"root": tmp_path}, {"table": tmp_path / "scans.csv"}):
        found = {one.subject: one.acquisition for one in Folder(modalities=["t1"], **keys).locate()}
        assert found == {"a": {}, "b": {"flip_angle_deg": 9.0}}


def test_a_sidecar_in_a_folder_that_cannot_be_read_is_named(tmp_path):
    touch(tmp_path, "a/t1.nii.gz", "a/t1.json")
    source = Folder(tmp_path, modalities=["t1"])
    source.locate()
    assert "1 sidecar cannot be read and is ignored: a/t1.json." in source.notes()
