"""Tables of the audit."""

from brain_cae.reporting import audit_tables
from brain_cae.reporting.content import ReportContent
from brain_cae.vocabulary import Serious

TESTS = [
    {"name": "overlap", "value": 1.0, "verdict": "no_concern", "sentence": "It overlaps."},
    {"name": "leakage", "value": 1.0, "verdict": "concern", "details": [{"other": "b", "subject": "a"}]},
]


def audited(*cautions: str, **audit) -> ReportContent:
    return ReportContent(title="", metrics={"audit": audit}, cautions=list(cautions))


def test_a_test_has_the_colour_of_its_verdict_unless_in_doubt():
    rows = audit_tables.tests_table(audited(tests=TESTS)).rows
    assert [row[4].tone for row in rows] == ["green", "amber"] and rows[0][5].text == "It overlaps."
    doubtful = audit_tables.tests_table(audited(Serious("a trial"), tests=TESTS))
    assert [row[4].tone for row in doubtful.rows] == ["", "amber"]
    assert audit_tables.tests_table(audited()) is None


def test_duplicates_and_evidence_are_listed():
    assert [cell.text for cell in audit_tables.duplicate_table(audited(tests=TESTS)).rows[0]] == ["a", "b"]
    figures = [{"figure": "Detection", "keys": ["detection"], "standing": "no evidence", "why": "the scanner"}]
    (row,) = audit_tables.evidence_table(audited(figures=figures)).rows
    assert [cell.text for cell in row] == ["Detection", "no evidence", "the scanner"] and row[1].tone == "red"
    assert audit_tables.evidence_table(audited(figures=figures, kind="headers")) is None
    scored = [row | {"keys": [key]} for row in figures for key in ("detection", "localisation")]
    (row,) = audit_tables.evidence_table(audited(figures=scored, kind="table")).rows
    assert row[0].text.startswith("AUROC of the score")
