"""The unit of ages beside a table."""

import pytest

from brain_cae.scans.sources.age_unit import unit_of_age, with_unit
from brain_cae.scans.sources.table import age_of

from .layouts import write_json


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("months", "months"),
        ("Month", "months"),
        ("years (at scan)", "years"),
        ("d", "d"),
        ("day", "days"),
        ("", "years"),
        (3, "years"),
    ],
)
def test_the_unit_is_read(tmp_path, text, unit):
    write_json(tmp_path / "participants.json", age={"Units": text}, Sex="M")
    assert unit_of_age([tmp_path / "gone.json", tmp_path / "participants.json"], "age") == unit
    assert unit_of_age([tmp_path / "participants.json"], "Sex") == "years"


@pytest.mark.parametrize(
    ("age", "unit", "years"),
    [
        ("90", "months", 7.5),
        ("90+", "months", 7.5),
        ("52,5", "years", 52.5),
        ("090M", "days", 7.5),
        ("n/a", "months", None),
        ("365.25", "days", 1),
        ("30", "moons", 30),
    ],
)
def test_ages_are_converted_to_years(age, unit, years):
    assert age_of(with_unit(age, unit)) == years


def test_a_damaged_file_says_nothing(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text("[1]")
    assert unit_of_age([tmp_path / "a.json", tmp_path / "b.json"], "age") == "years"
