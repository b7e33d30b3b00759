"""Tables as users and spreadsheet programs write them."""

import zipfile

import pandas as pd
import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.table import age_of, not_understood, read_table, sex_of, sexes, site_of

RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def write_xlsx(path, rows):
    """Write a minimal spreadsheet: text as inline strings, numbers as numbers."""
    cells = {str: '<c t="inlineStr"><is><t>{}</t></is></c>', int: "<c><v>{}</v></c>", float: "<c><v>{}</v></c>"}
    body = "".join(f"<row>{''.join(cells[type(value)].format(value) for value in row)}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{RELATION}">'
        '<sheets><sheet name="Table" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{RELATION}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{body}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,age\n007, 45\n\n8,\n"),
        ("a.csv", "id;age\n007;45\n;\n8;\n"),
        ("a.tsv", "id\tage\r\n007\t45\r\n\r\n8\r\n"),
        ("a.csv", "\ufeffid,age\n007,45\n,,,\n8\n"),
        ("a.csv", "id\tage\n007\t45\n\n8\n"),
    ],
)
def test_text(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    table = read_table(tmp_path / name, expected="x")
    assert table.columns == ("id", "age")
    assert table.rows == ({"id": "007", "age": "45"}, {"id": "8", "age": ""})
    assert [where for where, _ in table.lines()][1].endswith("line 4")


@pytest.mark.parametrize(
    "text",
    ['"id,age"\n"007,45"\n"8,"\n', '"id;age"\n"007;45"\n\n"8;"\n', '"""id"",""age"""\n"007,""45"""\n"""8"","\n'],
)
def test_lines_that_a_spreadsheet_program_put_into_one_cell_are_divided(tmp_path, text):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    write_xlsx(tmp_path / "a.xlsx", [["id,age"], ["007,45"], ["8,"]])
    for name in ("a.csv", "a.xlsx"):
        table = read_table(tmp_path / name, expected="x")
        assert table.columns == ("id", "age")
        assert table.rows == ({"id": "007", "age": "45"}, {"id": "8", "age": ""})


@pytest.mark.parametrize(
    "start", ["sep=;\n", '"sep=;"\r\n', "\n;;\n", "\r\n\r\nsep=;\r\n", "# exported\n", "Study 7\n\n"]
)
def test_lines_before_the_column_names_are_skipped_and_counted(tmp_path, start):
    (tmp_path / "a.csv").write_text(f"{start};id;age\n1;007;45,5\n", encoding="utf-8-sig", newline="")
    table = read_table(tmp_path / "a.csv", expected="x")
    assert table.rows == ({"id": "007", "age": "45,5"},)
    assert table.numbers == (start.count("\n") + 2,)


def test_a_line_with_more_values_than_columns_is_refused_not_cut(tmp_path):
    (tmp_path / "a.csv").write_text("id,path,age\n1,x.nii,45,,\n2,x.nii,45,5\n")
    with pytest.raises(DatasetError, match="more values than the table has columns") as raised:
        read_table(tmp_path / "a.csv", expected="x")
    assert "line 3" in str(raised.value) and "4 values" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.csv", 'id,path,site\n1,x,"Uni\n2,y,B\n3,z,C\n', 2),
        ("a.csv", 'sep=,\nid,path,site\n0,w,A\n1,x,"Uni\n2,y,B\n3,z,"C\n4,v,D\n', 4),
        ("a.csv", 'id,path,site\n1,x,"Uni\n2,y,B"\n3,z,C\n', 2),
        ("a.tsv", 'id\tpath\tsite\n1\tx\t"left\n2\ty\tB\n3\tz\tof 21"\n', 2),
        ("a.csv", 'id,path,"site\n1,x,A\n2,y,B\n', 1),
    ],
)
def test_a_quotation_mark_that_is_not_closed_is_an_error_and_swallows_no_line(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=rf"(?s)is not closed.*line {line}\b") as raised:
        read_table(tmp_path / name, expected="x")
    assert name in str(raised.value)


def test_quoted_text_may_have_line_breaks_and_marks_may_stand_within_text(tmp_path):
    text = 'id,"the\nsite",note\n1,"Bonn, ""A""\nRhein","fever, cough, rash\nand pain"\n2,5" long,"x" y\n'
    (tmp_path / "a.csv").write_text(text)
    assert [[*row.values()] for row in read_table(tmp_path / "a.csv", expected="x").rows] == [
        ["1", 'Bonn, "A"\nRhein', "fever, cough, rash\nand pain"], ["2", '5" long', "x y"]
    ]  # fmt: skip


def test_a_spreadsheet(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [["IXI_ID", "AGE", "Site"], [2, 35.8, "NA"], [12, 40, ""]])
    table = read_table(tmp_path / "a.xlsx", expected="x", lower=True)
    assert table.columns == ("ixi_id", "age", "site")
    assert [(float(row["ixi_id"]), float(row["age"]), row["site"]) for row in table.rows] == [
        (2, 35.8, "NA"), (12, 40, "")
    ]  # fmt: skip


def test_the_content_tells_a_spreadsheet_from_text_whatever_the_name_says(tmp_path):
    write_xlsx(tmp_path / "a.csv", [["id", "age"], ["007", 45]])
    (tmp_path / "a.xls").write_text("id\tage\n007\t45\n")
    for name in ("a.csv", "a.xls"):
        assert read_table(tmp_path / name, expected="x").rows == ({"id": "007", "age": "45"},)


