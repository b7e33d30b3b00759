"""``participants.tsv``: labels from values, and everything that does not match."""

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.sources.participants import Participants

SUBJECTS = ["sub-01", "sub-02", "sub-03"]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\tgroup\nsub-01\tHC\n02\t1\nsub-03\tms\nsub-09\thc\n")
    return path


def test_values_become_labels_and_others_are_named(path):
    table = Participants("group", ["hc"], ["1"])
    labels = {name: one.label for name, one in table.read(path, SUBJECTS).items()}
    assert labels == {"sub-01": "healthy", "sub-02": "abnormal", "sub-03": "unknown"}
    assert any("neither dataset.healthy nor dataset.abnormal" in note and "ms (1)" in note for note in table.notes)
    assert any("no scans" in note and "sub-09" in note for note in table.notes)


def test_the_default_label_is_used_for_other_values(path):
    table = Participants("group", [], ["1"], label="healthy")
    assert [one.label for one in table.read(path, SUBJECTS).values()] == ["healthy", "abnormal", "healthy"]


def test_without_a_table_the_note_says_how_subjects_get_labels(tmp_path):
    table = Participants()
    assert table.read(tmp_path / "participants.tsv", SUBJECTS) == {}
    assert "dataset.label_column" in table.notes[0] and "dataset.label=healthy" in table.notes[0]


def test_subjects_that_are_not_in_the_table_are_noted(path):
    table = Participants("group", ["hc"])
    subjects = [*SUBJECTS, "sub-09", "sub-07"]
    assert set(table.read(path, subjects)) == set(subjects) - {"sub-07"}
    assert any("not in participants.tsv: sub-07" in note for note in table.notes)


def test_lines_and_subjects_that_do_not_find_each_other_stop_the_run_if_they_have_labels(path):
    with pytest.raises(DatasetError, match=r"sub-02 \(line 3\).*subjects without labels \(1\): sub-07"):
        Participants("group", ["hc"]).read(path, ["sub-01", "sub-07"])
    assert set(Participants(label="healthy").read(path, ["sub-01", "sub-07"])) == {"sub-01"}
    # Folders without scans are no place where a label went.
    table = Participants("group", ["hc"])
    assert set(table.read(path, ["sub-01", "sub-07"], without_scan=["sub-02", "sub-03", "sub-09"])) == {"sub-01"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("participants.tsv", "participant_id\tgroup\tage\rsub-01\thc\t089Y\rsub-02\tms\tn/a\r"),
        ("participants.tsv", "\ufeffParticipant_ID ,group,Age\nSub-1,hc,89\n 2.0 ,ms,\n"),
        ("Participants.csv", "subject;group;AGE\n1;hc;89 years\n2;ms;n/a\n"),
        ("participants.tsv.txt", "id\tgroup\tage\nsub_01\thc\t1068M\nsub_02\tms\t\n"),
    ],
)
def test_tables_of_other_programs_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    table = Participants("group", ["hc"], ["ms"])
    people = table.read(tmp_path / "participants.tsv", ["sub-01", "sub-02"])
    assert {name: (one.label, one.age) for name, one in people.items()} == {
        "sub-01": ("healthy", 89), "sub-02": ("abnormal", None)
    }  # fmt: skip
    assert bool(table.notes) == (name != "participants.tsv" or "Sub-1" in text)


def test_blanks_instead_of_a_tab_are_named_with_their_line(path):
    path.write_text("participant_id\tgroup\nsub-01  hc\nsub-02\tms\n")
    with pytest.raises(DatasetError, match=r"sub-01  hc \(line 2\)"):
        Participants("group", ["hc"], ["ms"]).read(path, ["sub-01", "sub-02"])


def test_values_that_are_not_an_age_or_a_sex_are_noted(path):
    path.write_text("participant_id\tage\tsex\tsite\nsub-01\tadult\tO\tNA\nsub-02\tn/a\tn/a\tn/a\n")
    table = Participants(label="healthy")
    assert [one.site for one in table.read(path, SUBJECTS).values()] == ["NA", ""]
    assert [note.rpartition(": ")[2] for note in table.notes if "is treated as unknown" in note] == [
        "sub-01.",
        "sub-01.",
    ]


def test_a_column_without_assigned_values_is_an_error_that_lists_them(path):
    with pytest.raises(DatasetError, match=r"group: HC \(1\), 1 \(1\), ms \(1\)"):
        Participants("group", ["healthy"]).read(path, SUBJECTS)


def test_without_the_table(tmp_path):
    path = tmp_path / "participants.tsv"
    table = Participants()
    assert table.read(path, SUBJECTS) == {} and "all labels" in table.notes[0]
    with pytest.raises(DatasetError, match="no such file"):
        Participants("group", ["hc"]).read(path, SUBJECTS)


