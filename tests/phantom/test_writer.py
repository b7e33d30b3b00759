import csv
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from scipy.spatial.transform import Rotation

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


def test_the_table_of_motions_tells_where_the_headers_went(tmp_path: Path) -> None:
    still, moving = (
        write_cohort(PhantomSettings(subjects=1, seed=11, misalignment_mm=mm), tmp_path, progress=False)
        for mm in (0.0, 15.0)
    )
    rows = list(csv.DictReader((moving / "motion.csv").open()))
    assert [row["modality"] for row in rows] == ["t1", "t1ce", "t2"]
    flip = np.array([-1, -1, 1])  # from DICOM's LPS to RAS
    for row in rows:
        turn = Rotation.from_rotvec([float(row[f"{axis}_deg"]) for axis in "xyz"], degrees=True)
        shift = np.array([float(row[f"{axis}_mm"]) for axis in "xyz"])
        for place in sorted((still / "train" / "00000" / FOLDERS[row["modality"]]).iterdir())[::9]:
            before, after = (
                pydicom.dcmread(cohort / "train" / "00000" / FOLDERS[row["modality"]] / place.name)
                for cohort in (still, moving)
            )
            moved = turn.apply(flip * before.ImagePositionPatient) + shift
            np.testing.assert_allclose(flip * after.ImagePositionPatient, moved, atol=1e-4)
            columns = turn.apply(flip * np.reshape(before.ImageOrientationPatient, (2, 3)))
            np.testing.assert_allclose(flip * np.reshape(after.ImageOrientationPatient, (2, 3)), columns, atol=1e-5)
            assert after.PixelData == before.PixelData
    flair = [pydicom.dcmread(next((c / "train/00000/FLAIR").glob("Image-3.dcm"))) for c in (still, moving)]
    assert flair[0].ImagePositionPatient == flair[1].ImagePositionPatient


@pytest.mark.extras
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
    (folder / "train" / "00001").rename(folder / "train" / ".00001.part-1")
    (folder / "masks" / ".00001.part-2.nii.gz").write_bytes(b"half a mask")
    write_cohort(settings, tmp_path, progress=False)
    assert _contents(folder) == before
    assert kept.stat().st_mtime_ns == stamp


def test_no_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="worker"):
        write_cohort(SETTINGS, tmp_path, workers=0)
