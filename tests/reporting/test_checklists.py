"""Checklists: every item once, answered by what the run knows, open otherwise."""

from brain_cae.reporting import checklists
from brain_cae.reporting.content import ReportContent


def test_every_item_is_there_once():
    assert [number for number, _, _ in checklists.CLAIM] == [str(number) for number in range(1, 45)]
    numbers = [number for number, _, _ in checklists.TRIPOD]
    assert len(set(numbers)) == len(numbers) == 52
    assert list(dict.fromkeys(number.rstrip("abcdefg") for number in numbers)) == [str(n) for n in range(1, 28)]


def test_items_are_answered_from_the_run_or_open(make_content):
    (_, claim, answered), (_, tripod, _) = checklists.tables(make_content(views=0, settings={"seed": 3}))
    answers = {row[0].text: row[2].text for row in claim.rows}
    assert answers["44"] == answers["5"] == "open" and "seed 3" in answers["19"]
    assert answers["8"] == "7 of 10 series imported; reasons in section Import and import_report.csv"
    assert answered == sum(text != "open" for text in answers.values()) > 15
    assert next(row[2].text for row in tripod.rows if row[0].text == "23a").startswith("AUROC 0.9")


def test_nothing_is_claimed_that_is_not_known():
    (_, claim, _), _ = checklists.tables(ReportContent(title="", metrics={}))
    answers = {row[0].text: row[2].text for row in claim.rows}
    assert {answers[number] for number in ("7", "8", "19", "21", "25", "32", "37", "38", "39")} == {"open"}
