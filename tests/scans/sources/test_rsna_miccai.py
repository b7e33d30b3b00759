"""The layout of RSNA-MICCAI, whose MGMT_value is not a diagnosis."""

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.rsna_miccai import FOLDERS, RsnaMiccai

from .layouts import lock, touch

LABELS = "BraTS21ID,MGMT_value\n0,1\n12,0\n"


@pytest.fixture
def root(tmp_path):
    for subject in ("00000", "00012"):
        for folder in FOLDERS.values():
            (tmp_path / "train" / subject / folder).mkdir(parents=True)
            for number in (1, 2, 10):
                (tmp_path / "train" / subject / folder / f"Image-{number}.dcm").touch()
    (tmp_path / "train_labels.csv").write_text(LABELS)
    return tmp_path


def labels(source):
    return {location.subject: location.label for location in source.locate()}


def test_every_patient_is_abnormal_unless_asked(root):
    source = RsnaMiccai(root)
    assert labels(source) == {"00000": "abnormal", "00012": "abnormal"}
    assert source.notes() == []


def test_healthy_value_reads_mgmt_and_warns_loudly(root):
    source = RsnaMiccai(str(root), healthy_value=0)
    assert labels(source) == {"00000": "abnormal", "00012": "healthy"}
    warning = source.notes()[0]
    assert "WARNING" in warning and "NOT healthy" in warning and "glioblastoma" in warning and "promoter" in warning
    assert labels(RsnaMiccai(root, healthy_value=1)) == {"00000": "healthy", "00012": "abnormal"}


@pytest.mark.parametrize("value", [2, -1, True, "0"])
def test_another_healthy_value_is_an_error(root, value):
    with pytest.raises(ConfigurationError, match="healthy_value"):
        RsnaMiccai(root, healthy_value=value)


def test_files_modalities_and_masks(root):
    (root / "masks").mkdir()
    (root / "masks" / "00012.nii.gz").touch()
    locations = RsnaMiccai(root, modalities=["flair", "t1"]).locate()
    assert [(one.subject, one.modality) for one in locations] == [
        ("00000", "flair"), ("00000", "t1"), ("00012", "flair"), ("00012", "t1")
    ]  # fmt: skip
    assert len(locations[0].files) == 3 and locations[0].files[0].parent.name == "FLAIR"
    assert locations[0].lesion_mask is None
    assert locations[2].lesion_mask == root / "masks" / "00012.nii.gz"
    assert {one.skull for one in locations} == {"stripped"} and {one.source for one in locations} == {"rsna_miccai"}


def test_folders_may_have_other_capitals(root):
    for folder in FOLDERS.values():
        (root / "train" / "00012" / folder).rename(root / "train" / "00012" / folder.lower())
    source = RsnaMiccai(root, modalities=["flair", "t1ce"])
    places = {
        one.modality: {path.parent.name for path in one.files} for one in source.locate() if one.subject == "00012"
    }
    assert places == {"flair": {"flair"}, "t1ce": {"t1wce"}} and source.notes() == []


def test_dicom_files_may_have_any_name(root):
    folder = root / "train" / "00012" / "T2w"
    for name in ("IM0001", "Image-2.DCM", "more/Image-10.dcm", "Thumbs.db"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (one,) = [one for one in RsnaMiccai(root, modalities=["t2"]).locate() if one.subject == "00012"]
    names = [path.relative_to(folder).as_posix() for path in one.files]
    assert sorted(set(names) - {f"Image-{number}.dcm" for number in (1, 2, 10)}) == [
        "IM0001", "Image-2.DCM", "more/Image-10.dcm"
    ]  # fmt: skip


def test_a_missing_modality_is_located_without_files(root):
    for path in (root / "train" / "00012" / "T2w").iterdir():
        path.unlink()
    missing = [one for one in RsnaMiccai(root).locate() if not one.files]
    assert [(one.subject, one.modality) for one in missing] == [("00012", "t2")]


def test_labels_without_scans_and_scans_without_labels_are_noted(root):
    (root / "train_labels.csv").write_text("BraTS21ID,MGMT_value\n0,1\n12.0,0\n7,0\n")
    source = RsnaMiccai(root, healthy_value=0)
    assert labels(source) == {"00000": "abnormal", "00012": "healthy"}
    assert any("no scans" in note and "00007" in note for note in source.notes())
    (root / "train_labels.csv").write_text("BraTS21ID,MGMT_value\n0,1\n")
    assert labels(source) == {"00000": "abnormal", "00012": "unknown"}
    assert any("no label" in note and "00012" in note for note in source.notes())
    (root / "train_labels.csv").write_text("BraTS21ID,MGMT_value\n0,1\n7,0\n")
    with pytest.raises(DatasetError, match=r"without scans \(1\): 00007; subjects without labels \(1\): 00012"):
        source.locate()


def test_a_wrong_root_says_what_is_there(tmp_path, root):
    with pytest.raises(DatasetError, match="does not exist"):
        RsnaMiccai(root / "nowhere").locate()
    with pytest.raises(DatasetError, match="no train folder"):
        RsnaMiccai(root / "train").locate()
    (tmp_path / "empty" / "train").mkdir(parents=True)
    with pytest.raises(DatasetError, match="an empty folder"):
        RsnaMiccai(tmp_path / "empty").locate()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,value\n0,1\n", "columns id, value"),
        ("BraTS21ID;MGMT_value\n0;1\nM\u00fcller;1\n", "another encoding"),
        ("BraTS21ID,MGMT_value\n0,1\n0,0\n", "line 3"),
        ("BraTS21ID,MGMT_value\n0,2\n", "line 2"),
        ("BraTS21ID,MGMT_value\nx,1\n", "line 2"),
        ("BraTS21ID,MGMT_value\n5,1\n", "00005"),
    ],
)
def test_wrong_labels_are_named(root, content, message):
    (root / "train_labels.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(DatasetError, match=message):
        RsnaMiccai(root, healthy_value=0).locate()


def test_missing_labels_matter_only_when_they_are_read(root):
    (root / "train_labels.csv").unlink()
    assert set(labels(RsnaMiccai(root)).values()) == {"abnormal"}
    with pytest.raises(DatasetError, match=r"train_labels\.csv"):
        RsnaMiccai(root, healthy_value=0).locate()


def test_unknown_modalities_are_an_error(root):
    with pytest.raises(ConfigurationError, match="pd"):
        RsnaMiccai(root, modalities=["t1", "pd"])


def test_other_entries_are_noted_and_unreadable_subjects_are_refused(root, monkeypatch):
    touch(
        root,
        "train/00012/T1w.zip",
        "train/00012/DWI/1.dcm",
        "train/readme.txt",
        "masks/77.nii.gz",
        "extra/x",
        "test/1/x",
    )
    lock(monkeypatch, root / "train" / "00000")
    source = RsnaMiccai(root, modalities=["t1"])
    assert [one.files[0].name for one in source.locate()] == ["00000", "Image-1.dcm"]
    assert source.notes() == [
        "1 file or folder beside train is not read: extra.",
        "1 file has a format that is not read; convert it to .nii.gz, or unpack it: train/00012/T1w.zip.",
        "2 entries in train are not series and are left out: train/00012/DWI, train/readme.txt.",
        "1 file in masks is not named after a subject: 77.",
    ]
