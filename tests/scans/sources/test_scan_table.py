"""A table of paths."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.scan_table import read_scans
from brain_cae.scans.store import import_series

from ..synthesise import write_series
from .layouts import touch, write_volume

TABLE = """Subject,Session,Modality,Path,Label,Lesion_mask,Brain_mask,Age,Sex,Site,Skull,Remark
a,2,T1,nifti/a.nii.gz,Healthy,,b.nii.gz,"45,5",f,north,on,x
a,2,flair,/abs/flair,,,,,,,,
b,,t1,dicom/b,abnormal,masks/b.nii.gz,,61,male,south,stripped,
b,,t2,nifti/b.nii.gz,,,,,,,,
"""


@pytest.fixture
def table(tmp_path):
    write_volume(tmp_path / "nifti" / "a.nii.gz")
    write_series(tmp_path / "dicom" / "b" / "S1")
    write_series(tmp_path / "elsewhere")
    touch(tmp_path, "masks/b.nii.gz")
    path = tmp_path / "scans.csv"
    path.write_text(TABLE.replace("/abs/flair", str(tmp_path / "elsewhere")))
    return path


def source(table, **options):
    return Folder(table=table, modalities=["t1", "flair"], **options)


def test_lines_are_scans_with_the_values_of_their_subject(table, tmp_path):
    scans = {(one.subject, one.modality): one for one in source(table).locate()}
    assert {key: len(one.files) for key, one in scans.items()} == {
        ("a", "t1"): 1, ("a", "flair"): 6, ("b", "t1"): 6, ("b", "flair"): 0
    }  # fmt: skip
    for modality in ("t1", "flair"):
        first, second = scans["a", modality], scans["b", modality]
        assert (first.session, first.label, first.skull, first.age, first.sex) == ("2", "healthy", "on", 45.5, "F")
        assert (second.session, second.label, second.skull, second.age) == ("", "abnormal", "stripped", 61)
        assert (first.site, second.site, second.lesion_mask) == ("north", "south", tmp_path / "masks" / "b.nii.gz")


def test_ignored_columns_and_masks_are_noted(table):
    folder = source(table)
    folder.locate()
    assert folder.notes() == [
        "1 column of the table is unknown and is ignored: remark.", "1 mask of the table does not exist: b.nii.gz."
    ]  # fmt: skip


def test_gender_is_read_as_sex(table):
    table.write_text("subject,modality,path,Gender\na,t1,nifti/a.nii.gz,female\n")
    folder = source(table)
    assert {one.sex for one in folder.locate()} == {"F"} and folder.notes() == []


def test_a_path_that_does_not_exist_does_not_stop_the_others(table, tmp_path):
    table.write_text("subject,modality,path\na,t1,nifti/a.nii.gz\nb,t1,nifti/gone.nii.gz\n")
    report = import_series(source(table).locate(), tmp_path / "store", progress=False, root=tmp_path).report
    assert report[["subject", "modality", "status", "reason", "path"]].to_numpy().tolist() == [
        ["a", "flair", "missing", "no files", ""], ["a", "t1", "imported", "", "nifti/a.nii.gz"],
        ["b", "flair", "missing", "no files", ""], ["b", "t1", "refused", "no such file", "nifti/gone.nii.gz"],
    ]  # fmt: skip


def test_windows_paths_and_other_spellings_are_understood(table, tmp_path):
    table.write_text("subject,modality,path,brain_mask\na,T1w,nifti\\a.nii.gz,masks\\b.nii.gz\na,FLAIR,dicom\\b\\S1,\n")
    first, second = source(table).locate()
    assert first.files == (tmp_path / "nifti" / "a.nii.gz",) and len(second.files) == 6
    assert first.brain_mask == tmp_path / "masks" / "b.nii.gz"


def test_lines_of_unknown_modalities_are_left_out_and_named(table):
    table.write_text(
        "subject,modality,path,age\na,t1,nifti/a.nii.gz,old\na,dwi,nifti/d.nii.gz,\nb,pd,nifti/p.nii.gz,\n"
    )
    folder = source(table)
    assert {(one.subject, one.modality): len(one.files) for one in folder.locate()} == {
        ("a", "t1"): 1, ("a", "flair"): 0, ("b", "t1"): 0, ("b", "flair"): 0
    }  # fmt: skip
    assert folder.notes() == [
        "2 lines of the table have an unknown modality and are left out: a dwi, b pd.",
        "1 subject has an age that is not a number of years and is treated as unknown: a.",
    ]


def test_a_file_of_several_scans_is_noted(table):
    table.write_text(
        "subject,modality,path\na,t1,nifti/a.nii.gz\na,flair,dicom/../nifti/a.nii.gz\nb,t1,dicom/b\nb,flair,dicom/b\n"
    )
    folder = source(table)
    folder.locate()
    assert folder.notes() == [
        "1 file is the path of several scans; training stops if subjects share one: a t1 and a flair."
    ]


def test_a_lesion_mask_of_several_subjects_is_noted(table):
    table.write_text(
        "subject,session,modality,path,lesion_mask,brain_mask\na,1,t1,nifti/a.nii.gz,masks/b.nii.gz,masks/b.nii.gz\n"
        "a,2,t1,dicom/b,masks/b.nii.gz,\nb,,t1,elsewhere,masks/../masks/b.nii.gz,masks/b.nii.gz\n"
    )
    folder = source(table)
    folder.locate()
    assert folder.notes() == ["1 file is the lesion mask of several subjects: a and b."]


@pytest.mark.parametrize(("one", "other"), [("Pre", "pre"), ("1", "1.0"), ("02", "2"), ("month_6", "Month 6")])
def test_a_session_written_in_two_ways_is_one(table, one, other):
    lines = f"a,{one},t1,nifti/a.nii.gz\na,{other},flair,dicom/b\na,3,t1,elsewhere\nb,{other},t1,nifti/b.nii.gz\n"
    table.write_text("subject,session,modality,path\n" + lines)
    folder = source(table)
    found = {(scan.subject, scan.session): () for scan in folder.locate()}
    assert list(found) == [("a", one), ("a", "3"), ("b", other)]
    assert folder.notes() == [f"1 session is written in several ways and is read as one: a {other} as {one}."]


def test_two_spellings_of_a_session_with_a_scan_each_stay_two(table):
    table.write_text("subject,session,modality,path\na,01,t1,nifti/a.nii.gz\na,1,t1,dicom/b\n")
    assert {scan.session for scan in source(table).locate()} == {"01", "1"}


@pytest.mark.parametrize("missing", ["", "n/a", "NaN"])
def test_a_line_without_a_session_is_of_the_only_one_of_its_subject(table, missing):
    table.write_text(f"subject,session,modality,path\na,2019,t1,nifti/a.nii.gz\na,{missing},flair,nifti/a.nii.gz\n")
    folder = Folder(str(table.parent), modalities=["t1", "flair"], table="scans.csv")
    assert {(one.session, one.modality) for one in folder.locate() if one.files} == {("2019", "t1"), ("2019", "flair")}
    (note,) = [note for note in folder.notes() if "without a session" in note]
    assert note == "1 scan without a session is read as of the only session of the subject: a flair as 2019."


def test_a_scan_without_a_session_beside_several_is_named(table):
    table.write_text("subject,session,modality,path\na,1,t1,x/1.nii\na,2,t1,nifti/a.nii.gz\na,,flair,x/2.nii\n")
    folder = source(table)
    assert {one.session for one in folder.locate()} == {"1", "2", ""}
    assert any("belongs to no other scan of the subject" in note and "a flair" in note for note in folder.notes())


def test_optional_values_may_be_written_as_missing(table):
    table.write_text("subject,modality,path,label,lesion_mask,skull\na,t1,nifti/a.nii.gz,nan,n/a,NA\n")
    folder = source(table)
    one = folder.locate()[0]
    assert (one.label, one.lesion_mask, one.skull, folder.notes()) == ("unknown", None, "unknown", [])


def test_keys_apply_to_subjects_without_values_in_the_table(table):
    table.write_text("subject,modality,path,skull\na,t1,nifti/a.nii.gz,\nb,t1,nifti/a.nii.gz,on\n")
    scans = source(table, label="healthy", skull="stripped").locate()
    assert {(one.subject, one.label, one.skull) for one in scans} == {
        ("a", "healthy", "stripped"), ("b", "healthy", "on")
    }  # fmt: skip


def test_the_table_is_read_from_the_root(table, tmp_path):
    assert len(Folder(tmp_path, ["t1"], table="scans.csv").locate()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,path\na,x\n", "columns subject, path"),
        ("subject,modality,path\na,pd,nifti/a.nii.gz\n", r"pd\s+In: .*line 2"),
        ("subject,modality,path\na,t1,\n", r"nothing in the column path\s+In: .*line 2"),
        ("subject,modality,path\na,t1,x\na,t1,y\n", r"a t1\s+In: .*line 3"),
        ("subject,modality,path,label\na,t1,x,ill\n", "label: healthy, abnormal, unknown"),
        ("subject,modality,path,label\na,t1,x,healthy\na,t2,x,abnormal\n", "abnormal here and healthy in a line above"),
        ("subject,modality,path,age\na,t1,x,40\na,t2,x,41\n", "subject a contradict"),
        ("subject,modality,path\na,t1,gone.nii.gz\n", "None of the paths"),
        ("subject,modality,path\n", "no lines"),
    ],
)
def test_a_damaged_table_names_its_line(table, text, message):
    table.write_text(text)
    with pytest.raises(DatasetError, match=message) as raised:
        source(table).locate()
    assert "scans.csv" in str(raised.value)


def test_age_and_site_may_change_from_one_session_to_the_next(table):
    table.write_text(
        "subject,session,modality,path,age,site\na,1,t1,x/1.nii.gz,45,north\na,2,t1,x/2.nii.gz,47,south\n"
        "b,1,t1,nifti/a.nii.gz,60,north\nb,2,t1,x/3.nii.gz,,\na,3,t1,x/4.nii.gz,,\n"
    )
    found = {(one.subject, one.session): (one.age, one.site) for one in source(table).locate()}
    assert found == {
        ("a", "1"): (45, "north"), ("a", "2"): (47, "south"), ("a", "3"): (None, ""),
        ("b", "1"): (60, "north"), ("b", "2"): (60, "north"),
    }  # fmt: skip


def test_lines_of_a_subject_may_write_one_value_in_several_ways(table):
    table.write_text(
        "subject,modality,path,age,sex,site\na,t1,nifti/a.nii.gz,45,M,1\na,flair,x.nii.gz,45.0,male,1.0\n"
        "a,t2,y.nii.gz,n/a,unknown,n/a\n"
    )
    assert {(one.age, one.sex, one.site) for one in source(table).locate()} == {(45, "M", "1")}


def test_paths_are_read_as_on_the_command_line(table, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    table.write_text(f"subject,modality,path\na,t1,~/nifti/a.nii.gz\nb,t1,file://{tmp_path}/nifti/a.nii.gz\n")
    assert {path for one in source(table).locate() for path in one.files} == {tmp_path / "nifti" / "a.nii.gz"}


def test_either_half_of_a_pair_stands_for_both(tmp_path):
    touch(tmp_path, "a.hdr", "a.img", "b.hdr", "b.img")
    (tmp_path / "scans.csv").write_text("subject,modality,path\na,t1,a.hdr\nb,t1,b.img\n")
    scans, _ = read_scans(tmp_path / "scans.csv", ["t1"])
    assert [[path.name for path in one["files"]] for one in scans] == [["a.hdr", "a.img"], ["b.hdr", "b.img"]]


def test_two_spellings_of_a_subject_are_noted_and_stay_two(table):
    table.write_text("subject,modality,path\n001,t1,nifti/a.nii.gz\n1,flair,nifti/a.nii.gz\n")
    folder = source(table)
    assert {one.subject for one in folder.locate()} == {"001", "1"}
    assert any(note.endswith("count as different subjects: 001 and 1.") for note in folder.notes())


def test_a_path_that_no_system_accepts_costs_only_its_scan(table, tmp_path):
    table.write_text(f"subject,modality,path\na,t1,nifti/a.nii.gz\nb,t1,{'p' * 300}\n")
    report = import_series(source(table).locate(), tmp_path / "store", progress=False, root=tmp_path).report
    assert report.loc[report["modality"] == "t1", ["subject", "status"]].to_numpy().tolist() == [
        ["a", "imported"], ["b", "refused"]
    ]  # fmt: skip
    table.write_text("subject,modality,path\na\0,t1,nifti/a.nii.gz\n")
    with pytest.raises(DatasetError, match="zero byte in the column subject"):
        source(table).locate()
