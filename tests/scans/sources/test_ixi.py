"""IXI: flat names, the spreadsheet, and missing modalities."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.ixi import Ixi

from .layouts import touch

TABLE = 'IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,AGE\n2,2,164,35.8\n12,1,175,38.78\n'


@pytest.fixture
def root(tmp_path):
    return touch(
        tmp_path,
        "IXI-T1/IXI002-Guys-0828-T1.nii.gz",
        "IXI-T1/IXI012-HH-1211-T1.nii.gz",
        "IXI-T1/IXI033-IOP-1179-T1.nii.gz",
        "IXI-T2/IXI002-Guys-0828-T2.nii.gz",
        "IXI-T2/IXI012-HH-1211-T2.nii.gz",
        "IXI-PD/IXI002-Guys-0828-PD.nii.gz",
        "IXI-DTI/IXI002-Guys-0828-DTI-00.nii.gz",
    )


def test_every_subject_is_healthy_with_its_site_and_scanner(root):
    scans = Ixi(root).locate()
    assert [(one.subject, one.modality, bool(one.files)) for one in scans] == [
        ("IXI002", "t1", True), ("IXI002", "t2", True), ("IXI012", "t1", True), ("IXI012", "t2", True),
        ("IXI033", "t1", True), ("IXI033", "t2", False),
    ]  # fmt: skip
    assert {(one.label, one.skull, one.source) for one in scans} == {("healthy", "on", "ixi")}
    scanners = {one.site: (one.acquisition["manufacturer"], one.acquisition["field_strength_t"]) for one in scans}
    assert scanners == {"Guys": ("Philips", 1.5), "HH": ("Philips", 3.0), "IOP": ("GE", 1.5)}


def test_all_contrasts_may_be_in_one_folder(tmp_path):
    touch(tmp_path, "IXI002-Guys-0828-T1.nii.gz", "IXI002-Guys-0828-T2.nii")
    assert all(one.files for one in Ixi(tmp_path).locate())


def test_age_and_sex_come_from_the_spreadsheet(root):
    (root / "IXI.csv").write_text(TABLE + "99,1,170,50\n")
    source = Ixi(root, modalities=["t1"])
    people = {one.subject: (one.age, one.sex) for one in source.locate()}
    assert people == {"IXI002": (35.8, "F"), "IXI012": (38.78, "M"), "IXI033": (None, "")}
    assert any("not in the spreadsheet" in note and "IXI033" in note for note in source.notes())
    assert any("no scans" in note and "IXI099" in note for note in source.notes())


def test_lines_without_a_subject_are_ignored(root):
    (root / "IXI.csv").write_text(TABLE.replace("\n2,", "\n2.0,") + ",1.5,170,49\nmean,,,37\n")
    source = Ixi(root, modalities=["t1"])
    assert {one.subject: one.age for one in source.locate()} == {"IXI002": 35.8, "IXI012": 38.78, "IXI033": None}
    (note,) = [note for note in source.notes() if "no number in IXI_ID" in note]
    assert note.startswith("2 lines") and note.endswith(": line 4, line 5.")


def test_a_spreadsheet_saved_by_hand_is_read_and_what_is_not_understood_noted(root):
    (root / "IXI.csv").write_text("IXI_ID;SEX;AGE\nIXI002;f;35,8\n12.0;2.0;0\nixi033;?;1.1.1980\n")
    source = Ixi(root, modalities=["t1"])
    people = {one.subject: (one.age, one.sex) for one in source.locate()}
    assert people == {"IXI002": (35.8, "F"), "IXI012": (None, "F"), "IXI033": (None, "")}
    notes = " ".join(source.notes())
    assert "1 subject has an age that is not a number of years and is treated as unknown: IXI033." in notes
    assert "1 subject has a sex that is neither M nor F and is treated as unknown: IXI033." in notes


def test_lines_that_contradict_each_other_stay_unknown(root):
    (root / "IXI.csv").write_text(TABLE + "2,1,164,60\n12,1,175,38.78\n")
    source = Ixi(root, modalities=["t1"])
    people = {one.subject: (one.age, one.sex) for one in source.locate()}
    assert people["IXI002"] == (None, "") and people["IXI012"] == (38.78, "M")
    assert any("twice with different values" in note and "IXI002" in note for note in source.notes())


def test_without_a_spreadsheet_a_note_says_so(root):
    source = Ixi(root)
    assert {one.age for one in source.locate()} == {None}
    assert "no spreadsheet" in source.notes()[0]


def test_a_spreadsheet_may_be_elsewhere(root, tmp_path_factory):
    table = tmp_path_factory.mktemp("tables") / "people.csv"
    table.write_text(TABLE)
    assert Ixi(root, table=table).locate()[0].age == 35.8
    with pytest.raises(DatasetError, match=r"absent\.csv"):
        Ixi(root, table="absent.csv").locate()
    table.write_text("subject,age\n1,2\n")
    with pytest.raises(DatasetError, match="columns subject, age"):
        Ixi(root, table=table).locate()


@pytest.mark.parametrize("modality", ["flair", "t1ce"])
def test_a_modality_that_ixi_lacks_is_an_error_that_names_the_others(root, modality):
    with pytest.raises(DatasetError, match=rf"no scan of the modality `{modality}`") as raised:
        Ixi(root, modalities=["t1", modality]).locate()
    assert "t1, t2" in str(raised.value) and "modality=t1, t2 or t1_t2" in str(raised.value)


def test_a_wrong_root_and_a_scan_in_two_places(root, tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        Ixi(root / "nowhere").locate()
    with pytest.raises(DatasetError, match=r"IXI002-Guys-0828-T1\.nii\.gz"):
        Ixi(touch(tmp_path / "other", "a.nii.gz")).locate()


def test_a_scan_in_two_files_costs_only_that_scan_unless_it_is_chosen_or_a_copy(root):
    touch(root, "copy/IXI002-Guys-0828-T1.nii.gz", "copy/IXI012-HH-1211-T1.nii.gz")
    (root / "copy/IXI002-Guys-0828-T1.nii.gz").write_bytes(b"other")
    scans = {(one.subject, one.modality): one for one in Ixi(root).locate()}
    first, second = root / "IXI-T1/IXI002-Guys-0828-T1.nii.gz", root / "copy/IXI002-Guys-0828-T1.nii.gz"
    assert scans["IXI002", "t1"].files == ()
    assert scans["IXI002", "t1"].left_out == ((first, "several candidates"), (second, "several candidates"))
    assert scans["IXI012", "t1"].files == (root / "IXI-T1/IXI012-HH-1211-T1.nii.gz",)
    (root / "series.csv").write_text("subject,modality,path\nIXI002,t1,copy/IXI002-Guys-0828-T1.nii.gz\n")
    (one,) = [one for one in Ixi(root, ["t1"]).locate() if one.subject == "IXI002"]
    assert (one.files, one.left_out) == ((second,), ((first, "another scan was taken: it was chosen"),))


def test_other_files_are_noted(root):
    touch(root, "IXI-T1.tar", "IXI-T1/._IXI002-Guys-0828-T1.nii.gz", "IXI-T1/IXI099-HH-1-T1.nii/scan.nii")
    source = Ixi(root)
    assert "IXI099" in {one.subject for one in source.locate()}
    notes = " ".join(source.notes())
    assert "1 file has a format that is not read; convert it to .nii.gz, or unpack it: IXI-T1.tar." in notes
    assert "2 files are not scans of T1 or T2 and are left out: IXI-DTI/IXI002-Guys-0828-DTI" in notes
