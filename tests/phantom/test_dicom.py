"""The files contain the simulated pixels at their position, and the header of their protocol."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from brain_cae.phantom import Subject
from brain_cae.phantom.dicom import FOLDERS, write_series


@pytest.fixture(scope="module", params=["healthy", "tumour"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def written(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder for each series of the subject."""
    root = tmp_path_factory.mktemp("written")
    for modality, folder in FOLDERS.items():
        (root / folder).mkdir()
        write_series(subject, subject.series[modality], root / folder, "entropy")
    return root


def test_files_contain_the_simulated_pixels_at_their_position(written: Path, subject: Subject) -> None:
    for modality, folder in FOLDERS.items():
        series = subject.series[modality]
        files = [pydicom.dcmread(p) for p in (written / folder).glob("Image-*.dcm")]
        assert len(files) == series.pixels.shape[0]
        across, down = (np.array(files[0].ImageOrientationPatient, float)[i : i + 3] for i in (0, 3))
        normal = np.cross(across, down)
        # Along the stack of the simulator, whichever side of the normal that is.
        step = series.grid.affine[:3, 2] * (-1, -1, 1)
        files.sort(key=lambda f: float(np.dot(f.ImagePositionPatient, normal)) * np.sign(np.dot(step, normal)))
        np.testing.assert_array_equal(np.stack([f.pixel_array for f in files]), series.pixels)
        first = np.array(files[0].ImagePositionPatient, float) * (-1, -1, 1)
        np.testing.assert_allclose(first, series.grid.affine[:3, 3], atol=1e-5)
        gaps = np.diff([float(np.dot(f.ImagePositionPatient, step)) for f in files]) / np.linalg.norm(step)
        np.testing.assert_allclose(gaps, series.settings.slice_step_mm, atol=1e-4)


def test_headers_carry_the_protocol(written: Path, subject: Subject) -> None:
    for modality, folder in FOLDERS.items():
        header = pydicom.dcmread(next((written / folder).iterdir()))
        settings = subject.series[modality].settings
        assert (float(header.RepetitionTime), float(header.EchoTime)) == (settings.tr_ms, settings.te_ms)
        assert header.get("InversionTime") == settings.ti_ms
        assert float(header.FlipAngle) == settings.flip_angle_deg
        assert float(header.MagneticFieldStrength) == subject.protocol.field_t
        assert header.Manufacturer == subject.protocol.manufacturer
        assert header.MRAcquisitionType == settings.dimensionality
        assert [float(v) for v in header.PixelSpacing] == [settings.pixel_mm] * 2
        assert header.PatientAge == f"{subject.age:03d}Y"
        assert int(header.StudyDate[:4]) == subject.year
        assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("numbering", ["ascending", "descending", "shuffled"])
def test_file_names_follow_the_numbering_of_the_scanner(healthy: Subject, tmp_path: Path, numbering: str) -> None:
    series = replace(healthy.series["t2"], pixels=healthy.series["t2"].pixels[:5])
    write_series(replace(healthy, protocol=replace(healthy.protocol, numbering=numbering)), series, tmp_path, "a")
    step = series.grid.affine[:3, 2] * (-1, -1, 1)
    headers = [pydicom.dcmread(tmp_path / f"Image-{number}.dcm") for number in range(1, 6)]
    assert [int(header.InstanceNumber) for header in headers] == [1, 2, 3, 4, 5]
    along = [float(np.dot(header.ImagePositionPatient, step)) for header in headers]
    order = {"ascending": [0, 1, 2, 3, 4], "descending": [4, 3, 2, 1, 0], "shuffled": [0, 2, 4, 1, 3]}[numbering]
    assert np.argsort(np.argsort(along)).tolist() == order


def test_the_same_entropy_gives_the_same_identifiers(healthy: Subject, tmp_path: Path) -> None:
    uids = []
    for number, entropy in enumerate("aab"):
        (tmp_path / str(number)).mkdir()
        write_series(healthy, healthy.series["flair"], tmp_path / str(number), entropy)
        header = pydicom.dcmread(tmp_path / str(number) / "Image-1.dcm", stop_before_pixels=True)
        assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
        uids.append((header.SOPInstanceUID, header.SeriesInstanceUID, header.StudyInstanceUID))
    assert uids[0] == uids[1] and not set(uids[0]) & set(uids[2])
