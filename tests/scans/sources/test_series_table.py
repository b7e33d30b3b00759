"""The table of series is written once, corrected by hand, and read with checks."""

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.series_table import SeriesLine, read_series_table, write_series_table

LINES = [
    SeriesLine("p-1", "s1", "t1", "se-a", "201", 12, "DICOM/IM1", "short TR, short TE"),
    SeriesLine("p-1", "s1", "", "se-b", "301", 12, "DICOM/IM2", "unknown: TE missing"),
]
KNOWN, SUBJECTS = {"se-a": "p-1", "se-b": "p-1"}, {"p-1": "p-1", "4711": "p-1"}


def test_a_corrected_line_is_what_is_read(tmp_path):
    path = tmp_path / "series.csv"
    write_series_table(path, LINES)
    assert read_series_table(path, KNOWN, SUBJECTS.get) == {"se-a": "t1", "se-b": ""}
    path.write_text(path.read_text().replace("p-1,s1,,se-b", "4711,s1,T2w,se-b"))
    assert read_series_table(path, KNOWN, SUBJECTS.get) == {"se-a": "t1", "se-b": "t2"}


def test_a_corrected_table_is_never_replaced(tmp_path):
    path = tmp_path / "series.csv"
    write_series_table(path, LINES)
    write_series_table(path, LINES)
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