def test_empty_rows_above_a_spreadsheet_are_skipped_and_counted(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [["", ""], ["", "id"], ["", 7]])
    table = read_table(tmp_path / "a.xlsx", expected="x")
    assert (table.rows, table.numbers) == (({"id": "7"},), (3,))


def test_a_title_above_a_spreadsheet_is_skipped(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [["Study 7", ""], ["id", "age"], [7, ""], ["8", 45]])
    table = read_table(tmp_path / "a.xlsx", expected="x")
    assert ([row["id"] for row in table.rows], table.numbers) == (["7", "8"], (3, 4))


def test_a_sheet_of_text_before_the_table_is_skipped(tmp_path, monkeypatch):
    sheets = {"read me": pd.DataFrame([["Study 7"]]), "people": pd.DataFrame([["id", "age"], ["7", "45"]])}
    monkeypatch.setattr(pd, "read_excel", lambda *_, **options: sheets if options["sheet_name"] is None else None)
    write_xlsx(tmp_path / "a.xlsx", [["x"]])
    assert read_table(tmp_path / "a.xlsx", expected="x").rows == ({"id": "7", "age": "45"},)


def test_what_keeps_a_value_text_in_a_spreadsheet_is_not_a_part_of_it(tmp_path):
    (tmp_path / "a.csv").write_text('id,age\n="007",45\n"=""008""",45\n\'-9,45\n\'x,45\n')
    assert [row["id"] for row in read_table(tmp_path / "a.csv", expected="x").rows] == ["007", "008", "-9", "'x"]


@pytest.mark.parametrize("header", ["\ufeff\ufeffid,age", "id\u200b,age"])
def test_what_is_not_seen_is_not_a_part_of_a_columns_name(tmp_path, header):
    (tmp_path / "a.csv").write_text(f"{header}\n1,45\n", encoding="utf-8")
    assert read_table(tmp_path / "a.csv", expected="x").columns == ("id", "age")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "no column names"),
        ("a.csv", b"id,age,id\n1,2,3\n", "Found:.*id more than once in id, age, id"),
        ("a.csv", b"name\nM\xfcller\n", r"another encoding\s+In: .*line 2\s+What to do: Save it as CSV in UTF-8"),
        ("a.csv", "id,age\n1,45\n".encode("utf-16-le"), "another encoding"),
        ("a.csv", "id,age\n1,45\n".encode("utf-32"), "another encoding"),
        ("a.xls", b"<html><table><tr><td>id</td></tr></table></html>", "damaged, or not a spreadsheet"),
        ("a.xlsx", b"PK\x03\x04", "damaged, or not a spreadsheet"),
        ("a.xlsx", b"", "cannot be read"),
    ],
)
def test_files_that_are_not_tables_are_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message) as raised:
        read_table(tmp_path / name, expected="the columns id,age")
    assert name in str(raised.value) and "id,age" in str(raised.value)


def test_utf16_as_spreadsheet_programs_write_it(tmp_path):
    (tmp_path / "a.csv").write_text("id\tsite\n1\tMünchen\n", encoding="utf-16")
    assert read_table(tmp_path / "a.csv", expected="x").rows == ({"id": "1", "site": "München"},)


@pytest.mark.parametrize("header", ['id;"age, years";sex', "id;age, years;sex", 'id,"age; years",sex'])
def test_the_separator_is_the_one_that_splits_the_column_names(tmp_path, header):
    separator = header[2]
    (tmp_path / "a.csv").write_text(f"{header}\n{separator.join(('1', '45', 'f'))}\n")
    (row,) = read_table(tmp_path / "a.csv", expected="x").rows
    assert [*row.values()] == ["1", "45", "f"]


def test_subjects_with_invalid_age_or_sex_are_named_without_the_values():
    rows = [{"age": "1960-05-03", "sex": "Mann"}, {"age": "old", "sex": "n/a"}, {"age": "45", "sex": "F"}, {}]
    assert [*not_understood(zip("abcd", rows, strict=True)).values()] == [["a", "b"], ["a"]]


def test_no_file(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        read_table(tmp_path / "a.csv", expected="x")


@pytest.mark.parametrize(
    ("text", "age"), [("45", 45), ("45.5", 45.5), ("45,5", 45.5), ("89+", 89), (">89", 89), ("≥ 90", 90), ("n/a", None),
    ("", None), ("0", None), ("nan", None), ("200", None)]
)  # fmt: skip
def test_age(text, age):
    assert age_of(text) == age


def test_sex():
    assert [sex_of(text) for text in ("m", "F", "Female", "male", "o", "")] == ["M", "F", "F", "M", "", ""]


@pytest.mark.parametrize(
    ("written", "expected"), [("hM", "MF"), ("HF", "MF"), ("mF", "MF"), ("HMF", "M F"), ("mw", "MF")]
)
def test_m_beside_h_is_mujer(written, expected):
    rows = [{"sex": letter} for letter in written]
    assert "".join(sex_of(text) or " " for text in sexes(rows, "sex")) == expected


def test_only_sexes_are_read_so(tmp_path):
    (tmp_path / "a.csv").write_text("subject,gender\n1,H\n2,M\n", encoding="utf-8")
    assert [row["gender"] for row in read_table(tmp_path / "a.csv", expected="x").rows] == ["H", "M"]


def test_site():
    texts = ("Bonn", "NA", "3.0", "3", "n/a", "unknown", "nan", "")
    assert [site_of(text) for text in texts] == ["Bonn", "NA", "3", "3", "", "", "", ""]
