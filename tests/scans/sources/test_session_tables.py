"""Tables of sessions: rows by subject and session; what cannot be used is named."""

from brain_cae.scans.sources.session_tables import read_session_tables

SESSIONS = [("sub-1", "ses-01"), ("sub-1", "ses-02"), ("sub-2", "")]


def test_rows_are_found_by_session_as_folders_or_tables_write_it(tmp_path):
    (tmp_path / "sub-1").mkdir()
    (tmp_path / "sub-1" / "sub-1_sessions.tsv").write_text("session_id\tgroup\n1\ta\nses-02\tb\nses-3\tc\n")
    tables = read_session_tables(tmp_path, SESSIONS)
    assert {place: row["group"] for place, row in tables.rows.items()} == {
        ("sub-1", "ses-01"): "a", ("sub-1", "ses-02"): "b",
    }  # fmt: skip
    assert (tables.columns, tables.missing, tables.lost) == (["group"], [("sub-2", "")], ["sub-1 ses-3"])


def test_a_session_in_two_lines_costs_the_table_and_no_other(tmp_path):
    for subject in ("sub-1", "sub-2"):
        (tmp_path / subject).mkdir()
    (tmp_path / "sub-1" / "sub-1_sessions.tsv").write_text("session_id\tgroup\nses-01\ta\n01\tb\n")
    (tmp_path / "sub-2" / "sub-2_sessions.tsv").write_text("session_id\tgroup\nses-01\ta\n")
    tables = read_session_tables(tmp_path, [*SESSIONS, ("sub-2", "ses-01")])
    assert list(tables.rows) == [("sub-2", "ses-01")]
    assert tables.broken == ["sub-1/sub-1_sessions.tsv"]


def test_ages_are_in_the_unit_of_the_json_file_of_the_data_set(tmp_path):
    (tmp_path / "sub-1").mkdir()
    (tmp_path / "sub-1" / "sub-1_sessions.tsv").write_text("session_id\tAge\n1\t18\n")
    (tmp_path / "sessions.json").write_text('{"Age": {"Units": "months"}}')
    assert read_session_tables(tmp_path, SESSIONS).rows["sub-1", "ses-01"]["Age"] == "18 months"


def test_sessions_have_the_times_of_their_table_or_of_their_earliest_scan(tmp_path):
    for session in ("ses-01", "ses-02"):
        (tmp_path / "sub-1" / session).mkdir(parents=True)
    table = tmp_path / "sub-1" / "sub-1_sessions.tsv"
    scans = tmp_path / "sub-1" / "ses-01" / "sub-1_ses-01_scans.tsv"
    table.write_text("session_id\tacq_time\nses-01\tn/a\nses-02\t1877-06-15\n")
    scans.write_text("filename\tacq_time\nfunc/a.nii\tn/a\nanat/b.nii\t1877-09-02T10:00:00.5\nanat/c.nii\t1877-09-01\n")
    tables = read_session_tables(tmp_path, SESSIONS)
    assert tables.dates == {("sub-1", "ses-01"): "1877-09-01", ("sub-1", "ses-02"): "1877-06-15"}
    assert tables.columns == []
    scans.unlink()
    assert not read_session_tables(tmp_path, SESSIONS).dates


def test_a_damaged_table_of_scans_is_named(tmp_path):
    for session in ("ses-01", "ses-02"):
        (tmp_path / "sub-1" / session).mkdir(parents=True)
    (tmp_path / "sub-1" / "ses-01" / "sub-1_ses-01_scans.tsv").write_text('filename\tacq_time\na\t"2020-01-01\nb\tc\n')
    assert read_session_tables(tmp_path, SESSIONS).broken == ["sub-1/ses-01/sub-1_ses-01_scans.tsv"]
