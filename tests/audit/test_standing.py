"""Which figures are evidence under a verdict."""

from itertools import product

import pytest

from brain_cae.audit.standing import standing

VERDICTS = ("confounded", "at risk", "clear", "cannot tell")


def by_key(*verdicts: str, overlapping: bool = True, labels_hold: bool = True) -> dict[str, str]:
    rows = standing(*verdicts, overlapping=overlapping, labels_hold=labels_hold)
    return {key: row["standing"] for row in rows for key in row["keys"]}


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("confounded", "no evidence"), ("at risk", "read with care"), ("clear", "stands"), ("cannot tell", "not shown")],
)
def test_only_figures_between_the_classes_depend_on_the_verdict(verdict: str, expected: str) -> None:
    assert by_key(verdict, verdict) == {
        "detection": expected,
        "baseline": expected,
        "transfer": expected,
        "audit.within_protocol": "stands",
        "detection.specificity": "stands",
        "detection.false_alarms": "stands",
        "reconstruction": "stands",
        "localisation": "stands",
    }


def test_the_classifier_is_judged_by_its_verdict_alone() -> None:
    rows = by_key("clear", "confounded")
    assert (rows["detection"], rows["transfer"]) == ("stands", "no evidence")
    rows = by_key("confounded", "clear")
    assert (rows["detection"], rows["transfer"]) == ("no evidence", "stands")


def test_without_a_shared_protocol_figures_within_protocols_are_no_evidence() -> None:
    rows = by_key("clear", "clear", overlapping=False)
    assert rows["audit.within_protocol"] == "no evidence"
    assert rows["detection"] == rows["detection.specificity"] == "stands"


def test_wrong_labels_leave_only_figures_that_need_no_class() -> None:
    rows = by_key("clear", "clear", labels_hold=False)
    assert {key for key, state in rows.items() if state == "stands"} == {"reconstruction", "localisation"}
    assert set(rows.values()) == {"stands", "no evidence"}


def test_every_figure_has_a_reason_under_every_verdict() -> None:
    for verdict, classifier, overlapping, labels_hold in product(VERDICTS, VERDICTS, (True, False), (True, False)):
        rows = standing(verdict, classifier, overlapping=overlapping, labels_hold=labels_hold)
        assert len(rows) == 6 and all(row["why"] for row in rows)
    rows = standing("clear", "at risk", overlapping=True, labels_hold=True)
    (transfer,) = (row for row in rows if row["keys"] == ["transfer"])
    assert "within protocols" in transfer["why"]


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(KeyError):
        standing("fine", "clear", overlapping=True, labels_hold=True)
