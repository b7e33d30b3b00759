from pathlib import Path

import pytest

from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.sources.contrast_names import named_otherwise
from brain_cae.scans.sources.folder import Folder
from tests.scans.sources.layouts import write_volume


def shown(modality, *files):
    found = named_otherwise([SeriesLocation("P1", modality, tuple(map(Path, files)))])
    return [names for names in found.values() if names]


@pytest.mark.parametrize(
    ("modality", "name"),
    [("t1", "P1_T1ce.nii.gz"), ("flair", "P1-T1w.nii"), ("t2", "P1_T2_FLAIR.nii.gz"), ("t1ce", "p1.t1.hdr")],
)
def test_a_file_called_as_another_contrast_is_named(modality, name):
    assert shown(modality, f"T/{name}") == [[f"P1 {modality} ({name})"]]


@pytest.mark.parametrize(
    ("modality", "name"),
    [("t1", "P1_t1_on_flair.nii.gz"), ("flair", "t2_flair.nii.gz"), ("t1", "mprage.nii"), ("t1", "T1CE_0001.dcm")],
)
def test_any_other_name_is_not(modality, name):
    assert shown(modality, name) == [] == shown(modality)


def test_a_folder_and_a_table_of_paths_name_them(tmp_path):
    for seed, name in enumerate(["t1/P1_T1ce", "flair/P1_FLAIR"]):
        write_volume(tmp_path / f"P1/{name}.nii.gz", seed)
    (tmp_path / "scans.csv").write_text("subject,modality,path\nP1,t1,P1/t1/P1_T1ce.nii.gz\n")
    text = "1 scan has the name of another contrast than its folder, or the table, says: P1 t1 (P1_T1ce.nii.gz)."
    for source in (Folder(str(tmp_path)), Folder(str(tmp_path), table="scans.csv")):
        source.locate()
        assert text in source.notes()