def test_another_column_is_an_error_that_lists_them(path):
    with pytest.raises(DatasetError, match="columns participant_id, group"):
        Participants("diagnosis", ["hc"]).read(path, SUBJECTS)


@pytest.mark.parametrize(("column", "healthy", "abnormal"), [(None, ["hc"], []), ("group", ["a", "b"], ["B"])])
def test_values_that_cannot_be_used(path, column, healthy, abnormal):
    with pytest.raises(ConfigurationError, match=r"dataset\.label_column"):
        Participants(column, healthy, abnormal).read(path, SUBJECTS)


def test_a_subject_in_two_lines_with_two_labels_is_an_error(path):
    path.write_text("participant_id\tgroup\nsub-01\thc\n01\tms\n")
    with pytest.raises(DatasetError, match="line 3"):
        Participants("group", ["hc"], ["ms"]).read(path, SUBJECTS)


def test_numbers_are_labels_whatever_program_wrote_them(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\tdx\nsub-1\t0.0\nsub-2\t1.0\nsub-3\t0\nsub-4\t1.5\n")
    table = Participants("dx", healthy=["0"], abnormal=["1"])
    people = table.read(path, ["sub-1", "sub-2", "sub-3", "sub-4"])
    assert [one.label for one in people.values()] == ["healthy", "abnormal", "healthy", "unknown"]
    assert "1.5 (1)" in " ".join(table.notes)
    with pytest.raises(ConfigurationError, match="1 in both"):
        Participants("dx", healthy=["1"], abnormal=["1.0"]).read(path, ["sub-1"])


def test_ages_are_in_the_unit_of_the_json_file_and_gender_is_read_as_sex(path):
    path.write_text("participant_id\tage\tGender\nsub-01\t90\tM\nsub-02\t1068+\tfemale\n")
    path.with_suffix(".json").write_text('{"age": {"Units": "months"}}')
    table = Participants(label="healthy")
    people = table.read(path, ["sub-01", "sub-02"])
    assert [(one.age, one.sex) for one in people.values()] == [(7.5, "M"), (89, "F")]
    assert table.notes == ["Ages in participants.tsv are in months, as the JSON file beside it says."]
    path.with_suffix(".json").write_text('{"age": {"Units": "moons"}}')
    assert table.read(path, ["sub-01"])["sub-01"].age == 90
    assert "unknown unit of ages, read as years" in table.notes[0]


def test_lines_that_may_be_of_one_subject_are_named(path):
    path.write_text("participant_id\tage\n01\t30\n1\t40\nsub-02\t50\n")
    table = Participants(label="healthy")
    table.read(path, ["sub-01", "sub-02"])
    assert "may be one subject: sub-01 and sub-1." in " ".join(table.notes)


def test_a_subject_may_have_several_lines_that_agree(path):
    path.write_text(
        "participant_id\tsession_id\tgroup\tage\tsex\nsub-01\tses-1\tHC\t40\tM\nsub-01\tses-2\tn/a\t42\tM\n"
        "sub-02\tses-1\tn/a\tn/a\tn/a\nsub-02\tses-2\tms\t50\tF\n"
    )
    table = Participants("group", ["hc"], ["ms"])
    people = table.read(path, SUBJECTS[:2])
    assert "1 subject has several ages, none of which is used: sub-01." in table.notes
    assert [(one.label, one.age, one.sex) for one in people.values()] == [("healthy", None, "M"), ("abnormal", 50, "F")]


@pytest.mark.parametrize(("column", "line"), [("group", "B\tF\tx"), ("sex", "A\tM\tx"), ("site", "A\tF\ty")])
def test_lines_of_a_subject_that_contradict_each_other_are_named(path, column, line):
    path.write_text(f"participant_id\tgroup\tsex\tsite\nsub-01\tA\tF\tx\nsub-01\t{line}\n")
    with pytest.raises(DatasetError, match=rf"contradict(.|\n)*sub-01 with {column} \w here and \w in a line above"):
        Participants("group", ["A"]).read(path, SUBJECTS[:1])


@pytest.mark.parametrize("text", ["Healthy  Control", "healthy\u00a0control", "HEALTHY CONTROL"])
def test_a_value_of_the_label_column_may_be_written_in_several_ways(path, text):
    path.write_text(f"participant_id\tgroup\nsub-01\t{text}\nsub-02\tpra\u0308\n")
    people = Participants("group", ["healthy control"], ["pr\u00e4"]).read(path, SUBJECTS[:2])
    assert [one.label for one in people.values()] == ["healthy", "abnormal"]


def test_labels_in_a_column_of_sexes_stay_as_they_are(path):
    path.write_text("participant_id\tgender\nsub-01\tH\nsub-02\tM\n")
    people = Participants("gender", ["H"], ["M"]).read(path, ["sub-01", "sub-02"])
    assert [(one.label, one.sex) for one in people.values()] == [("healthy", "M"), ("abnormal", "F")]
