"""The table of labels beside the scans."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.label_table import read_people
from brain_cae.scans.sources.table import FoundTable

from .layouts import touch


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("subject,label,age\na,healthy,45\nb,abnormal,\n")
    return path


def test_lines_are_people(labels):
    people, notes = read_people(FoundTable(labels), ["a", "b", "c"], otherwise="unknown")
    assert people["a"] == {"label": "healthy", "age": 45, "sex": "", "site": ""}
    assert notes == ["1 subject has no label and is treated as unknown: c."]
    assert read_people(FoundTable(), ["a"], otherwise="unknown") == ({}, [])


@pytest.mark.parametrize("empty", ["", "n/a", "NaN"])
def test_a_line_without_a_label_keeps_the_rest(labels, empty):
    labels.write_text(f"subject,label,age\na,{empty},45\nb,abnormal,\n")
    people, notes = read_people(FoundTable(labels), ["a", "b", "c"], otherwise="healthy")
    assert (people["a"]["label"], people["a"]["age"], people["b"]["label"]) == ("healthy", 45, "abnormal")
    assert notes == ["2 subjects have no label and are treated as healthy: a, c."]


def test_other_words_are_refused(labels):
    labels.write_text("subject,label\na,tumor\n")
    with pytest.raises(DatasetError, match="label 'tumor'"):
        read_people(FoundTable(labels), ["a"], otherwise="unknown")


def test_a_table_of_paths_without_labels_has_those_beside_it(labels, tmp_path):
    touch(tmp_path, "a.nii", "b.nii")
    table = tmp_path / "scans.csv"
    table.write_text("subject,modality,path,age\na,t1,a.nii,\nb,t1,b.nii,50\n")
    source = Folder(table=str(table), modalities=["t1"])
    assert [(one.subject, one.label, one.age) for one in source.locate()] == [
        ("a", "healthy", 45),
        ("b", "abnormal", 50),
    ]
    assert source.notes() == []
    table.write_text("subject,modality,path,label\na,t1,a.nii,abnormal\nb,t1,b.nii,\n")
    assert [one.label for one in source.locate()] == ["abnormal", "unknown"]
    assert source.notes() == ["labels.csv is not read: the table of paths has labels."]
    table.write_text("subject,modality,path\nx,t1,a.nii\n")
    assert [one.label for one in source.locate()] == ["unknown"]
    assert source.notes() == ["labels.csv names none of the subjects of the table of paths and is not used."]
    labels.write_text("id,diagnosis\nx,tumour\n")
    assert [one.label for one in source.locate()] == ["unknown"]
    assert source.notes() == ["labels.csv is not used: A table lacks a column. Found: the columns id, diagnosis."]
    table.rename(labels)
    source = Folder(table=str(labels), modalities=["t1"])
    assert [one.label for one in source.locate()] == ["unknown"] and source.notes() == []
