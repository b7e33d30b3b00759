"""The table of series is written once, corrected by hand, and read with checks."""

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.series_table import SeriesLine, is_series_table, read_series_table, write_series_table

LINES = [
    SeriesLine("p-1", "s1", "t1", "se-a", "201", 12, "DICOM/IM1", "short TR, short TE"),
    SeriesLine("p-1", "s1", "", "se-b", "301", 12, "DICOM/IM2", "unknown: TE missing"),
]
KNOWN, SUBJECTS = {"se-a": "p-1", "se-b": "p-1"}, {"p-1": "p-1", "4711": "p-1"}


def test_a_corrected_line_is_what_is_read(tmp_path):
    path = tmp_path / "series.csv"
    write_series_table(path, LINES)
    assert read_series_table(path, KNOWN, SUBJECTS.get) == ({"se-a": "t1", "se-b": ""}, [])
    path.write_text(path.read_text().replace("p-1,s1,,se-b", "4711,s1,T2w,se-b"))
    assert read_series_table(path, KNOWN, SUBJECTS.get) == ({"se-a": "t1", "se-b": "t2"}, [])


@pytest.mark.parametrize(
    ("word", "modality"), [("nan", ""), ("n/a", ""), ("None", ""), ("-", ""), ("T2 FLAIR", "flair"), ("T1w", "t1")]
)
def test_a_modality_may_be_written_as_other_programs_do(tmp_path, word, modality):
    path = tmp_path / "series.csv"
    path.write_text(f"subject,modality,series\np-1,t1,se-a\np-1,{word},se-b\np-1,{word},se-b\n")
    assert read_series_table(path, KNOWN, SUBJECTS.get)[0] == {"se-a": "t1", "se-b": modality}


def test_a_corrected_table_is_never_replaced(tmp_path):
    path = tmp_path / "series.csv"
    assert write_series_table(path, LINES)
    assert not write_series_table(path, LINES)
    path.write_text(path.read_text().replace("p-1,s1,,se-b", "p-1,s1,t2,se-b"))
    with pytest.raises(ConfigurationError, match="would replace another file"):
        write_series_table(path, LINES)
    assert "p-1,s1,t2,se-b" in path.read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("p-1,t5,se-a", "the modality 't5'"),
        ("p-1,t1,se-a\np-1,t2,se-a", "se-a again"),
        ("p-2,t1,se-a", "under another subject"),
        ("p-1,t1,se-x", "No series of the table is in the tree"),
    ],
)
def test_a_line_that_contradicts_is_named(tmp_path, line, said):
    path = tmp_path / "series.csv"
    path.write_text(f"subject,modality,series\n{line}\n")
    with pytest.raises(DatasetError) as raised:
        read_series_table(path, KNOWN, SUBJECTS.get)
    assert said in str(raised.value)


def test_lines_about_series_that_are_not_there_are_named_by_subject_or_by_line(tmp_path):
    path = tmp_path / "series.csv"
    path.write_text("subject,modality,series\np-1,t1,se-a\n4711,t2,se-old\nJane Doe,t1,se-x\n")
    used, notes = read_series_table(path, KNOWN, SUBJECTS.get)
    assert used == {"se-a": "t1"}
    assert notes == [
        "1 line of the table of series names a series that its subject does not have, as after another export, and is "
        "ignored: p-1 (line 3).",
        "1 line of the table of series names a subject and a series that are not in the tree: line 4.",
    ]


def test_columns_may_be_written_in_capitals(tmp_path):
    path = tmp_path / "series.csv"
    path.write_text("Subject;Modality;Series\np-1;T1;se-a\n")
    assert is_series_table(path)
    assert read_series_table(path, KNOWN, SUBJECTS.get) == ({"se-a": "t1"}, [])


@pytest.mark.parametrize("text", ["series,images\n1,20\n", "", "a list of series\n"])
def test_another_table_is_no_table_of_series(tmp_path, text):
    (tmp_path / "series.txt").write_text(text)
    assert not is_series_table(tmp_path / "series.txt")
