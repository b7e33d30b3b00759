import csv
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.phantom import PhantomSettings, simulate_subject, write_cohort
from brain_cae.phantom.dicom import FOLDERS

SETTINGS = PhantomSettings(subjects=3, seed=11, abnormal_fraction=0.34)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(SETTINGS, tmp_path_factory.mktemp("phantom"), progress=False)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_layout_and_labels(cohort: Path) -> None:
    assert cohort.name == SETTINGS.key()
    rows = list(csv.DictReader((cohort / "train_labels.csv").open()))
    assert [row["BraTS21ID"] for row in rows] == ["00000", "00001", "00002"]
    assert [int(row["MGMT_value"]) for row in rows] == SETTINGS.labels().tolist()
    for row in rows:
        assert {p.name for p in (cohort / "train" / row["BraTS21ID"]).iterdir()} == set(FOLDERS.values())
    seen = [path.name for path in cohort.iterdir() if not path.name.startswith(".")]
    assert sorted(seen) == ["complete", "masks", "train", "train_labels.csv"]


@pytest.mark.parametrize("number", range(3))
def test_files_hold_the_simulated_pixels_at_their_place(cohort: Path, number: int) -> None:
    subject = simulate_subject(SETTINGS, number)
    for modality, folder in FOLDERS.items():
        series = subject.series[modality]
        files = [pydicom.dcmread(p) for p in (cohort / "train" / subject.identifier / folder).glob("Image-*.dcm")]
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


@pytest.mark.parametrize("number", range(3))
def test_headers_carry_the_protocol(cohort: Path, number: int) -> None:
    subject = simulate_subject(SETTINGS, number)
    for modality, folder in FOLDERS.items():
        header = pydicom.dcmread(next((cohort / "train" / subject.identifier / folder).iterdir()))
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


def test_identifiers_are_unique(cohort: Path) -> None:
    headers = [pydicom.dcmread(p, stop_before_pixels=True) for p in cohort.glob("train/*/*/*.dcm")]
    assert len({h.SOPInstanceUID for h in headers}) == len(headers)
    assert len({h.SeriesInstanceUID for h in headers}) == 12
    assert len({h.StudyInstanceUID for h in headers}) == 3
    assert all(len(h.SOPInstanceUID) <= 64 for h in headers)


def test_masks_lie_on_the_flair(cohort: Path) -> None:
    for number, label in enumerate(SETTINGS.labels()):
        image = nibabel.load(cohort / "masks" / f"{number:05d}.nii.gz")
        volume, affine = simulate_subject(SETTINGS, number, modalities=("flair",)).series["flair"].volume()
        assert image.shape == volume.shape
        assert image.get_data_dtype() == np.uint8
        np.testing.assert_allclose(image.affine, affine, atol=1e-4)
        assert bool(np.asarray(image.dataobj).any()) == bool(label)


def test_same_bytes_again_with_two_workers(cohort: Path, tmp_path: Path) -> None:
    again = write_cohort(SETTINGS, tmp_path, workers=2, progress=False)
    assert _contents(again) == _contents(cohort)


def test_complete_cohort_is_reused_and_interrupted_one_continued(tmp_path: Path) -> None:
    settings = PhantomSettings(subjects=2, seed=5, abnormal_fraction=0.5)
    folder = write_cohort(settings, tmp_path, progress=False)
    kept = folder / "train" / "00000" / "FLAIR" / "Image-1.dcm"
    before, stamp = _contents(folder), kept.stat().st_mtime_ns
    assert write_cohort(settings, tmp_path, progress=False) == folder

    # As if killed while writing the second subject.
    (folder / "complete").unlink()
    (folder / "train_labels.csv").unlink()
    (folder / ".partial" / "00001-1").mkdir(parents=True)
    (folder / "train" / "00001").rename(folder / ".partial" / "00001-1" / "FLAIR")
    write_cohort(settings, tmp_path, progress=False)
    assert _contents(folder) == before
    assert kept.stat().st_mtime_ns == stamp


def test_no_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="worker"):
        write_cohort(SETTINGS, tmp_path, workers=0)
