"""The simulated cohort as a source, with a stub for the simulator."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.scans.sources.phantom import Phantom
from brain_cae.scans.sources.rsna_miccai import FOLDERS


@pytest.fixture
def written(monkeypatch):
    calls = []

    def write_cohort(settings, folder, *, workers, progress):
        calls.append((vars(settings), folder, workers, progress))
        root = folder / "0123456789abcdef"
        for subject in ("00000", "00001"):
            for name in FOLDERS.values():
                (root / "train" / subject / name).mkdir(parents=True)
                (root / "train" / subject / name / "Image-1.dcm").touch()
        (root / "train_labels.csv").write_text("BraTS21ID,MGMT_value\n0,0\n1,1\n")
        return root

    module = ModuleType("brain_cae.phantom")
    module.PhantomSettings = SimpleNamespace
    module.write_cohort = write_cohort
    monkeypatch.setitem(sys.modules, "brain_cae.phantom", module)
    return calls


def test_zero_is_healthy_without_a_warning(tmp_path, written):
    source = Phantom(tmp_path, subjects=2, seed=3, confounding=0.5, workers=2, progress=False, modalities=["t1"])
    scans = source.locate()
    assert {one.subject: one.label for one in scans} == {"00000": "healthy", "00001": "abnormal"}
    assert {(one.source, one.skull, one.modality) for one in scans} == {("phantom", "stripped", "t1")}
    assert source.notes() == []
    settings, folder, workers, progress = written[0]
    assert settings == {
        "subjects": 2, "seed": 3, "confounding": 0.5, "abnormal_fraction": 1 / 3, "lesions": True, "head_shell": False,
        "dimensions": "protocols", "misalignment_mm": 0.0, "anatomy": "smooth",
    }  # fmt: skip
    assert (folder, workers, progress) == (tmp_path, 2, False)


def test_a_head_shell_is_a_skull(tmp_path, written):
    assert {one.skull for one in Phantom(tmp_path, head_shell=True).locate()} == {"on"}


@pytest.mark.parametrize("write", [True, False])
def test_nothing_is_written_beside_scans_that_were_meant_to_be_read(tmp_path, written, write):
    (tmp_path / "p1").mkdir()
    with pytest.raises(
        ConfigurationError, match=r"would write simulated brains(.|\n)*Found: p1\n(.|\n)*dataset=folder"
    ):
        Phantom(tmp_path, write=write).locate()
    assert not written and [entry.name for entry in tmp_path.iterdir()] == ["p1"]


def test_cohorts_lie_beside_each_other(tmp_path, written):
    (tmp_path / "fedcba9876543210").mkdir()
    (tmp_path / ".DS_Store").touch()
    assert Phantom(tmp_path).locate()
