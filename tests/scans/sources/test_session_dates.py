import pytest

from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.session_dates import year_first
from tests.scans.sources.layouts import write_volume


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("01.12.2019 3.3.2020", "2019-12-01 2020-03-03"),
        ("12/01/2018 02/15/2019", "2018-12-01 2019-02-15"),
        ("01/12/2018 15/02/2019 2-3-2019", "2018-12-01 2019-02-15 2019-03-02"),
        ("05/05/2019", "2019-05-05"),
    ],
)
def test_dates_begin_with_the_year(written, expected):
    names = written.split()
    assert year_first(names) == (dict(zip(names, expected.split(), strict=True)), [])


@pytest.mark.parametrize("names", [["01/12/2018", "02/11/2019"], ["13/01/2018", "01/13/2019"]])
def test_a_date_of_which_nothing_tells_the_month_is_named(names):
    changed, unclear = year_first(names)
    assert unclear == names and [changed[name][:5] for name in names] == ["2018 ", "2019 "]


@pytest.mark.parametrize("name", ["pre", "1", "2019-02-15", "31.02.2019", "1.2.3", "20190215", ""])
def test_what_is_no_such_date_stays(name):
    assert year_first([name]) == ({}, [])


@pytest.mark.parametrize(("early", "late"), [("12/01/2018", "02/15/2019"), ("03.12.2018", "01.02.2019")])
def test_the_first_visit_of_a_table_is_taken(tmp_path, early, late):
    write_volume(tmp_path / "early.nii")
    write_volume(tmp_path / "late.nii", 1)
    (tmp_path / "scans.csv").write_text(
        f"subject,session,modality,path\na,{late},t1,late.nii\na,{early},t1,early.nii\n"
    )
    scans = Folder(str(tmp_path), modalities=["t1"], table="scans.csv").locate()
    assert [one.files[0].name for one in one_session(scans, ["t1"])] == ["early.nii"]


def test_a_table_names_dates_that_are_not_clear(tmp_path):
    write_volume(tmp_path / "a.nii")
    (tmp_path / "scans.csv").write_text("subject,session,modality,path\na,01/12/2018,t1,a.nii\n")
    source = Folder(str(tmp_path), modalities=["t1"], table="scans.csv")
    assert source.locate()[0].session == "2018 01/12"
    assert any("whether the day or the month is first" in note and "01/12/2018" in note for note in source.notes())
