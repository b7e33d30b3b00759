"""What tells whose scan it is, and nothing else; headers as they are in practice."""

import numpy as np
import pytest
from pydicom import dcmread

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_folder
from brain_cae.scans.identifiers import EMPTY, read_series

from .synthesise import write_series


def identified(folder, change=None, **values):
    def whose(header, number):
        header.FrameOfReferenceUID = "1.2.3.77"
        for name, value in values.items():
            setattr(header, name, value)
        if change:
            change(header, number)

    reading = read_folder(write_series(folder, change=whose))
    return read_series(reading.slices, reading.volume.affine, reading.volume.array.shape)


def test_each_slice_has_its_position_and_stands_for_its_file(tmp_path):
    series = identified(tmp_path)
    assert [float(header.ImagePositionPatient[2]) for header in series.headers] == [-30, -27, -24, -21, -18, -15]
    assert len({header.SOPInstanceUID for header in series.headers}) == 6
    images = [series.images[header.SOPInstanceUID] for header in series.headers]
    assert [(image.instance, image.frame) for image in images] == [(f"1.2.3.1.{n}", None) for n in range(6)]
    assert np.allclose(series.headers[0].PixelSpacing, (30, 25)) and series.headers[0].Rows == 5


def test_only_what_tells_whose_scan_it_is_is_read(tmp_path):
    header = identified(tmp_path, StudyDescription="confidential", AdditionalPatientHistory="confidential").headers[0]
    assert header.PatientName == "Secret^Person" and header.PatientBirthDate == "19450607"
    assert "confidential" not in str(header)
    assert set(EMPTY) <= set(header.dir()), "they must be there, and may be empty"
    assert header.PatientID == header.AccessionNumber == ""


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 100", "Müller^Jörg"), ("ISO_IR 192", "Нгуен^Žofia"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎")],
)
def test_names_in_any_alphabet(tmp_path, charset, name):
    assert identified(tmp_path, SpecificCharacterSet=charset, PatientName=name).headers[0].PatientName == name


def test_malformed_values_are_left_empty(tmp_path):
    def damage(header, number):
        for name, value in (("PatientBirthDate", "19450000"), ("StudyTime", "noon"), ("PatientSex", "male")):
            header[name] = header.data_element("PatientBirthDate").__class__(name, "LO", value)
        header.SliceThickness = ""

    header = identified(tmp_path, StudyTime="", change=damage).headers[0]
    assert header.PatientBirthDate == header.StudyTime == header.PatientSex == ""
    assert header.SliceThickness == header.SpacingBetweenSlices == 3


def frames_differ(header, number):
    header.FrameOfReferenceUID = f"1.2.3.7{number}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda header, number: delattr(header, "FrameOfReferenceUID"), "no frame of reference"),
        (frames_differ, "more than one frame of reference"),
        (lambda header, number: setattr(header, "StudyInstanceUID", ""), "no study"),
        (lambda header, number: setattr(header, "StudyInstanceUID", f"1.2.{number + 1}"), "more than one study"),
        (lambda header, number: setattr(header, "SOPInstanceUID", "1.2.9"), "no SOPInstanceUID of each file"),
    ],
)
def test_what_objects_cannot_refer_to_has_a_reason_and_advice(tmp_path, change, reason):
    with pytest.raises(ScanError) as caught:
        identified(tmp_path, change=change)
    assert caught.value.reason == reason and "export=bids" in caught.value.advice


def test_slices_that_each_have_their_own_series_refer_to_it(tmp_path):
    series = identified(tmp_path, change=lambda header, number: setattr(header, "SeriesInstanceUID", f"1.2.4.{number}"))
    assert {image.series for image in series.images.values()} == {f"1.2.4.{n}" for n in range(6)}
    assert len({header.SeriesInstanceUID for header in series.headers}) == 1


def test_a_file_that_is_gone_is_a_reason(tmp_path):
    paths = write_series(tmp_path, change=lambda header, number: setattr(header, "FrameOfReferenceUID", "1.2.3.77"))
    reading = read_folder(paths)
    assert dcmread(paths[2]).SOPInstanceUID
    paths[2].unlink()
    with pytest.raises(ScanError, match="unreadable file"):
        read_series(reading.slices, reading.volume.affine, reading.volume.array.shape)
